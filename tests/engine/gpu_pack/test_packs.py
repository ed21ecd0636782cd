"""Packs on the disk: which is used, what goes away and when, what is damaged."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from engine.errors import PackFailed
from engine.folders import Folders
from engine.gpu_pack.packs import PARTIAL, REMOVED, WHEELS, Packs, locked, read_pack
from engine.hub import partial
from tests.engine.gpu_pack.conftest import Make
from tests.pack_kit import ignore

NEVER = threading.Event()
ROOT = Path(__file__).parents[3]


def test_nothing_is_here(tmp_path: Path):
    packs = Packs(tmp_path / "packs", [])
    assert packs.active() is None
    assert packs.all() == []
    assert packs.problem() == ""
    assert packs.usage_bytes() == packs.clean() == 0
    assert packs.damaged(ignore, NEVER) == ()
    assert packs.remove()


def test_a_pack_can_be_switched_off_and_on(make: Make, packs_folder: Path):
    pack = make().run(ignore, NEVER)
    packs = Packs(packs_folder, [])
    packs.switch("")
    assert packs.active() is None
    assert packs.all() == [pack]
    packs.switch(pack.folder.name)
    assert packs.active() == pack
    with pytest.raises(PackFailed) as caught:
        packs.switch("cu999")
    assert caught.value.kind == "missing"
    assert packs.active() == pack


def test_remove_takes_packs_and_what_was_received(make: Make, packs_folder: Path):
    make().run(ignore, NEVER)
    (packs_folder / f"x{WHEELS}").mkdir()
    (packs_folder / f"x{WHEELS}" / "torch.whl.part").write_bytes(b"some")
    (packs_folder / f"x{PARTIAL}").mkdir()
    (packs_folder / ".active.0123abcd.part").write_bytes(b"cu130")
    assert Packs(packs_folder, []).remove()
    assert list(packs_folder.iterdir()) == []


def test_a_pack_in_use_goes_at_the_next_start(make: Make, packs_folder: Path):
    pack = make().run(ignore, NEVER)
    used = Packs(packs_folder, [str(pack.folder)])
    assert not used.remove()
    assert (pack.folder / "torch" / "__init__.py").is_file(), "who runs it can go on"
    assert used.active() is None
    assert used.all() == []
    next_start = Packs(packs_folder, [])
    assert next_start.clean() > 500_000
    assert list(packs_folder.iterdir()) == []


def test_an_install_brings_back_what_was_to_go(make: Make, packs_folder: Path):
    pack = make().run(ignore, NEVER)
    Packs(packs_folder, [str(pack.folder)]).remove()
    again = make().run(ignore, NEVER)
    assert again.folder.name.endswith("~2")
    Packs(packs_folder, []).clean()
    assert [path.name for path in sorted(packs_folder.iterdir())] == ["active", again.folder.name]


def test_clean_keeps_what_is_used_and_what_was_received(make: Make, packs_folder: Path):
    pack = make().run(ignore, NEVER)
    for name in (f"other{PARTIAL}", f"other{WHEELS}", "older-pack"):
        (packs_folder / name).mkdir()
        (packs_folder / name / "file").write_bytes(b"12345")
    assert Packs(packs_folder, []).clean() == 10
    names = sorted(path.name for path in packs_folder.iterdir())
    assert names == ["active", pack.folder.name, f"other{WHEELS}"]


def test_what_another_process_runs_with_stays(make: Make, folders: Folders):
    """It was mended, or removed, by a second process; the first still loads from it."""
    pack = make(folder=folders.packs).run(ignore, NEVER)
    with _running(folders) as process:
        (pack.folder / "nvidia" / "__init__.py").write_bytes(b"damaged")
        mended = make(folder=folders.packs).run(ignore, NEVER)
        packs = Packs(folders.packs, [])
        packs.clean()
        assert (pack.folder / "torch" / "lib" / "libtorch.so").is_file()
        assert packs.all() == [mended, pack]
        assert not packs.remove()
        assert not mended.folder.exists()
        assert read_pack(pack.folder) == pack
        assert process.poll() is None
    assert packs.clean() > 500_000
    assert list(folders.packs.iterdir()) == []


@contextmanager
def _running(folders: Folders) -> Iterator[subprocess.Popen[str]]:
    """Run another process with the pack, until it is killed."""
    code = (
        "from engine.folders import Folders; from engine.gpu_pack.overlay import use_pack\n"
        "print(repr(use_pack(Folders.standard())), flush=True); input()"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdout
        assert process.stdout.readline() == "''\n"
        yield process
        process.kill()


def test_what_became_active_a_moment_ago_stays(
    make: Make, packs_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another process ends its install while this one waits for it."""
    old = make().run(ignore, NEVER)
    (old.folder / "nvidia" / "__init__.py").write_bytes(b"damaged")

    def late(folder: Path) -> AbstractContextManager[None]:
        make().run(ignore, NEVER)
        return locked(folder)

    monkeypatch.setattr("engine.gpu_pack.packs.locked", late)
    Packs(packs_folder, []).clean()
    active = Packs(packs_folder, []).active()
    assert active is not None
    assert active.folder.name.endswith("~2")


