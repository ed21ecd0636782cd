"""The rule that stops a run: spikes, and what is not finite."""

import math

import pytest

from engine.training.watch import TrainingStopped, Watch


def look(watch: Watch, *losses: float) -> None:
    watch.look(1, [(loss, 1.0) for loss in losses])


def test_a_fall_and_noise_are_no_spike():
    watch = Watch(spike=1.0, skip_limit=0)
    look(watch, *(8 - 0.1 * step + (step % 3) for step in range(60)), 4.0, 3.0, 4.0)
    assert watch.memory.seen == 63


def test_a_spike_stops_with_its_step():
    watch = Watch(spike=1.0, skip_limit=0)
    with pytest.raises(TrainingStopped, match=r"step 2[12].* from about 3\.\d\d to [45]"):
        look(watch, *[3.0] * 20, 9.0, 9.0, 9.0)


def test_one_bad_batch_is_no_spike_and_none_is_looked_for():
    look(Watch(spike=2.0, skip_limit=0), *[3.0] * 20, 9.0, 3.0, 3.0)
    look(Watch(spike=0, skip_limit=0), *[3.0] * 20, 90.0, 90.0)


def test_what_may_become_a_spike_is_not_calm():
    watch = Watch(spike=2.0, skip_limit=0)
    assert watch.calm
    look(watch, *[3.0] * 20)
    assert watch.calm
    look(watch, 9.0, 4.5)
    assert not watch.calm
    look(watch, *[3.0] * 5)
    assert watch.calm


@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.inf)])
def test_what_is_not_finite(bad: tuple[float, float]):
    watch = Watch(spike=1.0, skip_limit=2)
    watch.look(1, [(1.0, 1.0), bad, bad])
    assert watch.memory.skipped == 2
    assert watch.memory.many == 1.0
    with pytest.raises(TrainingStopped, match=r"step 4: .* not a finite"):
        watch.look(4, [bad])
