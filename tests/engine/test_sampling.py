from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.sampling import Sampler, SamplerState, SamplingParams, uncounted_ids
from engine.tokenizer import WorldTokenizer

FREE = SamplingParams(top_p=1.0, presence_penalty=0, frequency_penalty=0, penalty_decay=1.0, seed=1)


def reference(
    logits: np.ndarray, params: SamplingParams, counts: dict[int, float], random: float
) -> tuple[int, set[int]]:
    """The order of the rwkv package with a plain full sort: the token drawn, those possible."""
    logits = logits.astype(np.float32).copy()
    for token, amount in params.bias:
        logits[token] += np.float32(amount)
    for token, count in counts.items():
        logits[token] -= np.float32(params.presence_penalty) + np.float32(count) * np.float32(
            params.frequency_penalty
        )
    logits[list(params.banned)] = -np.inf
    best = int(logits.argmax())
    if params.temperature == 0 or params.top_p == 0:
        return best, {best}
    weights = np.exp(logits - logits[best]).astype(np.float64)
    order = np.argsort(-weights, kind="stable")
    keep = np.ones(len(weights), bool)
    reached = np.flatnonzero(weights[order].cumsum() >= params.top_p * weights.sum())
    if params.top_p < 1 and len(reached):
        keep &= weights >= weights[order[reached[0]]]
    keep &= weights >= params.min_p
    if params.top_k:
        keep[order[params.top_k :]] = False
    chances = np.where(keep, weights ** (1 / params.temperature), 0)
    cumulative = chances.cumsum()
    token = int(cumulative.searchsorted(random * cumulative[-1], side="right"))
    return token, set(np.flatnonzero(chances).tolist())


def noise(size: int, seed: int, scale: float = 3.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(size) * scale).astype(np.float32)


@given(
    logits=st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, -4.0, 0.5, -20.0, 2.25]), min_size=6),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_p=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999, 1.0]),
    top_k=st.integers(0, 8),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    presence=st.sampled_from([0.0, 0.7]),
    frequency=st.sampled_from([0.0, 0.3]),
    decay=st.sampled_from([1.0, 0.9]),
)
def test_small_vocabularies_with_many_ties(
    logits, temperature, top_p, top_k, min_p, presence, frequency, decay
):
    params = SamplingParams(
        temperature, top_p, top_k, min_p, presence, frequency, decay, 7, bias=((1, 1.5),),
        banned=(2,),
    )  # fmt: skip
    check_against_reference(np.array(logits, np.float32), params, draws=6)


@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0, 3.0, 8.0])
@pytest.mark.parametrize(
    "params",
    [
        FREE,
        replace(FREE, top_p=0.5),
        replace(FREE, top_p=0.97, temperature=0.7),
        replace(FREE, top_k=32, temperature=1.3),
        replace(FREE, top_k=40_000),
        replace(FREE, top_p=0.8, top_k=300, min_p=0.001),
        replace(FREE, min_p=0.1),
        SamplingParams(seed=3),
    ],
)
def test_a_whole_vocabulary(scale, params):
    check_against_reference(noise(65536, 5, scale), params, draws=3)


def check_against_reference(logits: np.ndarray, params: SamplingParams, draws: int) -> None:
    sampler = Sampler(params, len(logits))
    randoms = np.random.Generator(np.random.PCG64(params.seed))
    counts: dict[int, float] = {}
    before = logits.copy()
    greedy = params.temperature == 0 or params.top_p == 0
    for _ in range(draws):
        random = 0.0 if greedy else randoms.random()
        token, possible = reference(logits, params, counts, random)
        drawn = sampler.sample(logits)
        assert drawn in possible
        assert drawn == token
        decay = np.float32(params.penalty_decay)
        counts = {old: float(np.float32(count) * decay) for old, count in counts.items()}
        counts[token] = float(np.float32(counts.get(token, 0)) + np.float32(1))
        assert sampler.counts == pytest.approx(counts)
    assert np.array_equal(logits, before)


