"""Which pack suits which card, driver, system, Python and PyTorch, and what is said else."""

from dataclasses import replace

import pytest

from engine.gpu_pack.choice import (
    PackChoice,
    best_card,
    choose_pack,
    driver_number,
    this_python,
    this_system,
)
from engine.gpu_pack.table import PackRow, Wheel
from engine.hardware.facts import Gpu, Hardware

WHEEL = Wheel("torch", "2.13.0", "torch-2.13.0-cp311-cp311-linux_x86_64.whl", 1, "0" * 64)


def row(name: str, low: tuple[int, int], high: tuple[int, int], driver: int, **more) -> PackRow:
    values = {"wheels": (WHEEL,), "system": "linux-x86_64", "python": "cp311", "torch": "2.13.0"}
    return PackRow(
        name=name, capability_from=low, capability_to=high, driver_from=driver,
        installed_bytes=1, **(values | more),
    )  # fmt: skip


ROWS = (
    row("cu126", (5, 0), (9, 0), 525),
    row("cu128", (7, 5), (12, 0), 525),
    row("cu130", (7, 5), (12, 0), 580),
)
UNPINNED = row("cu128", (7, 5), (12, 0), 525, wheels=())


def card(capability: tuple[int, int] | None, driver: str = "580.1", **more) -> Gpu:
    values = {"name": "RTX", "vram_total": 8, "vram_free": 8, "kind": "cuda", "index": 0}
    values |= {"usable": False, "why_not": "no"}
    return Gpu(**(values | more), driver=driver, capability=capability, bandwidth=None)


def choose(*gpus: Gpu, rows=ROWS, build: str = "2.13.0+cpu", system: str = "linux-x86_64"):
    hardware = Hardware("Linux", "cpu", 2, 2, (), 1, 1, None, gpus, build)
    return choose_pack(hardware, rows, system, "cp311")


@pytest.mark.parametrize(
    ("capability", "driver", "name"),
    [
        ((6, 1), "580.95", "cu126"),  # GTX 10
        ((7, 0), "535.1", "cu126"),  # V100
        ((7, 5), "535.1", "cu128"),
        ((8, 6), "580.95.05", "cu130"),
        ((8, 9), "572.16", "cu128"),
        ((12, 0), "572.16", "cu128"),  # RTX 50 with an older driver
        ((12, 0), "591", "cu130"),
        ((12, 1), "591", "cu130"),  # a later member of the newest generation
        (None, "591", "cu130"),  # the driver does not tell
    ],
)
def test_what_suits(capability: tuple[int, int] | None, driver: str, name: str):
    choice = choose(card(capability, driver))
    assert choice.verdict == "fits"
    assert choice.row is not None
    assert choice.row.name == name


@pytest.mark.parametrize(
    ("choice", "verdict"),
    [
        (choose(), "no_card"),
        (choose(card((8, 6), "", kind="xpu")), "no_card"),
        (choose(card((8, 6), usable=True), build="2.13.0+cu130"), "has_cuda"),
        (choose(card((8, 6), "470.1"), build="2.13.0+cu130"), "driver"),
        (choose(card((8, 6)), system="macos-arm64"), "system"),
        (choose(card((8, 6)), build="2.12.1+cpu"), "version"),
        (choose(card((3, 5))), "card_old"),
        (choose(card((13, 0))), "card_new"),
        (choose(card((8, 6), "470.1")), "driver"),
        (choose(card((8, 6), "525.1"), rows=(UNPINNED,)), "unpinned"),
    ],
)  # fmt: skip
def test_why_nothing_suits(choice: PackChoice, verdict: str):
    assert choice.verdict == verdict
    assert choice.row is None
    assert choice.reason.endswith(".")
    assert choice.hint.endswith(".") or verdict == "has_cuda"


def test_a_driver_that_would_do_is_named():
    unpinned = [replace(r, wheels=()) if r.name != "cu130" else r for r in ROWS]
    choice = choose(card((8, 6), "535.1"), rows=unpinned)
    assert choice.verdict == "driver"
    assert "580" in choice.hint
    assert "525" in choose(card((8, 6), "470.1")).hint


def test_a_pack_that_an_older_driver_left_behind():
    """It runs with cu130, and the driver became older since: cu128 would do."""
    choice = choose(card((8, 6), "535.1"), build="2.13.0+cu130")
    assert choice.row == ROWS[1]


def test_of_several_cards_the_largest_counts():
    small, large = card((6, 1), name="small"), card((8, 6), name="large", vram_total=99)
    hardware = Hardware("L", "cpu", 2, 2, (), 1, 1, None, (small, large), "2.13.0+cpu")
    assert best_card(hardware) == large
    assert choose(small, large).gpu == large


def test_what_runs_this():
    assert this_python().startswith("cp3")
    assert this_system().count("-") == 1
    assert driver_number("580.95.05") == 580
    assert driver_number("") == 0
