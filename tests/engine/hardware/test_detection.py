"""The look at this computer: quick, without torch, and never an exception."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import bandwidth
from engine.hardware import Hardware, detect, detection


def test_this_computer():
    hardware = detect()
    assert Hardware.from_json(hardware.to_json()) == hardware
    assert hardware.cpu_name
    assert hardware.ram_total > hardware.ram_free > 0
    assert hardware.ram_bandwidth is None
    assert hardware.torch_build


def test_it_takes_less_than_300_ms():
    def seconds() -> float:
        start = time.perf_counter()
        detect()
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.3


def test_it_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from engine.hardware import detect; detect()\n"
        "sys.exit(' '.join({'torch', 'numpy', 'PySide6'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_every_look_may_fail(monkeypatch: pytest.MonkeyPatch):
    def fail(*_):
        raise RuntimeError("no")

    for module, name in (
        (detection.torch_build, "read_build"),
        (detection.processor, "name_and_sets"),
        (detection.processor, "count_cores"),
        (detection.memory, "total_and_free"),
        (detection.nvidia, "nvidia_gpus"),
        (detection.cards, "apple_gpu"),
        (detection.cards, "other_gpus"),
        (detection.bandwidth, "cached"),
    ):
        monkeypatch.setattr(module, name, fail)
    hardware = detect()
    assert (hardware.cores, hardware.gpus, hardware.torch_build) == (1, (), "")
    assert Hardware.from_json(hardware.to_json()) == hardware


def test_a_remembered_bandwidth_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bandwidth, "measure", lambda *_: 12e9)
    assert bandwidth.measured(detect(tmp_path), tmp_path).ram_bandwidth == 12e9
    assert detect(tmp_path).ram_bandwidth == 12e9