def test_clean_waits_for_an_install(make: Make, packs_folder: Path):
    pack = make().run(ignore, NEVER)
    (packs_folder / f"x{PARTIAL}").mkdir()
    with locked(packs_folder):
        Packs(packs_folder, []).clean()
        assert (packs_folder / f"x{PARTIAL}").is_dir()
        with pytest.raises(PackFailed) as caught:
            Packs(packs_folder, []).remove()
        assert Packs(packs_folder, []).all() == [Packs(packs_folder, []).active()] == [pack]
    assert caught.value.kind == "busy"


def test_the_locks_name_goes_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else another takes it in between, and a third makes a new file: both would be at work."""
    found: list[str] = []
    remove = partial._remove

    def removed(lock: Path) -> None:
        if not found:
            found.append("free")
            with pytest.raises(PackFailed) as caught, locked(tmp_path):
                pass
            found[0] = caught.value.kind
        remove(lock)

    monkeypatch.setattr(partial, "_remove", removed)
    with locked(tmp_path):
        pass
    assert found == ["busy"]
    assert not list(tmp_path.iterdir())


def test_a_half_deleted_pack_is_no_pack(make: Make, packs_folder: Path):
    pack = make().run(ignore, NEVER)
    (pack.folder / "pack.json").unlink()
    assert read_pack(pack.folder) is None
    assert Packs(packs_folder, []).active() is None
    assert "damaged" in Packs(packs_folder, []).problem()


def test_damage_is_named(make: Make, packs_folder: Path):
    folder = make().run(ignore, NEVER).folder
    packs = Packs(packs_folder, [])
    assert packs.damaged(ignore, NEVER) == ()
    (folder / "torch" / "lib" / "libtorch.so").write_bytes(b"")
    (folder / "nvidia" / "__init__.py").unlink()
    assert packs.damaged(ignore, NEVER) == ("nvidia/__init__.py", "torch/lib/libtorch.so")


def test_a_lost_list_is_damage(make: Make, packs_folder: Path):
    folder = make().run(ignore, NEVER).folder
    (folder / "torch-2.13.0.dist-info" / "RECORD").unlink()
    assert Packs(packs_folder, []).damaged(ignore, NEVER)
    assert Packs(packs_folder, []).damaged(ignore, NEVER)[0].startswith("torch-2.13.0")


def test_half_a_list_is_damage(make: Make, packs_folder: Path):
    """Else the half that it does not name would count as sound."""
    folder = make().run(ignore, NEVER).folder
    record = folder / "torch-2.13.0.dist-info" / "RECORD"
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:2]))
    (folder / "torch" / "lib" / "libtorch.so").unlink()
    assert Packs(packs_folder, []).damaged(ignore, NEVER)
    make().run(ignore, NEVER)
    assert Packs(packs_folder, []).damaged(ignore, NEVER) == ()


@pytest.mark.parametrize("line", ["a,sha256=ä,²", "a,sha256=A,1", "a,sha256=A,-1"])
def test_nonsense_in_a_list(make: Make, packs_folder: Path, line: str):
    folder = make().run(ignore, NEVER).folder
    record = folder / "torch-2.13.0.dist-info" / "RECORD"
    record.write_text(f"{line}\n{record.read_text()}", "utf-8")
    assert Packs(packs_folder, []).damaged(ignore, NEVER) == ("a",)


def test_a_check_can_be_stopped(make: Make, packs_folder: Path):
    make().run(ignore, NEVER)
    stop = threading.Event()
    stop.set()
    with pytest.raises(PackFailed) as caught:
        Packs(packs_folder, []).damaged(ignore, stop)
    assert caught.value.kind == "stopped"


def test_a_list_that_points_elsewhere_is_not_followed(make: Make, packs_folder: Path):
    folder = make().run(ignore, NEVER).folder
    (packs_folder.parent / "secret").write_bytes(b"")
    record = folder / "torch-2.13.0.dist-info" / "RECORD"
    record.write_text(
        record.read_text() + "../../secret,sha256=AAAA,0\n/etc/passwd,sha256=AAAA,0\n"
    )
    assert Packs(packs_folder, []).damaged(ignore, NEVER) == ()


@pytest.mark.parametrize("text", ["", "..", "../other", "a/b", "nowhere", "\x00", "x" * 500])
def test_nonsense_in_the_file_that_names_the_pack(packs_folder: Path, text: str):
    packs_folder.mkdir(parents=True)
    (packs_folder / "active").write_text(text)
    assert Packs(packs_folder, []).active() is None


@pytest.mark.parametrize("facts", ["", "[]", "{}", '{"name": 1}', json.dumps({"wheels": [{}]})])
def test_nonsense_in_a_packs_facts(packs_folder: Path, facts: str):
    (packs_folder / "p").mkdir(parents=True)
    (packs_folder / "p" / "pack.json").write_text(facts)
    assert read_pack(packs_folder / "p") is None
    assert Packs(packs_folder, []).all() == []


def test_a_mark_alone_is_no_pack(packs_folder: Path):
    packs_folder.mkdir(parents=True)
    (packs_folder / f"gone{REMOVED}").touch()
    assert Packs(packs_folder, []).clean() == 0
    assert list(packs_folder.iterdir()) == []
