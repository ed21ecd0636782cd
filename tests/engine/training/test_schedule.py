"""The learning rate and the phases: by steps, and by the clock."""

import math
from pathlib import Path

import pytest

from engine.training.schedule import Position, Schedule
from tests.engine.training.small_run import small_config, with_phases


def test_a_cosine_with_a_warm_up(tmp_path: Path):
    schedule = Schedule(small_config(tmp_path, warmup_steps=10))
    rates = [schedule.learning_rate(Position(step=step)) for step in range(41)]
    assert rates[0] == pytest.approx(3e-3 * 0.01)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[20] == pytest.approx((3e-3 + 3e-4) / 2)
    assert rates[40] == pytest.approx(3e-4)


def test_phases_by_steps(tmp_path: Path):
    config = small_config(tmp_path)
    schedule = Schedule(with_phases(config, {}, {"learning_rate": 6e-3}))
    assert not schedule.is_over(Position(step=29, phase_step=29))
    assert schedule.is_over(Position(step=30, phase_step=30))
    second = Position(step=40, phase=1, phase_step=10)
    assert schedule.is_over(second)
    assert schedule.learning_rate(second) == pytest.approx(6e-4)
    assert schedule.phase(second.next_phase()) is None
    assert schedule.seconds_left(Position(step=30, phase=1), 64.0) == 10.0
    assert math.isnan(schedule.seconds_left(Position(), 0.0))


def test_a_budget_of_seconds(tmp_path: Path):
    config = small_config(tmp_path, shares=True, budget_seconds=80, warmup_steps=0)
    schedule = Schedule(with_phases(config, {"share": 3}, {}))
    assert not schedule.is_over(Position(step=1000, seconds=59))
    assert schedule.is_over(Position(seconds=60))
    assert not schedule.is_over(Position(phase=1, seconds=79))
    assert schedule.is_over(Position(phase=1, seconds=80))
    assert schedule.learning_rate(Position(seconds=40)) == pytest.approx((3e-3 + 3e-4) / 2)
    assert schedule.learning_rate(Position(phase=1, seconds=99)) == pytest.approx(3e-4)
    assert schedule.seconds_left(Position(seconds=30), 1.0) == 50
