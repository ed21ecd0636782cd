"""The strategy's grammar: what users of the rwkv package write, ours, and what is refused."""

from contextlib import suppress
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UnsupportedStrategy
from engine.strategy import (
    KNOWN_WEIGHTS,
    Stage,
    Strategy,
    in_sixteen_bits,
    refuse_threads,
    refuse_unsupported,
    smaller_on_card,
)

devices = st.sampled_from(["cpu", "mps", "cuda", "cuda:0", "cuda:1", "xpu", "xpu:2"])
plain_stages = st.builds(
    Stage,
    devices,
    st.sampled_from(KNOWN_WEIGHTS),
    st.none() | st.integers(1, 99999),
)


@st.composite
def written(draw):
    stages = draw(st.lists(plain_stages, max_size=5))
    if stages and draw(st.booleans()):
        i = draw(st.integers(0, len(stages) - 1))
        stages[i] = Stage(stages[i].device, stages[i].weights, draw(st.integers(1, 99)), True)
    return Strategy(tuple(stages), draw(st.integers(0, 9999)))


@settings(deadline=None)
@given(written())
def test_what_is_written_is_read_back(strategy):
    assert Strategy.parse(str(strategy)) == strategy


@settings(deadline=None)
@given(written(), st.integers(1, 100))
def test_every_layer_and_the_head_have_one_place(strategy, layers):
    if strategy.is_auto:
        return
    places = strategy.placement(layers)
    assert len(places) == layers + 1
    stages = iter(strategy.stages)
    assert all(run in stages for run, _ in groupby(places)), "the stages' order is kept"


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(UnsupportedStrategy):
        strategy = Strategy.parse(text)
        assert Strategy.parse(str(strategy)) == strategy


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("cuda fp16", "cuda fp16"),
        ("  CUDA  FP16 ", "cuda fp16"),
        ("cpu fp32i8", "cpu fp32i8"),
        ("cuda fp16i8 *20 -> cpu fp32", "cuda fp16i8 *20 -> cpu fp32"),
        ("cuda fp16i8 *20->cpu fp32", "cuda fp16i8 *20 -> cpu fp32"),
        (
            "cuda:0 fp16 *10 -> cuda:1 fp16 *8 -> cpu fp32 *1",
            "cuda:0 fp16 *10 -> cuda:1 fp16 *8 -> cpu fp32 *1",
        ),
        ("cuda fp16 *10+", "cuda fp16 *10+"),
        ("cuda q4 *20 -> cpu q4", "cuda q4 *20 -> cpu q4"),
        ("cpu fp32 @4", "cpu fp32 @4"),
        ("cuda fp16 *9 -> cpu bf16 @ 12", "cuda fp16 *9 -> cpu bf16 @12"),
        ("auto", "auto"),
        ("AUTO @2", "auto @2"),
    ],
)
def test_spellings(text, canonical):
    assert str(Strategy.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cuda",
        "fp16",
        "gpu fp16",
        "dml fp16",
        "cuda half",
        "cuda:x fp16",
        "cpu:1 fp32",
        "cuda fp16 20",
        "cuda fp16 *0",
        "cuda fp16 *",
        "cuda fp16 -> ",
        "-> cpu fp32",
        "cuda fp16 *3 *4",
        "cuda fp16 *3+ -> cuda:1 fp16 *3+",
        "cpu fp32 @0",
        "@4",
        "cpu fp32 @4 -> cuda fp16",
    ],
)
def test_malformed(text):
    with pytest.raises(UnsupportedStrategy, match="is not a strategy") as caught:
        Strategy.parse(text)
    assert "cuda fp16 *20 -> cpu fp32" in caught.value.hint


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "99999", "4.5"])
def test_what_is_no_number_of_threads_is_named(count):
    for before in ("cpu fp32", "auto", ""):
        with pytest.raises(UnsupportedStrategy) as caught:
            Strategy.parse(f"{before} @{count}")
        assert f"“@{count}” is no number of threads" in caught.value.message


def test_more_threads_than_there_are_cannot_be_written():
    refuse_threads(Strategy.parse("cpu fp32 @4"), 4)
    refuse_threads(Strategy.parse("auto"), 4)
    with pytest.raises(UnsupportedStrategy, match="the 4 threads that this computer has"):
        refuse_threads(Strategy.parse("auto @99"), 4)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("cuda fp16", [13]),
        ("cuda fp16 *4 -> cpu fp32", [4, 9]),
        ("cuda fp16 *4 -> cpu fp32 *3", [4, 9]),
        ("cuda fp16 *40 -> cpu fp32", [13, 0]),
        ("cuda:0 fp16 -> cuda:1 fp16", [6, 7]),
        ("cuda:0 fp16 -> cpu fp32 *3 -> cuda:1 fp16", [5, 3, 5]),
        ("cuda fp16 *4+ -> cpu fp32 *2", [11, 2]),
        ("cuda fp16 *4+", [13]),
    ],
)
def test_counts_follow_the_rwkv_package(text, counts):
    strategy = Strategy.parse(text)
    places = strategy.placement(12)
    assert [places.count(stage) for stage in strategy.stages] == counts


def test_auto_places_nothing():
    with pytest.raises(UnsupportedStrategy, match="auto"):
        Strategy.parse("auto").placement(12)