def test_frequencies_follow_the_probabilities():
    probabilities = np.array([0.5, 0.25, 0.125, 0.125])
    sampler = Sampler(FREE, 4)
    logits = np.log(probabilities).astype(np.float32)
    drawn = [sampler.sample(logits) for _ in range(4000)]
    assert np.bincount(drawn) / 4000 == pytest.approx(probabilities, abs=0.03)


def test_the_cut_keeps_ties_and_the_first_of_equals():
    logits = np.log(np.array([0.1, 0.3, 0.3, 0.3], np.float32))

    def seen(**changes) -> set[int]:
        sampler = Sampler(replace(FREE, **changes), 4)
        return {sampler.sample(logits) for _ in range(200)}

    assert seen(top_p=0.2) == {1, 2, 3}  # top-p keeps all that are equal at the cut
    assert seen(top_k=2) == {1, 2}  # top-k keeps exactly k
    assert seen(temperature=0.0) == seen(top_p=0.0) == seen(top_k=1) == {1}
    assert seen(min_p=0.5) == {1, 2, 3}
    assert seen(min_p=0.3) == {0, 1, 2, 3}


def test_the_same_seed_draws_the_same_and_no_seed_does_not():
    logits = noise(1000, 1, 0.1)

    def draw(seed: int | None) -> list[int]:
        sampler = Sampler(replace(FREE, seed=seed), 1000)
        return [sampler.sample(logits) for _ in range(20)]

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)
    assert draw(None) != draw(None)


def test_masked_tokens_never_come():
    logits = np.zeros(16, np.float32)
    logits[[14, 15]] = 50
    sampler = Sampler(replace(FREE, banned=(0, 1)), 16, unused=range(14, 16))
    assert {sampler.sample(logits) for _ in range(300)} == set(range(2, 14))


def test_bias_pulls_and_pushes():
    sampler = Sampler(replace(FREE, bias=((3, 100.0), (3, 100.0), (4, -100.0))), 8)
    assert {sampler.sample(np.zeros(8, np.float32)) for _ in range(20)} == {3}


def test_penalties_count_what_was_generated():
    params = SamplingParams(
        temperature=0, presence_penalty=1, frequency_penalty=0.5, penalty_decay=0.5
    )
    sampler = Sampler(params, 4, uncounted={2})
    assert sampler.sample(np.array([3, 0, 0, 0], np.float32)) == 0
    assert sampler.counts == {0: 1.0}
    # 3 - (1 + 0.5) = 1.5
    assert sampler.sample(np.array([3, 1.4, 0, 0], np.float32)) == 0
    assert sampler.counts == {0: 1.5}
    assert sampler.sample(np.array([3, 0, 1.3, 0], np.float32)) == 2
    assert sampler.counts == {0: 0.75, 2: 0.0}
    # an uncounted token still gets the presence penalty
    assert sampler.sample(np.array([0, 0.5, 1.4, 0], np.float32)) == 1
    sampler.accept(3)
    assert list(sampler.counts) == [0, 2, 1, 3]


def test_a_saved_sampler_goes_on_bit_identically():
    params = SamplingParams(temperature=1.2, top_p=0.9, seed=11)
    first = Sampler(params, 300, uncounted={4})
    for step in range(200):
        first.sample(noise(300, step, 1))
    saved = first.save()
    assert saved.ids.dtype == np.int64
    assert saved.counts.dtype == np.float32
    second = Sampler(replace(params, seed=99), 300, uncounted={4})
    second.restore(saved)
    ahead = [first.sample(noise(300, step, 1)) for step in range(300)]
    assert [second.sample(noise(300, step, 1)) for step in range(300)] == ahead
    assert second.counts == first.counts
    # the saved state is a copy: it still leads to the same tokens
    second.restore(saved)
    assert [second.sample(noise(300, step, 1)) for step in range(300)] == ahead


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": np.array([1, 1])},
        {"ids": np.array([1])},
        {"ids": np.array([1, 999])},
        {"rng_json": "{}"},
        {"rng_json": "x"},
    ],
)
def test_a_damaged_state_is_refused(changes):
    sampler = Sampler(FREE, 10)
    sampler.sample(np.zeros(10, np.float32))
    good = SamplerState(np.array([1, 2]), np.array([1, 2], np.float32), sampler.save().rng_json)
    with pytest.raises(EngineError):
        sampler.restore(replace(good, **changes))
    sampler.restore(good)
    assert sampler.counts == {1: 1.0, 2: 2.0}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_no_numbers(value):
    logits = np.zeros(10, np.float32)
    logits[3] = value
    with pytest.raises(EngineError, match="not finite"):
        Sampler(FREE, 10).sample(logits)


