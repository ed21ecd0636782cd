"""What a figure depends on, printed above it: the machine, how busy it is, the versions."""

import os
import platform
import sys

import psutil

from engine.hardware import detect


def print_conditions(*notes: str) -> None:
    """Print the machine, its load and the versions; then the notes, one a line."""
    hardware = detect(None)
    load = (
        ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else ""
    )
    print(f"machine   {hardware.cpu_name}, {hardware.cores} cores, {hardware.threads} threads")
    print(f"memory    {hardware.ram_total / 1e9:.1f} GB, {hardware.ram_free / 1e9:.1f} GB free")
    print(f"busy      load {load or 'unknown'}; {psutil.cpu_percent(0.3):.0f} % before it began")
    print(f"versions  Python {platform.python_version()}, torch {hardware.torch_build or 'none'}")
    print(f"system    {platform.platform()}")
    for note in notes:
        print(f"note      {note}")
    print(flush=True)


def median(values: list[float]) -> float:
    """Return the middle one; the upper of two."""
    return sorted(values)[len(values) // 2]


def python() -> str:
    """The interpreter for child processes."""
    return sys.executable
