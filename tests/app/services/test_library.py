"""The library against a real local hub and real files."""

import threading

from app.services.library import this_machine
from engine.checkpoint.shape import ModelShape
from engine.strategy import Strategy
from tests.app.models_kit import DATA, REPO, SMALL, write_model


def start(qtbot, library, tasks):
    with qtbot.waitSignal(tasks.idle):
        library.start()


def test_what_is_here_and_what_can_be_had(qtbot, library, tasks, folders):
    path = write_model(folders.models / "rwkv7-tiny.safetensors")
    start(qtbot, library, tasks)
    (ready,) = library.ready
    assert ready.local.path == path
    assert ready.plan.verdict == "fits"
    (offer,) = library.available
    assert (offer.id, offer.remote.title) == (f"{REPO}/{SMALL}", "RWKV-7 G1 0.1B")
    assert offer.plan.write_tokens_per_s > 1
    assert library.recommended == offer.id
    assert library.offline is None
    assert library.catalogue_time is not None


def test_offline_shows_the_last_list(qtbot, library, tasks, server):
    start(qtbot, library, tasks)
    before, seen = library.available, library.catalogue_time
    server.close()
    with qtbot.waitSignal(tasks.idle):
        library.refresh()
    assert library.available == before
    assert library.catalogue_time == seen
    assert library.offline.message
    assert not library.refreshing


def test_offline_at_the_start_shows_the_saved_list(qtbot, library, tasks, server):
    start(qtbot, library, tasks)
    saved = library.available
    library.available, library._remote = (), []
    server.close()
    start(qtbot, library, tasks)
    assert library.available == saved
    assert library.offline is not None


def test_a_file_that_arrived_is_known(qtbot, library, tasks, folders):
    start(qtbot, library, tasks)
    assert library.available[0].path is None
    with qtbot.waitSignal(tasks.idle):
        library.rescan()
    assert library.ready == ()
    model = write_model(folders.models / "a.safetensors")
    data = model.read_bytes()
    with qtbot.waitSignal(tasks.idle):
        library.rescan()
    assert [m.local.path for m in library.ready] == [model]
    assert model.read_bytes() == data


def test_a_random_file_is_listed_with_its_problem(qtbot, library, tasks, folders):
    (folders.models / "noise.pth").write_bytes(DATA)
    start(qtbot, library, tasks)
    (ready,) = library.ready
    assert "noise.pth" in ready.local.problem
    assert ready.plan is None


def test_delete_removes_the_file(qtbot, library, tasks, folders):
    path = write_model(folders.models / "a.safetensors")
    start(qtbot, library, tasks)
    with qtbot.waitSignal(library.deleted) as gone:
        library.delete(path)
    assert gone.args == [str(path)]
    assert not path.exists()
    assert library.ready == ()


def test_delete_touches_only_what_is_listed(qtbot, library, tasks, folders, tmp_path):
    other = tmp_path / "diary.txt"
    other.write_text("mine")
    start(qtbot, library, tasks)
    library.delete(other)
    assert not tasks.busy
    assert other.exists()


def test_delete_in_the_hubs_cache_frees_the_bytes(qtbot, library, tasks, folders):
    repo = folders.models / "models--BlinkDL--rwkv7-g1"
    blob = repo / "blobs" / "0f"
    blob.parent.mkdir(parents=True)
    write_model(blob)
    link = repo / "snapshots" / "abc" / "rwkv7-tiny.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    start(qtbot, library, tasks)
    with qtbot.waitSignal(library.deleted):
        library.delete(library.ready[0].local.path)
    assert not blob.exists()
    assert not link.is_symlink()


def test_lookup_of_any_repository(qtbot, library, tasks, server):
    server.add("ann/RWKV-7-novel-1.5B", "rwkv7-g1-novel-1.5b.pth", DATA)
    start(qtbot, library, tasks)
    with qtbot.waitSignal(library.lookup_done) as done:
        library.look_up("ann/RWKV-7-novel-1.5B")
    assert done.args[1] == ("ann/RWKV-7-novel-1.5B/rwkv7-g1-novel-1.5b.pth",)
    added = next(m for m in library.available if m.id in done.args[1])
    assert added.added
    assert library.recommended != added.id


def test_lookup_of_nothing(qtbot, library):
    with qtbot.waitSignal(library.lookup_failed) as failed:
        library.look_up("ann/nothing")
    assert failed.args[0] == "ann/nothing"
    assert failed.args[1].message


def test_another_strategy_makes_other_plans(qtbot, library, tasks):
    start(qtbot, library, tasks)
    chosen = library.available[0].plan.strategy
    library.set_strategy(Strategy.parse("cpu fp32 @2"))
    assert str(library.available[0].plan.strategy) == "cpu fp32 @2"
    library.set_strategy(Strategy.parse("auto"))
    assert library.available[0].plan.strategy == chosen
    assert library.strategy is None


def test_who_saves_power_is_promised_less(qtbot, library, tasks):
    start(qtbot, library, tasks)
    library.set_strategy(Strategy.parse("cpu fp32"))
    before, found = library.available[0].plan, library.hardware
    with qtbot.waitSignal(library.available_changed):
        library.set_power_saving(True)
    assert library.available[0].plan.read_tokens_per_s < 0.7 * before.read_tokens_per_s
    assert library.hardware == found  # what the computer has is told as before
    library.set_power_saving(False)
    assert library.available[0].plan == before


def test_an_opened_file_is_listed_where_it_is(qtbot, library, tasks, tmp_path):
    path = write_model(tmp_path / "elsewhere.safetensors")
    start(qtbot, library, tasks)
    with qtbot.waitSignal(library.ready_changed):
        library.open_file(path)
    assert library.ready[0].local.path == path


def test_signals_arrive_on_the_gui_thread(qtbot, library, tasks):
    threads = set()
    library.available_changed.connect(lambda: threads.add(threading.current_thread()))
    start(qtbot, library, tasks)
    assert threads == {threading.main_thread()}


def test_this_machine_answers_without_a_window(tmp_path):
    machine = this_machine(tmp_path)
    hardware = machine.detect()
    assert hardware.ram_total > 0
    assert machine.choose(ModelShape.released("0.1b"), hardware, None).reason
    assert machine.scan([write_model(tmp_path / "a.safetensors").parent])[0].info is not None
