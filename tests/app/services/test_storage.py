"""What lies on the disk is measured, and the prepared models go when they are asked to."""

import os

from app.services.storage import StorageService
from app.services.tasks import Tasks


def test_prepared_models_are_measured_and_deleted(qtbot, folders, store, settings):
    tasks = Tasks()
    service = StorageService(folders, store, settings, tasks)
    folders.packed.mkdir()
    (folders.packed / "a.packed").write_bytes(bytes(3000))
    with qtbot.waitSignal(service.measured) as told:
        service.measure()
    assert told.args[3] == 3000
    with qtbot.waitSignal(service.measured) as told:
        service.clear_packed()
    assert told.args[3] == 0
    assert not list(folders.packed.iterdir())
    tasks.close()


def test_prepared_models_give_way_to_less_room(qtbot, folders, store, settings):
    tasks = Tasks()
    service = StorageService(folders, store, settings, tasks)
    folders.packed.mkdir()
    for name, used in (("old", 1000), ("new", 2000)):
        path = folders.packed / f"{name}.packed"
        path.write_bytes(bytes(3000))
        os.utime(path, (used, used))
    settings.set("packed_budget_bytes", 4000)
    with qtbot.waitSignal(service.measured) as told:
        service.prune_packed()
    assert told.args[3] == 3000
    assert [path.stem for path in folders.packed.iterdir()] == ["new"]
    tasks.close()
