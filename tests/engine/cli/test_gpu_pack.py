"""``skein gpu-pack``: what it says, and that a pack which does not work is never used."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from engine.cli import gpu_pack
from engine.cli.main import main
from engine.folders import Folders
from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.overlay import bundled_torch, this_python, this_system
from engine.gpu_pack.packs import Packs
from engine.gpu_pack.table import PackRow
from engine.hub.disk import size_words
from tests.pack_kit import SELF_TEST, IndexServer, tiny_index


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[IndexServer, PackRow]]:
    """An index, and a table with its one pack."""
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    close_session()
    with tiny_index() as (server, row):
        monkeypatch.setattr(gpu_pack, "load_table", lambda _folders: (row,))
        yield server, row
    close_session()


def test_status_without_a_card(capsys: pytest.CaptureFixture[str], folders: Folders):
    assert main(["gpu-pack"]) == 0
    assert "none is here" in capsys.readouterr().out
    assert main(["gpu-pack", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["active"] is None
    assert told["usage_bytes"] == 0


def test_nothing_is_installed_where_nothing_suits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "none")
    assert main(["gpu-pack", "install"]) == 1
    assert "no NVIDIA card" in capsys.readouterr().err


def test_a_build_that_is_not_there(
    offered: tuple[IndexServer, PackRow], capsys: pytest.CaptureFixture[str]
):
    assert main(["gpu-pack", "install", "--name", "cu999"]) == 1
    assert "cu130" in capsys.readouterr().err


def test_a_pack_that_does_not_work_here_is_not_used(
    offered: tuple[IndexServer, PackRow], capsys: pytest.CaptureFixture[str], folders: Folders
):
    """The real test runs on the tiny torch, which cannot compute."""
    server, row = offered
    assert main(["gpu-pack", "install", "--name", "cu130", "--index", server.address]) == 1
    assert "the pack cu130" in capsys.readouterr().err
    assert Packs(folders.packs, []).active() is None
    assert main(["gpu-pack", "remove"]) == 0
    assert f"Freed {size_words(row.download_bytes)}." in capsys.readouterr().out
    assert list(folders.packs.iterdir()) == []


def test_repair_without_a_pack(capsys: pytest.CaptureFixture[str]):
    assert main(["gpu-pack", "repair"]) == 1
    assert "No GPU pack" in capsys.readouterr().err


def test_every_command_says_why_a_pack_is_not_used(
    capsys: pytest.CaptureFixture[str], folders: Folders
):
    folder = folders.packs / "cu130-1.0.0-cp311"
    folder.mkdir(parents=True)
    facts = {"name": "cu130", "torch": "1.0.0", "python": this_python(), "system": this_system()}
    (folder / "pack.json").write_text(json.dumps(facts))
    (folders.packs / "active").write_text(folder.name)
    assert main(["gpu-pack"]) == 0
    assert "is PyTorch 1.0.0" in capsys.readouterr().err


def test_remove_does_not_run_with_what_it_removes(
    offered: tuple[IndexServer, PackRow], folders: Folders
):
    server, row = offered
    PackInstall(row, folders.packs, server.address, self_test=SELF_TEST).run(
        lambda _report: None, threading.Event()
    )
    command = [sys.executable, "-m", "engine.cli.main", "gpu-pack"]
    status = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(status.stdout)["used"]
    answer = subprocess.run([*command, "remove"], capture_output=True, text=True, check=True)
    assert "in use" not in answer.stdout
    assert list(folders.packs.iterdir()) == []


def test_a_pack_that_does_not_load_is_named(folders: Folders):
    folder = folders.packs / "cu130-2.13.0-cp311"
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "version.py").touch()
    (folder / "torch" / "__init__.py").write_text("raise OSError('libcublas.so.13: not there')")
    facts = {"name": "cu130", "torch": bundled_torch(folders.packs, sys.path)}
    facts |= {"python": this_python(), "system": this_system()}
    (folder / "pack.json").write_text(json.dumps(facts))
    (folders.packs / "active").write_text(folder.name)
    command = [sys.executable, "-m", "engine.cli.main", "generate", "--prompt", "Hello"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "the GPU pack cannot be loaded: libcublas.so.13" in answer.stderr
    assert "skein gpu-pack repair" in answer.stderr
