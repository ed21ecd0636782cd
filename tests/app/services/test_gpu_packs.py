"""The window's side of GPU packs: the real engine, a real index on localhost, real threads."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.services.gpu_packs import GpuPackService
from app.services.tasks import Tasks
from app.settings import SettingsStore
from engine.folders import Folders
from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.packs import Packs
from engine.gpu_pack.table import PackRow
from tests.engine.machines import CU130, card, machine
from tests.pack_kit import SELF_TEST, IndexServer, tiny_index

TIMEOUT_MS = 15_000
HERE = machine(16, 11, card(12, 11.2))
Make = Callable[..., GpuPackService]


@pytest.fixture
def index() -> Iterator[tuple[IndexServer, PackRow]]:
    with tiny_index() as made:
        yield made


@pytest.fixture
def make(qtbot: QtBot, folders: Folders, index: tuple[IndexServer, PackRow]) -> Iterator[Make]:
    """Return services that fetch from the local index; ``self_test`` is the child's command."""
    folders.create()
    opened: list[tuple[GpuPackService, Tasks]] = []
    server, row = index

    def begin(self_test: tuple[str, ...] = SELF_TEST) -> GpuPackService:
        def install(row: PackRow, folders: Folders, _settings: object) -> PackInstall:
            return PackInstall(
                row,
                folders.packs,
                f"{server.endpoint}/simple",
                margin_bytes=0,
                pauses_s=(0.0,),
                self_test=self_test,
            )

        tasks = Tasks()
        settings = SettingsStore(folders.settings_file)
        made = GpuPackService(folders, settings, tasks, rows=(row,), make_install=install)
        opened.append((made, tasks))
        return made

    yield begin
    for service, tasks in opened:
        service.close()
        tasks.close()


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], bool]], None]:
    return lambda what: qtbot.waitUntil(what, timeout=TIMEOUT_MS)


def look(service: GpuPackService, wait, hardware=HERE):
    service.look(hardware)
    wait(lambda: service.facts is not None)
    assert service.facts is not None
    return service.facts


def test_what_suits_is_found_and_fetched(make: Make, wait, folders: Folders, index) -> None:
    service = make()
    facts = look(service, wait)
    assert facts.row is index[1]
    assert facts.needed_bytes == index[1].download_bytes + index[1].installed_bytes
    installed: list[object] = []
    seen: list[str] = []
    service.installed.connect(installed.append)
    service.progressed.connect(lambda progress: seen.append(progress.phase))
    service.start()
    assert service.busy
    service.start()  # a second click is none
    wait(lambda: bool(installed))
    assert seen[0] in ("looking", "downloading")
    assert "testing" in seen
    assert service.facts is not None
    assert service.facts.active == Packs(folders.packs).active()
    assert (service.facts.used, service.status, service.error) == (False, "idle", None)


def test_paused_it_goes_on_where_it_was(make: Make, wait, index) -> None:
    server, row = index
    server.faults.piece_delay_s = 0.05
    service = make()
    look(service, wait)
    service.start()
    wait(lambda: service.progress is not None and service.progress.received > 0)
    service.pause()
    wait(lambda: not service.busy)
    assert service.error is None
    assert service.facts is not None
    assert 0 < service.facts.received < row.download_bytes
    server.faults.piece_delay_s = 0.0
    service.close()
    again = make()  # the next start of the app
    facts = look(again, wait)
    assert facts.received > 0
    again.start()
    wait(lambda: again.facts is not None and again.facts.active is not None)


@pytest.mark.parametrize("while_running", [True, False])
def test_cancelled_nothing_stays(make: Make, wait, index, folders, while_running: bool) -> None:
    index[0].faults.piece_delay_s = 0.05
    service = make()
    look(service, wait)
    service.start()
    wait(lambda: service.progress is not None and service.progress.received > 0)
    if not while_running:
        service.pause()
        wait(lambda: not service.busy)
    service.cancel()
    wait(lambda: not service.busy)
    assert service.facts is not None
    assert service.facts.received == 0
    assert not list(folders.packs.glob("*/*.whl*"))


def test_a_failure_is_said_and_nothing_is_used(make: Make, wait, folders: Folders) -> None:
    service = make(("false",))
    look(service, wait)
    service.start()
    wait(lambda: service.status == "failed")
    assert service.error is not None
    assert "crashed" in service.error.message
    assert Packs(folders.packs).active() is None


def test_a_look_that_fails_does_not_hold_the_panel(
    make: Make, wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data folder on a drive that was pulled out, say."""
    service = make()
    look(service, wait)

    def gone(_folder: Path) -> int:
        raise OSError("gone")

    monkeypatch.setattr("engine.hub.disk.free_bytes", gone)
    service.remove()
    wait(lambda: not service.busy)


def test_repair_and_remove(make: Make, wait, folders: Folders) -> None:
    service = make()
    look(service, wait)
    service.start()
    wait(lambda: service.facts is not None and service.facts.active is not None)
    pack = Packs(folders.packs).active()
    assert pack is not None
    library = pack.folder / "torch" / "lib" / "libtorch.so"
    library.write_bytes(b"damaged")
    # It runs with the pack now: nothing else would suit, but this very pack can be mended.
    service.look(machine(16, 11, card(12, 11.2), build=CU130))
    wait(lambda: service.facts is not None and service.facts.choice.verdict == "has_cuda")
    service.start()
    wait(lambda: not service.busy)
    mended = Packs(folders.packs).active()
    assert mended is not None
    assert (mended.folder / "torch" / "lib" / "libtorch.so").read_bytes() != b"damaged"
    removed: list[bool] = []
    service.removed.connect(removed.append)
    service.remove()
    wait(lambda: bool(removed))
    assert removed == [False]
    assert service.facts is not None
    assert service.facts.active is None
    assert not any(path.is_dir() for path in folders.packs.iterdir())


def test_closing_during_a_download_is_quick(make: Make, wait, index, folders: Folders) -> None:
    index[0].faults.piece_delay_s = 0.05
    service = make()
    look(service, wait)
    service.start()
    wait(lambda: service.progress is not None and service.progress.received > 0)
    service.close()
    assert not service._thread or not service._thread.is_alive()
    assert PackInstall(index[1], folders.packs).received > 0


def test_offline_means_offline(qtbot: QtBot, folders: Folders, index, wait) -> None:
    folders.create()
    settings, tasks = SettingsStore(folders.settings_file), Tasks()
    settings.set("offline", True)
    service = GpuPackService(folders, settings, tasks, rows=(index[1],))
    look(service, wait)
    service.start()
    wait(lambda: service.status == "failed")
    assert service.error is not None
    assert not list(Path(folders.packs).glob("*.wheels"))
    settings.flush()
    tasks.close()
