"""Which pack suits a computer, or why none does. Knows facts about both; asks nobody."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.gpu_pack.overlay import this_python, this_system
from engine.gpu_pack.table import PackRow
from engine.hardware.facts import Gpu, Hardware

Verdict = Literal[
    "fits",  # row is the pack to fetch
    "has_cuda",  # the PyTorch that runs is made for NVIDIA cards already
    "no_card",  # no NVIDIA card is here
    "system",  # PyTorch has no CUDA build for this system
    "driver",  # the driver is too old; a newer one would do
    "card_old",  # no build has code for so old a card
    "card_new",  # the card is newer than the table
    "unpinned",  # the build is known, its wheels are not listed yet
    "version",  # the table is for another PyTorch or Python than what runs
]
_STAYS = "The processor does the work."


@dataclass(frozen=True, slots=True)
class PackChoice:
    """The pack to fetch, or None and why. ``reason`` and ``hint`` are sentences in English.

    gpu: the card that was looked at, the one with most memory of several; None without one.
    """

    row: PackRow | None
    gpu: Gpu | None
    verdict: Verdict
    reason: str = ""
    hint: str = ""


def choose_pack(
    hardware: Hardware, rows: Sequence[PackRow], system: str = "", python: str = ""
) -> PackChoice:
    """Return the newest pack that this computer's card, driver, PyTorch and Python suit.

    system, python: as rows say it ("linux-x86_64", "cp311"); "" = those that run this.
    """
    gpu = best_card(hardware)
    if gpu is None:
        return PackChoice(
            None, None, "no_card", "There is no NVIDIA card in this computer.", _STAYS
        )
    if "+cu" in hardware.torch_build and gpu.usable:  # an older driver, another card: look again
        build = hardware.torch_build
        return PackChoice(
            None, gpu, "has_cuda", f"PyTorch {build} is made for NVIDIA cards already."
        )
    here = [row for row in rows if row.system == (system or this_system())]
    if not here:
        return PackChoice(
            None, gpu, "system", "There is no PyTorch for NVIDIA cards on this system.", _STAYS
        )
    torch = hardware.torch_build.partition("+")[0]
    ours = [r for r in here if r.python == (python or this_python()) and torch in ("", r.torch)]
    if not ours:
        return PackChoice(
            None,
            gpu,
            "version",
            f"No GPU pack is known for PyTorch {torch} and this Python.",
            "Update Skein: its table of packs is for another version.",
        )
    return _by_card(gpu, ours)


def best_card(hardware: Hardware) -> Gpu | None:
    """Return the NVIDIA card with most memory, or None."""
    cards = [gpu for gpu in hardware.gpus if gpu.kind == "cuda" and gpu.driver]
    cards = [gpu for gpu in cards if gpu.capability is not None] or cards
    return max(cards, key=lambda gpu: gpu.vram_total, default=None)


def _by_card(gpu: Gpu, rows: Sequence[PackRow]) -> PackChoice:
    """Choose among the rows for this system, Python and PyTorch."""
    capability = gpu.capability
    suited = [row for row in rows if capability is None or row.has_code_for(capability)]
    if capability and not suited:
        return _no_code(gpu, capability, rows)
    driver = driver_number(gpu.driver)
    driven = [row for row in suited if row.driver_from <= driver]
    if not driven:
        oldest = min(row.driver_from for row in suited)
        return PackChoice(
            None,
            gpu,
            "driver",
            f"The NVIDIA driver {gpu.driver} is too old for {gpu.name}'s GPU pack.",
            f"Install driver {oldest} or newer, then try again.",
        )
    pinned = [row for row in driven if row.pinned]
    if not pinned:
        return _unpinned(gpu, driven, suited)
    return PackChoice(max(pinned, key=_newest), gpu, "fits")


def _unpinned(gpu: Gpu, driven: Sequence[PackRow], suited: Sequence[PackRow]) -> PackChoice:
    """Say what is missing; a pinned build that only wants a newer driver is worth a hint."""
    later = [row for row in suited if row.pinned]
    if later:
        need = min(row.driver_from for row in later)
        return PackChoice(
            None,
            gpu,
            "driver",
            f"The NVIDIA driver {gpu.driver} is too old for the GPU pack {later[0].name}.",
            f"Install driver {need} or newer, then try again.",
        )
    name = max(driven, key=_newest).name
    return PackChoice(
        None,
        gpu,
        "unpinned",
        f"The GPU pack {name} suits {gpu.name}, but this version of Skein does not list it yet.",
        "Update Skein, or install PyTorch yourself as the README describes.",
    )


def _no_code(gpu: Gpu, capability: tuple[int, int], rows: Sequence[PackRow]) -> PackChoice:
    card = f"{gpu.name} (compute capability {capability[0]}.{capability[1]})"
    if capability < min(row.capability_from for row in rows):
        return PackChoice(None, gpu, "card_old", f"{card} is too old for PyTorch.", _STAYS)
    return PackChoice(
        None, gpu, "card_new", f"{card} is newer than the packs that Skein knows.", "Update Skein."
    )


def _newest(row: PackRow) -> tuple[int, str]:
    return int(re.sub(r"\D", "", row.name) or 0), row.name


def driver_number(driver: str) -> int:
    """Return the first number of a driver's version, 0 when there is none."""
    found = re.match(r"\d+", driver)
    return int(found[0]) if found else 0