def test_stage_knows_its_kind_and_number():
    assert (Stage("cuda:3", "fp16").kind, Stage("cuda:3", "fp16").index) == ("cuda", 3)
    assert (Stage("cpu", "fp32").kind, Stage("cpu", "fp32").index) == ("cpu", 0)


@pytest.mark.parametrize(
    "text",
    [
        *("auto", "cuda fp16", "cpu fp16", "mps fp16", "xpu:1 bf16 @3", "cpu int8", "cpu q4 @2"),
        *("cuda int8", "cuda:1 q4"),
    ],
)
def test_what_runs_today(text):
    refuse_unsupported(Strategy.parse(text))


@pytest.mark.parametrize(
    ("text", "word"),
    [("xpu int8", "int8"), ("cuda fp16i8 *20 -> cpu fp32", "fp16i8"), ("cuda fp16 *9+", "stream")],
)
def test_what_comes_later_is_refused_with_an_answer(text, word):
    with pytest.raises(UnsupportedStrategy, match=word) as caught:
        refuse_unsupported(Strategy.parse(text))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("cpu int8", "int8"),
        ("cpu fp32 *3 -> cpu fp32", "fp32"),
        ("cpu fp32 *3 -> cpu bf16", ""),
        ("cuda fp16 *3 -> cpu fp16", ""),
        ("cpu fp16 *3+", ""),
        ("auto", ""),
    ],
)
def test_whole_models_on_the_processor_are_for_the_native_engine(text, weights):
    assert Strategy.parse(text).native_weights == weights


@pytest.mark.parametrize(
    ("text", "native", "said"),
    [
        ("cpu q4", False, "not built into this installation"),
        ("cuda fp32 *3 -> cpu int8", True, "whole models"),
        ("cpu int8 *3 -> cuda fp16", True, "whole models"),
        ("cpu int8 *3 -> cpu q4", True, "whole models"),
    ],
)
def test_types_of_the_native_engine_need_it_and_a_whole_model(text, native, said):
    with pytest.raises(UnsupportedStrategy, match=said) as caught:
        refuse_unsupported(Strategy.parse(text), native=native)
    assert "cpu fp16" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("cuda int8", "int8"),
        ("cuda fp16 *3 -> cuda:0 fp16", "fp16"),
        ("cuda fp16 *3 -> cuda:1 fp16", ""),
        ("cuda q4 *3 -> cpu fp16", ""),
        ("cpu int8", ""),
        ("auto", ""),
    ],
)
def test_whole_models_on_one_card_are_for_the_engine_for_cards(text, weights):
    assert Strategy.parse(text).card_weights == weights


@pytest.mark.parametrize(
    ("text", "cuda", "said", "hint"),
    [
        ("cuda q4", False, "brings no compiler", "cuda fp16"),
        ("cuda int8 *3 -> mps fp16", True, "whole models on one card", "cuda int8"),
        ("cuda int8 *3 -> cuda q4 *3 -> cpu q4", True, "whole models on one card", "cuda int8"),
        ("cuda:0 int8 *3 -> cuda:1 int8", True, "whole models on one card", "cuda:0 int8"),
    ],
)
def test_types_of_the_engine_for_cards_need_it_and_a_whole_model(text, cuda, said, hint):
    with pytest.raises(UnsupportedStrategy, match=said) as caught:
        refuse_unsupported(Strategy.parse(text), cuda=cuda)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("cuda int8 *3 -> cpu int8", ("int8", "int8")),
        ("cuda:1 q4 *3 -> cpu fp16 @4", ("q4", "fp16")),
        ("cuda fp16 *3 -> cpu int8", ("fp16", "int8")),
        ("cuda fp16 *3 -> cpu fp16", ("", "")),  # torch's
        ("cuda fp32 *3 -> cpu int8", ("", "")),
        ("cuda int8 *3+ -> cpu int8", ("", "")),
        ("cpu int8 *3 -> cuda int8", ("", "")),
        ("cuda int8", ("", "")),
        ("auto", ("", "")),
    ],
)
def test_a_card_and_the_processor_share_in_types_of_our_own(text, weights):
    strategy = Strategy.parse(text)
    assert strategy.shared_weights == weights
    if any(weights):
        refuse_unsupported(strategy)


@pytest.mark.parametrize(
    ("native", "cuda", "lacking"),
    [(False, True, "for processors"), (True, False, "for NVIDIA cards")],
)
def test_what_is_shared_needs_both_engines(native, cuda, lacking):
    strategy = Strategy.parse("cuda int8 *3 -> cpu int8")
    with pytest.raises(UnsupportedStrategy, match=lacking) as caught:
        refuse_unsupported(strategy, native=native, cuda=cuda)
    assert "auto" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "torchs", "smaller"),
    [
        ("cuda int8 *20 -> cpu int8", "cuda fp16 *10 -> cpu fp16", "cuda int8 *15 -> cpu int8"),
        ("cuda q4 *3 -> cpu bf16 @2", "cuda fp16 *1 -> cpu bf16 @2", "cuda q4 *2 -> cpu bf16"),
        ("cuda fp16 *1 -> cpu q4", "cuda fp16 *1 -> cpu fp16", ""),
    ],
)
def test_what_is_shared_can_be_less(text, torchs, smaller):
    strategy = Strategy.parse(text)
    assert str(in_sixteen_bits(strategy)) == torchs
    assert smaller_on_card(strategy) == smaller
