"""The native draw falls on the token that numpy's falls on, for the same random number."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.sampling import Sampler, SamplingParams
from kernels.cpu.library import Library, NativeError, sample

FREE = SamplingParams(top_p=1.0, presence_penalty=0, frequency_penalty=0, penalty_decay=1.0, seed=1)
SETTINGS = [
    FREE,
    replace(FREE, temperature=0),
    replace(FREE, top_p=0.5),
    replace(FREE, top_p=0.97, temperature=0.7),
    replace(FREE, top_p=0.9999, temperature=5.0),
    replace(FREE, top_k=32, temperature=1.3),
    replace(FREE, top_k=40_000),
    replace(FREE, top_p=0.8, top_k=300, min_p=0.001),
    replace(FREE, min_p=0.1),
    SamplingParams(seed=3, presence_penalty=0.4, frequency_penalty=0.4),
]


def draws(params: SamplingParams, logits: np.ndarray, count: int, *, native: bool) -> list[int]:
    sampler = Sampler(params, len(logits), native=native)
    return [sampler.sample(logits) for _ in range(count)]


def native_draw(library: Library, logits: np.ndarray, **settings: float) -> int:
    scratch = np.empty_like(logits)
    asked = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "top_k": 0, "random": 0.5} | settings
    return sample(library, logits.ctypes.data, len(logits), scratch=scratch.ctypes.data, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("params", SETTINGS)
@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("size", [7, 300, 65536])
def test_the_same_choices(params: SamplingParams, scale: float, size: int) -> None:
    logits = (np.random.default_rng(size).standard_normal(size) * scale).astype(np.float32)
    if size == 300:
        logits = logits.round(1)
        logits[::3] = -np.inf
    assert draws(params, logits, 8, native=True) == draws(params, logits, 8, native=False)


@given(
    logits=st.lists(st.sampled_from([0.0, 1.0, 2.0, -4.0, 0.5, -20.0, -150.0]), min_size=1),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    top_k=st.integers(0, 8),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
def test_the_same_choices_among_many_equals(
    logits: list[float], temperature: float, top_p: float, top_k: int, min_p: float
) -> None:
    params = replace(
        FREE, temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p, seed=len(logits)
    )
    array = np.array(logits, np.float32)
    assert draws(params, array, 6, native=True) == draws(params, array, 6, native=False)


def test_every_token_is_drawn_as_often_as_it_should(library: Library) -> None:
    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    places = [native_draw(library, logits, random=(i + 0.5) / 1000) for i in range(1000)]
    assert np.bincount(places).tolist() == pytest.approx([100, 200, 300, 400], abs=1)


def test_logits_are_left_as_they_are_and_the_best_wins_at_no_heat(library: Library) -> None:
    logits = np.array([1, 5, 5, 2], np.float32)
    before = logits.copy()
    assert native_draw(library, logits, temperature=0.0) == 1
    assert native_draw(library, logits, top_k=1, random=0.999) == 1
    assert (logits == before).all()


@pytest.mark.parametrize("shape", ["a few stand out", "all alike", "long tail", "whole numbers"])
@pytest.mark.parametrize("size", [511, 513, 50_277])
@pytest.mark.parametrize(
    ("top_p", "top_k"), [(0.3, 0), (0.9, 0), (0.999, 0), (1.0, 40), (0.9, 700)]
)
def test_the_same_choices_wherever_the_cut_lies(
    shape: str, size: int, top_p: float, top_k: int
) -> None:
    rng = np.random.default_rng(size)
    logits = {
        "a few stand out": rng.standard_normal(size) * 2 + 12 * (rng.random(size) > 0.999),
        "all alike": rng.standard_normal(size) * 0.5,
        "long tail": np.log(rng.pareto(1.1, size)),
        "whole numbers": rng.integers(-9, 9, size).astype(float),
    }[shape].astype(np.float32)
    params = replace(FREE, top_p=top_p, top_k=top_k, temperature=0.9)
    assert draws(params, logits, 4, native=True) == draws(params, logits, 4, native=False)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("wrong", [np.nan, -np.float32(np.nan), np.inf])
def test_numbers_that_are_none_are_told_as_such(wrong: float, native: bool) -> None:
    logits = np.zeros(700, np.float32)
    logits[650] = wrong
    with pytest.raises(EngineError, match="not finite"):
        Sampler(FREE, 700, native=native).sample(logits)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(library: Library, wrong: float) -> None:
    logits = np.zeros(700, np.float32)
    logits[650] = wrong
    with pytest.raises(NativeError, match="not finite"):
        native_draw(library, logits)


def test_nothing_left_is_told_as_ever() -> None:
    sampler = Sampler(FREE, 4)
    with pytest.raises(EngineError, match="all are banned"):
        sampler.sample(np.full(4, -np.inf, np.float32))
