"""Progress as a line, and the meter of its speed."""

import dataclasses
import math

import pytest

from engine.training.progress import Meter, TrainProgress, clock

PROGRESS = TrainProgress(
    step=20,
    steps=150,
    phase=1,
    phases=2,
    loss=math.log(20),
    learning_rate=8e-3,
    gradient_norm=0.5,
    tokens=1_234_567,
    tokens_per_second=98765.4,
    seconds=12,
    seconds_left=125,
)


def test_the_line():
    assert PROGRESS.line() == (
        "step 20/150  phase 1/2  loss 2.9957  perplexity 20.00  lr 8.00e-03  norm 0.50  "
        "98,765 tokens/s  1.2 M tokens  2:05 left"
    )
    timed = dataclasses.replace(PROGRESS, steps=0, seconds_left=math.nan, skipped=3)
    assert timed.line().startswith("step 20  phase")
    assert timed.line().endswith("-- left  3 skipped")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (3723, "1:02:03"), (math.inf, "--")]
)
def test_the_clock(seconds: float, shown: str):
    assert clock(seconds) == shown


def test_the_meter_leaves_out_pauses():
    meter = Meter(seconds=100, tokens=0)
    assert meter.look(110, 1000) == 100
    meter.pause(150)
    assert meter.look(160, 3000) == 150
    assert meter.look(160, 3000) == 150
