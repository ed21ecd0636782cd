"""One look at this computer. Every question may go unanswered; the look never fails."""

import logging
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engine import bandwidth
from engine.hardware import cards, memory, nvidia, processor, torch_build
from engine.hardware.facts import Gpu, Hardware
from kernels.cpu.library import find_library

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def detect(cache: Path | None = None, *, processor_only: bool = False) -> Hardware:
    """Return what this computer has, in well under 300 ms, without torch. Never raises.

    cache: the folder in which an earlier measurement of the memory's bandwidth may lie; without
    one, ``ram_bandwidth`` is None until ``bandwidth.measured`` fills it. processor_only: cards
    and their drivers are not asked.
    """
    build = _try(torch_build.read_build, "")
    cpu_name, sets = _try(processor.name_and_sets, (platform.machine() or "unknown", ()))
    cores, threads = _try(processor.count_cores, (1, 1))
    ram_total, ram_free = _try(memory.total_and_free, (1, 0))
    hardware = Hardware(
        system=_try(_system, sys.platform),
        cpu_name=cpu_name,
        cores=cores,
        threads=threads,
        instruction_sets=sets,
        ram_total=ram_total,
        ram_free=ram_free,
        ram_bandwidth=None,
        gpus=() if processor_only else _gpus(build, cpu_name, ram_total, ram_free),
        torch_build=build,
        native=_try(_native, ""),
        cuda_engine="+cu" in build,  # which brings the compiler that our kernels need
    )
    known = _try(lambda: bandwidth.cached(cache, hardware), None)
    return replace(hardware, ram_bandwidth=known)


def _gpus(build: str, cpu_name: str, ram_total: int, ram_free: int) -> tuple[Gpu, ...]:
    looks: tuple[Callable[[], list[Gpu]], ...] = (
        lambda: nvidia.nvidia_gpus(build),
        lambda: cards.apple_gpu(cpu_name, ram_total, ram_free, build),
        lambda: cards.other_gpus(build),
    )
    return tuple(gpu for look in looks for gpu in _try(look, []))


def _native() -> str:
    """Return the instruction set of our engine for processors, "" without the engine."""
    library = find_library()
    return library.instruction_set if library else ""


def _system() -> str:
    """Return the system's name for people, such as "Windows 11" or "Linux 6.1"."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    release = platform.release()
    if sys.platform == "linux":
        release = ".".join(release.split(".")[:2])
    return f"{platform.system()} {release}".strip()


def _try(look: Callable[[], _T], otherwise: _T) -> _T:
    """A look at foreign drivers and files fails in ways that no list of exceptions covers."""
    try:
        return look()
    except Exception:
        _log.warning("part of this computer could not be looked at", exc_info=True)
        return otherwise
