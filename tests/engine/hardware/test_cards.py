"""Cards: NVIDIA's through a stand-in for NVML, AMD's from made-up files, speeds by name."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.hardware import cards
from engine.hardware.nvidia import nvidia_gpus, visible


class NoAnswer(Exception):
    pass


def nvml(count: int = 2, **other):
    """What pynvml offers, for cards like an RTX 4070; ``other`` replaces answers."""

    def refuse(*_):
        raise NoAnswer

    answers = {
        "NVMLError": NoAnswer,
        "NVML_CLOCK_MEM": 2,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "580.65",
        "nvmlDeviceGetCount": lambda: count,
        "nvmlDeviceGetHandleByIndex": lambda i: i,
        "nvmlDeviceGetUUID": lambda i: f"GPU-{i}abc",
        "nvmlDeviceGetName": lambda i: "NVIDIA GeForce RTX 4070",
        "nvmlDeviceGetMemoryInfo": lambda i: SimpleNamespace(total=12 << 30, free=11 << 30),
        "nvmlDeviceGetCudaComputeCapability": lambda i: (8, 9),
        "nvmlDeviceGetMemoryBusWidth": lambda i: 192,
        "nvmlDeviceGetMaxClockInfo": lambda i, clock: 10501,
    }
    return SimpleNamespace(**answers | dict.fromkeys(other.get("silent", ()), refuse))


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def put(build: str = "2.13.0+cu130", **how):
        monkeypatch.setitem(sys.modules, "pynvml", nvml(**how))
        return nvidia_gpus(build)

    return put


def test_nvidia_cards(ask):
    first, second = ask()
    assert (first.index, second.index) == (0, 1)
    assert first.name == "NVIDIA GeForce RTX 4070"
    assert (first.vram_total, first.vram_free) == (12 << 30, 11 << 30)
    assert (first.driver, first.capability, first.usable) == ("580.65", (8, 9), True)
    assert first.bandwidth == pytest.approx(504e9, rel=0.01)


def test_a_torch_for_the_processor_leaves_them_unused(ask):
    assert [gpu.usable for gpu in ask("2.13.0+cpu")] == [False, False]


def test_no_driver(ask):
    assert ask(silent=["nvmlInit"]) == []


def test_a_card_that_answers_little(ask):
    silent = [
        "nvmlDeviceGetMemoryBusWidth",
        "nvmlDeviceGetCudaComputeCapability",
        "nvmlDeviceGetUUID",
        "nvmlDeviceGetMemoryInfo",
    ]
    (gpu,) = ask(count=1, silent=silent)
    assert gpu.capability is None
    assert gpu.bandwidth == 504e9, "by its name"
    assert not gpu.usable


def test_hidden_cards(ask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert ask() == []


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("2,0", [2, 0]),
        ("1,9,0", [1]),
        ("GPU-c", [2]),
        (" 1 , GPU-a", [1, 0]),
    ],
)
def test_cuda_visible_devices(wanted, shown):
    assert visible(["GPU-a1", "GPU-b2", "GPU-c3"], wanted) == shown


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("NVIDIA GeForce RTX 4070", 504),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", 256),
        ("NVIDIA GeForce RTX 3080 Laptop GPU", 448),
        ("NVIDIA H100 80GB HBM3", 3350),
        ("NVIDIA L40S", 864),
        ("NVIDIA L4", 300),
        ("Apple M2", 100),
        ("Apple M2 Pro", 200),
        ("AMD Radeon RX 7900 XTX", 960),
        ("Matrox", None),
    ],
)
def test_bandwidth_by_name(name, gigabytes):
    assert cards.bandwidth_by_name(name) == (gigabytes and gigabytes * 1e9)


def amd_card(root: Path, number: int, vram: int, vendor: str = "0x1002") -> None:
    device = root / f"sys/class/drm/card{number}/device"
    device.mkdir(parents=True)
    (device / "vendor").write_text(vendor + "\n")
    (device / "mem_info_vram_total").write_text(f"{vram}\n")
    (device / "mem_info_vram_used").write_text(f"{1 << 30}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="made-up Linux files")
def test_amd_cards_on_linux(tmp_path: Path):
    amd_card(tmp_path, 0, 512 << 20)  # graphics inside the processor
    amd_card(tmp_path, 1, 16 << 30)
    amd_card(tmp_path, 2, 16 << 30, vendor="0x10de")
    (gpu,) = cards.other_gpus("2.13.0+cpu", tmp_path)
    assert (gpu.index, gpu.kind, gpu.vram_free) == (0, "cuda", 15 << 30)
    assert "ROCm" in gpu.why_not
    (gpu,) = cards.other_gpus("2.13.0+rocm7.2", tmp_path)
    assert gpu.usable


def test_vendors():
    assert cards.vendor_of("AMD Radeon RX 7600") == "amd"
    assert cards.vendor_of("Intel(R) Arc(TM) A770 Graphics") == "intel"
    assert cards.vendor_of("NVIDIA GeForce GTX 1060") == "nvidia"
    assert cards.vendor_of("Microsoft Basic Display Adapter") == ""


def test_apples_share_for_the_gpu():
    assert cards.metal_limit(24 << 30) == 16 << 30
    assert cards.metal_limit(64 << 30) == 48 << 30


def test_apple_silicon(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cards.sys, "platform", "darwin")
    monkeypatch.setattr(cards.platform, "machine", lambda: "arm64")
    (gpu,) = cards.apple_gpu("Apple M3 Max", 36 << 30, 20 << 30, "2.13.0")
    assert (gpu.kind, gpu.usable, gpu.vram_total, gpu.vram_free) == (
        "mps",
        True,
        24 << 30,
        20 << 30,
    )
    assert gpu.bandwidth == 300e9
    (gpu,) = cards.apple_gpu("Apple M3 Max", 36 << 30, 20 << 30, "")
    assert "bootstrap.py run" in gpu.why_not


def test_no_apple_gpu_elsewhere():
    if sys.platform != "darwin":
        assert cards.apple_gpu("AMD EPYC", 1 << 34, 1 << 33, "2.13.0+cpu") == []
