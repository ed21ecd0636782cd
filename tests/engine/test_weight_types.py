"""Fewer bits do not change what the built-in model says: 24 chats of 64 tokens, word for word."""

import pytest

from engine.built_in import require_built_in
from tests.benchmarks.weight_types import Comparison

CHATS, TOKENS, DOCUMENTS = 24, 64, 6


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return Comparison(require_built_in(), CHATS, TOKENS, DOCUMENTS)


def test_in_int8_it_writes_what_it_writes_in_fp32(comparison: Comparison) -> None:
    quality = comparison.of("int8")
    assert not quality.differences
    assert quality.loss_tokens > 1000
    assert quality.shift < 1e-3


def test_the_loss_of_q4_is_near_that_of_fp32(comparison: Comparison) -> None:
    """Its words may differ; how far its loss is from fp32's stands in ARCHITECTURE.md."""
    quality = comparison.of("q4", chats=False)
    assert quality.loss != quality.fp32_loss
    assert quality.shift < 1e-2