def test_nothing_left():
    with pytest.raises(EngineError, match="No token is left"):
        Sampler(replace(FREE, banned=tuple(range(10))), 10).sample(np.zeros(10, np.float32))
    with pytest.raises(EngineError, match="Token 10 does not exist"):
        Sampler(replace(FREE, banned=(10,)), 10)
    logits = np.full(10, -np.inf, np.float32)
    logits[6] = 0
    assert Sampler(FREE, 10).sample(logits) == 6
    with pytest.raises(ValueError, match="shape"):
        Sampler(FREE, 11).sample(logits)


@pytest.mark.parametrize("temperature", [1e-30, 1e-3, 10.0])
def test_extreme_temperatures_and_logits(temperature):
    logits = np.array([-3e38, 0, 3e38, -1e4], np.float32)
    assert Sampler(replace(FREE, temperature=temperature), 4).sample(logits) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 1.1},
        {"top_k": -1},
        {"top_k": 2.5},
        {"min_p": -1},
        {"presence_penalty": float("inf")},
        {"frequency_penalty": 11},
        {"penalty_decay": 1.01},
        {"seed": -1},
        {"max_tokens": -5},
        {"stop": ("",)},
        {"banned": (-1,)},
        {"bias": ((0, float("inf")),)},
        {"temperature": "warm"},
    ],
)
def test_values_out_of_range_are_named(changes):
    with pytest.raises(EngineError) as failure:
        replace(FREE, **changes).validated()
    assert failure.value.hint


def test_the_defaults_are_valid():
    assert SamplingParams().validated() == SamplingParams()


def test_uncounted_ids():
    world = WorldTokenizer.load()
    texts = {world.decode([token]) for token in uncounted_ids(world)}
    # all that the rwkv package leaves out: tokens that are a part of this text
    parts = {world.decode([token]) for token in range(1, 65530)}
    assert texts == {part for part in parts if part in " \t0123456789"}
    assert {" ", "\t", "0", "7", "12"} <= texts
    assert "00" not in texts


def test_a_number_that_was_seen_is_the_next_one_and_not_used_up():
    params = SamplingParams(seed=11)
    plain, seen = Sampler(params, 50), Sampler(params, 50)
    logits = np.random.default_rng(1).normal(size=50).astype(np.float32)
    before, number, token = plain.save(), 0.0, 0
    for _ in range(5):
        before = plain.save()
        number = seen.peek()
        assert seen.peek() == number
        assert seen.save().rng_json == before.rng_json, "saved, it was not seen"
        token = plain.sample(logits)
        seen.replay(token)
        assert seen.counts == plain.counts
    seen.peek()
    seen.restore(before)
    assert seen.peek() == number
    assert seen.sample(logits) == token


@pytest.mark.parametrize("peeks", [False, True])
def test_a_moment_that_was_marked_can_be_saved_later(peeks: bool):
    sampler = Sampler(SamplingParams(temperature=1.0, top_p=1.0, seed=5), 50)
    logits = np.random.default_rng(1).normal(size=50).astype(np.float32)
    for _ in range(5):
        sampler.sample(logits)
    mark, expected = sampler.mark(), sampler.save()
    for _ in range(3):
        sampler.sample(logits)
    if peeks:
        sampler.peek()
    found = sampler.saved(mark)
    assert found.rng_json == expected.rng_json
    assert np.array_equal(found.ids, expected.ids)
    assert np.array_equal(found.counts, expected.counts)
