"""Sampling that follows the model, and sampling that somebody chose."""

from dataclasses import replace

from app.chat.presets import CREATIVE, adapted, apply_preset
from engine.sampling_params import SamplingParams
from engine.templates import load_templates

TEMPLATES = load_templates()
WORLD, GOSLING = TEMPLATES["world"], TEMPLATES["gosling"]


def test_another_models_advice_becomes_this_models():
    there = adapted(WORLD.sampling("off"), "off", GOSLING, TEMPLATES.values())
    assert there == GOSLING.sampling("off")
    assert there.presence_penalty == 0
    back = adapted(there, "off", WORLD, TEMPLATES.values())
    assert back == WORLD.sampling("off")


def test_a_chat_that_was_never_touched_follows_too():
    assert adapted(SamplingParams(), "off", GOSLING, TEMPLATES.values()) == GOSLING.sampling("off")


def test_a_mode_that_the_model_lacks_takes_its_plainest():
    fast = WORLD.sampling("fast")
    assert adapted(fast, "fast", GOSLING, TEMPLATES.values()) == GOSLING.sampling("off")


def test_what_was_chosen_stays():
    for chosen in (
        SamplingParams(temperature=0.7),
        apply_preset(CREATIVE, SamplingParams(), SamplingParams()),
    ):
        assert adapted(chosen, "off", GOSLING, TEMPLATES.values()) == chosen


def test_seed_and_limits_are_not_the_models_business():
    own = replace(WORLD.sampling("think"), seed=5, max_tokens=100, stop=("x",))
    there = adapted(own, "think", GOSLING, TEMPLATES.values())
    assert there == replace(GOSLING.sampling("think"), seed=5, max_tokens=100, stop=("x",))
