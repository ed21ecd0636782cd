"""The test of a pack, as the child that it is: with the real torch, and with broken ones."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.errors import PackFailed
from engine.gpu_pack import selftest
from engine.gpu_pack.selftest import covers
from engine.gpu_pack.trial import own_command, try_pack
from tests.pack_kit import tiny_row, tiny_torch

ROW = tiny_row(tiny_torch()[0])
CARD = """
class version: cuda = {cuda!r}
class cuda:
    is_available = staticmethod(lambda: {card})
    get_device_name = staticmethod(lambda n: "RTX")
    get_device_capability = staticmethod(lambda n: (8, 6))
    get_arch_list = staticmethod(lambda: {archs})
"""


def folder_of(path: Path, code: str, version: str = "2.13.0+cu130") -> Path:
    (path / "torch").mkdir(parents=True)
    (path / "torch" / "__init__.py").write_text(f"__version__ = {version!r}\n{code}")
    (path / "pack.json").write_text('{"torch": "2.13.0"}')
    return path


def failure(folder: Path) -> PackFailed:
    with pytest.raises(PackFailed) as caught:
        try_pack(folder, ROW, threading.Event())
    assert caught.value.kind == "test"
    return caught.value


def test_the_real_torch_multiplies():
    """On the processor; as a child of its own: tests/installers/check_gpu_pack.py."""
    import torch

    told = selftest._multiply(torch, "cpu")
    assert told["problem"] == ""
    assert told["error"] < 1e-4


def test_wrong_numbers_are_no_success(monkeypatch: pytest.MonkeyPatch):
    import torch

    monkeypatch.setattr(selftest, "_WORST_ERROR", 1e-12)
    assert selftest._multiply(torch, "cpu")["problem"] == "kernel"


def test_another_torch_is_not_taken_for_the_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The folder has none, so that of this Python is imported, and works."""
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "pack.json").write_text('{"torch": "2.13.0"}')
    told = selftest.try_out(tmp_path, processor=True)
    assert told["problem"] == "place"


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("raise ImportError('libcudart.so.13: cannot open shared object file')", "libcudart"),
        (CARD.format(cuda=None, card=True, archs=["sm_86"]), "without CUDA"),
        (CARD.format(cuda="13.0", card=False, archs=["sm_86"]), "finds no card"),
        (CARD.format(cuda="13.0", card=True, archs=["sm_90", "compute_120"]), "sm_90"),
        (CARD.format(cuda="13.0", card=True, archs=["sm_80"]), "computes wrong or not at all"),
        ("import os; os._exit(127)", "crashed: it ended with 127"),
        ("import sys; sys.exit('bad')", "crashed"),
    ],
)
def test_what_a_broken_torch_is_told_as(tmp_path: Path, code: str, word: str):
    assert word in failure(folder_of(tmp_path, "import torch as torch_module\n" + code)).message


def test_another_version(tmp_path: Path):
    code = CARD.format(cuda="13.0", card=True, archs=["sm_86"])
    assert "2.12.0" in failure(folder_of(tmp_path, code, "2.12.0+cu130")).message


def test_a_test_that_hangs_ends(tmp_path: Path):
    folder = folder_of(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(PackFailed, match="did not end"):
        try_pack(folder, ROW, threading.Event(), limit_s=0.3)


@pytest.mark.parametrize(
    ("archs", "capability", "runs"),
    [
        (["sm_75", "sm_86"], (8, 6), True),
        (["sm_75", "sm_80"], (8, 9), True),  # code of a generation runs on its later members
        (["sm_86"], (8, 0), False),
        (["sm_90"], (8, 9), False),
        (["sm_90", "compute_90"], (12, 0), True),  # PTX is compiled for later generations
        (["sm_120"], (12, 1), True),
        (["sm_90a", "gfx900", ""], (9, 0), False),
    ],
)
def test_which_code_runs_where(archs: list[str], capability: tuple[int, int], runs: bool):
    assert covers(archs, capability) == runs


def test_the_test_sees_nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "json.py").write_text("raise SystemExit('evil')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "evil"))
    folder = folder_of(tmp_path / "pack", "raise ImportError('reached')")
    answer = subprocess.run([*own_command(), str(folder)], capture_output=True, check=False)
    assert json.loads(answer.stdout)["problem"] == "import"
