"""The first thing at every start: a pack before the bundled torch, or a reason, in no time."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine.folders import Folders
from engine.gpu_pack.overlay import (
    bundled_torch,
    pack_in_use,
    this_python,
    this_system,
    use_pack,
)
from tests.pack_kit import SELF_TEST, IndexServer, ignore

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages with a bundled torch."""
    torch = tmp_path / "site" / "torch"
    torch.mkdir(parents=True)
    (torch / "version.py").write_text("__version__ = '2.13.0+cpu'\n")
    (torch / "__init__.py").write_text("from torch.version import __version__\n")
    return tmp_path / "site"


@pytest.fixture
def pack(folders: Folders) -> Path:
    folder = folders.packs / "cu130-2.13.0-cp311"
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "version.py").write_text("__version__ = '2.13.0+cu130'\n")
    (folder / "torch" / "__init__.py").write_text("from torch.version import __version__\n")
    _write_facts(folder)
    (folders.packs / "active").write_text(folder.name + "\n")
    return folder


def _write_facts(folder: Path, **more: object) -> None:
    facts = {"name": "cu130", "torch": "2.13.0", "python": this_python(), "system": this_system()}
    (folder / "pack.json").write_text(json.dumps(facts | more))


def test_the_pack_comes_first(folders: Folders, site: Path, pack: Path):
    path = ["", str(site)]
    assert use_pack(folders, path, environ={}) == ""
    assert path == [str(pack), "", str(site)]
    assert pack_in_use(folders, path) == pack
    assert use_pack(folders, path, environ={}) == ""
    assert path.count(str(pack)) == 1


def test_without_a_pack_nothing_happens(folders: Folders, site: Path):
    path = [str(site)]
    assert use_pack(folders, path, environ={}) == ""
    assert path == [str(site)]
    assert pack_in_use(folders, path) is None


def test_it_can_be_switched_off(folders: Folders, site: Path, pack: Path):
    path = [str(site)]
    assert use_pack(folders, path, safe=True, environ={}) == ""
    assert use_pack(folders, path, environ={"SKEIN_GPU_PACK": "none"}) == ""
    assert path == [str(site)]


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"python": "cp399"}, "Python cp399"),
        ({"torch": "2.12.1"}, "2.12.1"),
        ({"system": "linux-riscv64"}, "linux-riscv64"),  # one home for several computers
    ],
)
def test_a_pack_of_another_version_is_refused(
    folders: Folders, site: Path, pack: Path, facts: dict[str, str], word: str
):
    _write_facts(pack, **facts)
    path = [str(site)]
    assert word in use_pack(folders, path, environ={})
    assert path == [str(site)]


def test_a_damaged_pack_is_refused(folders: Folders, site: Path, pack: Path):
    (pack / "torch" / "version.py").unlink()
    assert "damaged" in use_pack(folders, [str(site)], environ={})
    for facts in ("", "[1]", "{}", "null"):
        (pack / "pack.json").write_text(facts)
        assert "damaged" in use_pack(folders, [str(site)], environ={})


def test_a_torch_that_is_loaded_already_stays(
    folders: Folders, pack: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "path", ["x"])
    monkeypatch.setitem(sys.modules, "torch", sys)
    assert "loaded before" in use_pack(folders, environ={})
    assert sys.path == ["x"]


def test_what_cannot_be_read_is_no_failure(folders: Folders, site: Path, pack: Path):
    (folders.packs / "active").unlink()
    (folders.packs / "active").mkdir()
    assert use_pack(folders, [str(site)], environ={}) == ""


def test_the_bundled_torch_is_told_without_importing_it(folders: Folders, site: Path, pack: Path):
    assert bundled_torch(folders.packs, ["", str(pack), str(site)]) == "2.13.0"
    assert bundled_torch(folders.packs, [str(pack)]) == ""


def test_a_real_start_imports_the_packs_torch(
    folders: Folders, site: Path, server: IndexServer, row, monkeypatch: pytest.MonkeyPatch
):
    from engine.gpu_pack.install import PackInstall

    made = PackInstall(row, folders.packs, server.address, self_test=SELF_TEST)
    made.run(ignore, threading.Event())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from engine.folders import Folders; from engine.gpu_pack.overlay import use_pack\n"
        "print(repr(use_pack(Folders.standard()))); import torch; print(torch.__version__)"
    )
    command = [sys.executable, "-c", code, str(site)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.split() == ["''", "2.13.0+cu130"]
    monkeypatch.setenv("SKEIN_GPU_PACK", "none")
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.split() == ["''", "2.13.0+cpu"]


def test_it_takes_no_time(folders: Folders, site: Path, pack: Path):
    took_ms: list[float] = []
    for _ in range(20):
        began = time.perf_counter()
        assert use_pack(folders, [str(site)], environ={}) == ""
        took_ms.append((time.perf_counter() - began) * 1000)
    assert min(took_ms) < 5


def test_it_needs_the_standard_library_only():
    code = (
        "import sys; before = set(sys.modules)\n"
        "import engine.gpu_pack.overlay\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(answer.stdout.split()) - set(sys.stdlib_module_names) == {"engine"}
