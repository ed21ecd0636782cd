"""The processor: its name, cores, and the instruction sets that decide how fast torch is."""

import ctypes
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

INSTRUCTION_SETS = (
    *("avx", "avx2", "fma", "f16c", "avx_vnni"),
    *("avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_bf16", "amx_int8"),
    *("neon", "dotprod", "fp16", "bf16", "i8mm", "sve", "sve2"),
)
"""Our names, in the order in which they are listed."""

_LINUX_ARM_NAMES = {"asimd": "neon", "asimddp": "dotprod", "fphp": "fp16", "asimdhp": "fp16"}
_MACOS_NAMES = {
    "hw.optional.neon": "neon",
    "hw.optional.AdvSIMD": "neon",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_FP16": "fp16",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.avx1_0": "avx",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.fma": "fma",
    "hw.optional.f16c": "f16c",
    "hw.optional.avx512f": "avx512f",
}
# winnt.h, PF_*: Windows can tell no more of AVX-512 than its base.
_WINDOWS_FEATURES = {39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "dotprod"}


def name_and_sets(root: Path = Path("/")) -> tuple[str, tuple[str, ...]]:
    """Return the processor's name for people and its instruction sets, in our names."""
    if sys.platform == "darwin":
        return parse_sysctl(_sysctl())
    if sys.platform == "win32":
        return _windows_name(), _windows_sets()
    name, sets = parse_cpuinfo((root / "proc/cpuinfo").read_text(errors="replace"))
    return name or platform.processor() or platform.machine(), sets


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """Return (name, instruction sets) of the first processor in Linux's /proc/cpuinfo."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    flags = f"{found.get('flags', '')} {found.get('features', '')}".split()
    name = found.get("model name") or found.get("hardware") or found.get("model") or ""
    return _tidy(name), _known({_LINUX_ARM_NAMES.get(flag, flag) for flag in flags})


def parse_sysctl(text: str) -> tuple[str, tuple[str, ...]]:
    """Return (name, instruction sets) from the lines of macOS's ``sysctl``."""
    found = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    sets = {ours for theirs, ours in _MACOS_NAMES.items() if found.get(theirs) == "1"}
    if found.get("hw.optional.arm64") == "1":
        sets.add("neon")
    return _tidy(found.get("machdep.cpu.brand_string", "Apple")), _known(sets)


def count_cores(root: Path = Path("/")) -> tuple[int, int]:
    """Return (physical cores, threads that this process may use), each at least 1.

    A container's processor quota counts as fewer threads.
    """
    import psutil

    threads = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = _quota(root)
    threads = max(1, min(threads, quota) if quota else threads)
    cores = psutil.cpu_count(logical=False) or threads
    return min(cores, threads), threads


def _quota(root: Path) -> int | None:
    """Processors that a container's quota allows, rounded up (cgroup v2, v1), or None."""
    two = root / "sys/fs/cgroup/cpu.max"
    one = root / "sys/fs/cgroup/cpu"
    try:
        if two.exists():
            quota, period = two.read_text().split()
        else:
            quota, period = (
                (one / f"cpu.cfs_{part}_us").read_text().strip() for part in ("quota", "period")
            )
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None  # no quota, or "max"


def _sysctl() -> str:
    command = ["/usr/sbin/sysctl", "machdep.cpu.brand_string", "hw.optional"]
    return subprocess.run(command, capture_output=True, text=True, timeout=2, check=False).stdout


def _windows_name() -> str:
    if sys.platform != "win32":
        return ""
    import winreg

    path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
        return _tidy(str(winreg.QueryValueEx(key, "ProcessorNameString")[0]))


def _windows_sets() -> tuple[str, ...]:
    if sys.platform != "win32":
        return ()
    has = ctypes.windll.kernel32.IsProcessorFeaturePresent
    sets = {name for number, name in _WINDOWS_FEATURES.items() if has(number)}
    if "avx2" in sets:  # every processor with AVX2 has both
        sets |= {"fma", "f16c"}
    return _known(sets)


def _known(sets: set[str]) -> tuple[str, ...]:
    return tuple(name for name in INSTRUCTION_SETS if name in sets)


def _tidy(name: str) -> str:
    """``Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz`` -> ``Intel Core i7-8550U``."""
    name = re.sub(r"\((?:R|TM|C)\)", " ", name, flags=re.IGNORECASE)
    name = re.sub(r"\s+(?:CPU\s*)?@.*$|\s+CPU$|\s+\S+-Core Processor$|\s+Processor$", "", name)
    return " ".join(name.split())
