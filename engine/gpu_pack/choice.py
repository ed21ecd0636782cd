"""Which pack suits a computer, or why none does. Knows facts about both; asks nobody."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.gpu_pack.table import SYSTEMS, PackRow
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


@dataclass(frozen=True, slots=True)
class PackChoice:
    """The pack to fetch, or None and why. ``reason`` and ``hint`` are sentences in English.

    gpu: the card that was looked at, the best of several; None without one.
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
    raise NotImplementedError


def this_system() -> str:
    """Return the target that runs, such as linux-x86_64."""
    raise NotImplementedError


def this_python() -> str:
    """Return the tag of the Python that runs, such as cp311."""
    return f"cp{sys.version_info[0]}{sys.version_info[1]}"
