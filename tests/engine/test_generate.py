"""Writing: whatever ends a reply, state, tokens and shown text say the same."""

from dataclasses import replace

import pytest
import torch

from engine.generate import Generation
from engine.model import Model
from engine.sampling import Sampler, SamplingParams

GREEDY = SamplingParams(temperature=0, presence_penalty=0.5, frequency_penalty=0.1)
PROMPT = "Once upon a time"


def begin(model: Model, stops: tuple[str, ...] = (), limit: int = 30) -> Generation:
    state = model.backend.new_state()
    logits = model.backend.forward(model.tokenizer.encode(PROMPT), state)
    sampler = Sampler(GREEDY, model.info.shape.vocab, model.unused, model.uncounted)
    return Generation(
        model.backend,
        model.tokenizer,
        sampler,
        state,
        logits,
        stops=stops,
        max_tokens=limit,
    )


def finish(generation: Generation) -> str:
    return "".join(token.text for token in generation.run(lambda: False))


def require_agreement(model: Model, generation: Generation) -> None:
    """The state is the one of a model that read the prompt and the shown text's tokens."""
    assert model.tokenizer.decode(generation.tokens) == generation.text
    state = model.backend.new_state()
    logits = model.backend.forward(model.tokenizer.encode(PROMPT), state)
    for token in generation.tokens:
        logits = model.backend.forward([token], state)
    assert torch.equal(state.wkv, generation.state.wkv)
    assert torch.equal(logits, generation.logits)
    assert state.tokens_read == generation.state.tokens_read


@pytest.fixture(scope="module")
def whole(tiny_model: Model) -> str:
    return finish(begin(tiny_model))


def test_the_limit_ends_it(tiny_model: Model, whole: str) -> None:
    generation = begin(tiny_model, limit=7)
    shown = finish(generation)
    assert generation.reason == "length"
    assert len(generation.tokens) <= 7
    assert whole.startswith(shown)
    require_agreement(tiny_model, generation)


@pytest.mark.parametrize("start", [2, 11, 24, 37, 50])
@pytest.mark.parametrize("length", [1, 3, 9])
def test_a_stop_string_is_never_shown_nor_read(
    tiny_model: Model, whole: str, start: int, length: int
) -> None:
    stop = whole[start : start + length]
    generation = begin(tiny_model, stops=(stop,))
    assert finish(generation) == whole[: whole.index(stop)] == generation.text
    assert generation.reason == "stop"
    require_agreement(tiny_model, generation)


def test_half_a_stop_string_at_the_end_is_shown_after_all(tiny_model: Model, whole: str) -> None:
    generation = begin(tiny_model, stops=(whole[-3:] + "and never this",))
    assert finish(generation) == whole
    require_agreement(tiny_model, generation)


def test_stopping_by_hand(tiny_model: Model, whole: str) -> None:
    generation = begin(tiny_model)
    tokens = list(generation.run(lambda: len(generation.tokens) >= 4))
    assert generation.reason == "cancelled"
    assert len(tokens) >= 4
    assert whole.startswith(generation.text)
    require_agreement(tiny_model, generation)


def test_a_stop_token_ends_it_unread(tiny_model: Model) -> None:
    first = begin(tiny_model, limit=6)
    finish(first)
    stop = first.tokens[3]
    generation = begin(tiny_model)
    generation._stop_tokens = frozenset({stop})
    finish(generation)
    assert generation.reason == "stop"
    assert stop not in generation.tokens
    require_agreement(tiny_model, generation)


def test_a_stop_inside_the_half_of_another_is_not_read_either(
    tiny_model: Model, whole: str
) -> None:
    """The limit comes while "abc" may still become "abcX": then "b", a stop itself, is one."""
    long, short = whole[-3:] + "and never this", whole[-2:]
    assert whole.index(short) == len(whole) - 2
    generation = begin(tiny_model, stops=(long, short))
    assert finish(generation) == whole[:-2] == generation.text
    require_agreement(tiny_model, generation)


def test_after_a_stop_other_random_numbers_come(tiny_model: Model, whole: str) -> None:
    """Else a reply that is continued would draw the same stop for ever."""
    generation = begin(tiny_model, stops=(whole[20:24],))
    generation.sampler.restore(Sampler(replace(GREEDY, seed=3), 65536).save())
    generation.sampler.params = replace(GREEDY, temperature=1e-5)
    finish(generation)
    assert generation.reason == "stop"
    drawn = Sampler(replace(GREEDY, seed=3, temperature=1e-5), 65536)
    for token in generation.tokens:
        drawn.replay(token)
    assert generation.sampler.save().rng_json != drawn.save().rng_json
