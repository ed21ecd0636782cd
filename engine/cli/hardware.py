"""``skein hardware``: what this computer has, and what of it Skein can use."""

from typing import Annotated

import typer

from engine import bandwidth
from engine.folders import Folders
from engine.hardware import Gpu, Hardware, detect
from engine.plan_words import gigabytes


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("hardware")(hardware_command)


def hardware_command(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, as `plan` reads it.")
    ] = False,
) -> None:
    """Say what this computer has; the first time, measure its memory for a second."""
    cache = Folders.standard().cache
    hardware = bandwidth.measured(detect(cache), cache)
    if as_json:
        typer.echo(hardware.to_json())
        return
    for label, value in _rows(hardware):
        typer.echo(f"{label:20}{value}")


def _rows(hardware: Hardware) -> list[tuple[str, str]]:
    speed = hardware.ram_bandwidth or 0.0
    rows = [
        ("System", hardware.system),
        ("Processor", hardware.cpu_name),
        ("Cores, threads", f"{hardware.cores}, {hardware.threads}"),
        ("Instruction sets", " ".join(hardware.instruction_sets) or "none that speed up torch"),
        ("Memory", f"{gigabytes(hardware.ram_total)}, {gigabytes(hardware.ram_free)} free"),
        ("Memory is read at", f"{speed / 1e9:.0f} GB/s (measured)"),
        ("PyTorch", hardware.torch_build or "not installed"),
        ("CPU engine", hardware.native or "not built: no C++ compiler when Skein was installed"),
    ]
    rows += [("Graphics card", _gpu_line(gpu)) for gpu in hardware.gpus]
    return rows if hardware.gpus else [*rows, ("Graphics card", "none that PyTorch knows")]


def _gpu_line(gpu: Gpu) -> str:
    parts = [f"{gpu.name}, {gigabytes(gpu.vram_total)}, {gigabytes(gpu.vram_free)} free"]
    if gpu.bandwidth:
        parts.append(f"{gpu.bandwidth / 1e9:.0f} GB/s")
    if gpu.driver:
        parts.append(f"driver {gpu.driver}")
    return ", ".join(parts) + (f". Not used: {gpu.why_not}" if gpu.why_not else "")
