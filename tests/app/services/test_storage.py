"""What lies on the disk is measured, and the prepared models go when they are asked to."""

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
