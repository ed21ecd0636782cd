"""Cards that NVML does not know: Apple's chip, AMD and Intel cards; and bandwidths by name."""

import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.hardware.facts import Gpu
from engine.hardware.torch_build import amd_obstacle, gpu_table, intel_obstacle

SMALLEST_VRAM_BYTES = 2 << 30
"""Less memory of its own means graphics inside the processor: slower than the processor."""

_PCI_AMD = "0x1002"
_WINDOWS_DISPLAY_CLASS = (
    r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
)


def bandwidth_by_name(name: str) -> float | None:
    """Return bytes/s of the longest known name that occurs in ``name``, or None."""
    squeezed = re.sub(r"\s+GPU\b", "", name)
    table = gpu_table()["bandwidth"]
    known = [row for row in table if re.search(rf"\b{re.escape(row)}\b", squeezed)]
    return table[max(known, key=len)] * 1e9 if known else None


def apple_gpu(cpu_name: str, ram_total: int, ram_free: int, build: str) -> list[Gpu]:
    """Return the GPU of Apple silicon, which shares the main memory; none on other machines."""
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return []
    limit = metal_limit(ram_total)
    why_not = "" if build else "PyTorch is not installed: run “python installers/bootstrap.py run”."
    return [
        Gpu(
            index=0,
            name=cpu_name,
            kind="mps",
            vram_total=limit,
            vram_free=min(limit, ram_free),
            driver=platform.mac_ver()[0],
            capability=None,
            bandwidth=bandwidth_by_name(cpu_name),
            usable=not why_not,
            why_not=why_not,
        )
    ]


def metal_limit(ram_total: int) -> int:
    """Return the bytes of main memory that macOS lets the GPU use by default.

    Two thirds up to 36 GB, three quarters above (Metal's recommendedMaxWorkingSetSize).
    """
    return ram_total * 2 // 3 if ram_total <= 36 << 30 else ram_total * 3 // 4


def other_gpus(build: str, root: Path = Path("/")) -> list[Gpu]:
    """Return AMD (Linux, Windows) and Intel (Windows) cards with memory of their own."""
    found = _windows_cards() if sys.platform == "win32" else _linux_amd_cards(root)
    numbers = {"cuda": 0, "xpu": 0}
    gpus = []
    for name, vendor, total, free, driver in found:
        if total < SMALLEST_VRAM_BYTES or vendor not in ("amd", "intel"):
            continue
        kind, obstacle = ("cuda", amd_obstacle) if vendor == "amd" else ("xpu", intel_obstacle)
        why_not = obstacle(build)
        speed = bandwidth_by_name(name)
        index = numbers[kind]
        gpus.append(Gpu(index, name, kind, total, free, driver, None, speed, not why_not, why_not))
        numbers[kind] += 1
    return gpus


_Card = tuple[str, str, int, int, str]  # name, vendor, bytes, free bytes, driver


def _linux_amd_cards(root: Path) -> Iterator[_Card]:
    for card in sorted((root / "sys/class/drm").glob("card[0-9]*/device")):
        if _line(card / "vendor") != _PCI_AMD:
            continue
        total = int(_line(card / "mem_info_vram_total") or 0)
        used = int(_line(card / "mem_info_vram_used") or 0)
        name = _line(card / "product_name") or "AMD Radeon"
        yield name, "amd", total, max(0, total - used), "amdgpu"


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _windows_cards() -> Iterator[_Card]:
    """Read the display adapters from the registry; Windows does not say how much is free."""
    if sys.platform != "win32":
        return
    import winreg

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _WINDOWS_DISPLAY_CLASS) as cards:
        for number in range(16):
            try:
                with winreg.OpenKey(cards, f"{number:04}") as card:
                    name = str(winreg.QueryValueEx(card, "DriverDesc")[0])
                    driver = str(winreg.QueryValueEx(card, "DriverVersion")[0])
                    size = winreg.QueryValueEx(card, "HardwareInformation.qwMemorySize")[0]
            except OSError:
                continue
            total = int.from_bytes(size, "little") if isinstance(size, bytes) else int(size)
            yield name, vendor_of(name), total, total, driver


def vendor_of(name: str) -> str:
    """Return "amd", "intel", "nvidia" or "" from an adapter's name."""
    words = name.lower()
    known = {"radeon": "amd", "amd": "amd", "intel": "intel", "nvidia": "nvidia"}
    return next((vendor for word, vendor in known.items() if word in words), "")
