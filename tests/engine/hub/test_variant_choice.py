"""Which file of a model is preselected, and the reason that is given."""

import pytest

from engine.hub.remote_model import describe, group
from engine.hub.variant_choice import choose_variant
from engine.plan import choose
from engine.strategy import Strategy
from tests.app.models_kit import LAPTOP

PTH = "rwkv7-g1d-1.5b-20260212-ctx8192.pth"
Q8 = "rwkv7-g1d-1.5b-Q8_0.gguf"
Q4 = "rwkv7-g1d-1.5b-Q4_K_M.gguf"
F16 = "rwkv7-g1d-1.5b-F16.gguf"
OLD = "rwkv7-g1c-1.5b-20251201-ctx8192.pth"
FOLDER = ""


def chosen(names, strategy):
    models = [describe("maker/RWKV7-G1d-1.5B-HF", name, size_bytes=3_000_000_000) for name in names]
    (family,) = group(models)
    shape = models[0].shape
    assert shape is not None
    found = choose_variant(family.variants, choose(shape, LAPTOP, Strategy.parse(strategy)))
    return found.model.file, found.reason


@pytest.mark.parametrize(
    ("names", "strategy", "file", "reason"),
    [
        ((PTH, Q8, Q4, FOLDER), "cpu bf16", PTH, "whole"),
        ((PTH, Q8, Q4, FOLDER), "cpu int8", Q8, "eight_bits"),
        ((Q4, F16, FOLDER), "cpu int8", F16, "whole"),
        ((Q4, FOLDER), "cpu fp32", FOLDER, "whole"),
        ((Q4, "rwkv7-g1d-1.5b-Q6_K.gguf"), "cpu fp32", "rwkv7-g1d-1.5b-Q6_K.gguf", "fewer_bits"),
        ((OLD, PTH), "cpu int8", PTH, ""),
        ((OLD, Q4), "cpu int8", Q4, ""),
        ((OLD, "rwkv7-g1c-1.5b-Q8_0.gguf", PTH), "cpu int8", PTH, ""),
    ],
)
def test_the_one_for_this_machine(names, strategy, file, reason):
    assert chosen(names, strategy) == (file, reason)


def test_without_a_plan_nothing_is_rounded():
    models = [describe("maker/x", name) for name in (Q8, PTH)]
    (family,) = group(models)
    assert choose_variant(family.variants, None).model.file == PTH
