"""The arithmetic of sizes, against the released files."""

import pytest

from engine.checkpoint import ModelShape, Ranks
from engine.checkpoint.entries import element_count
from engine.checkpoint.names import expected_tensors

# The released files hold layer 0's unused tensors too.
PTH_BYTES = {
    "0.1b": 382_223_725,
    "0.4b": 901_776_749,
    "1.5b": 3_055_445_693,
    "2.9b": 5_896_275_005,
    "7.2b": 14_400_009_405,
    "13.3b": 26_540_871_429,
}
STATE_MEGABYTES = {
    "0.1b": 2.4,
    "0.4b": 6.5,
    "1.5b": 13.0,
    "2.9b": 21.6,
    "7.2b": 34.6,
    "13.3b": 66.0,
}


@pytest.mark.parametrize("label", PTH_BYTES)
def test_parameters_match_the_released_files(label: str):
    shape = ModelShape.released(label)
    assert 2 * shape.parameters == pytest.approx(PTH_BYTES[label], rel=1e-3)


@pytest.mark.parametrize("label", STATE_MEGABYTES)
def test_state_bytes_match_the_published_sizes(label: str):
    shape = ModelShape.released(label)
    assert shape.state_bytes / 1e6 == pytest.approx(STATE_MEGABYTES[label], abs=0.06)


@pytest.mark.parametrize(
    "shape",
    [
        ModelShape.released("0.1B"),
        ModelShape(2, 128, 500, 300, 64, Ranks(16, 24, 8, 32)),
        ModelShape(1, 64, 256, 300, 32, Ranks(1, 2, 0, 4)),
        ModelShape(2, 128, 500, 300, 64, Ranks(16, 24, 8, 32), deep=32),
    ],
)
def test_parameters_are_the_sum_of_the_expected_tensors(shape: ModelShape):
    assert shape.parameters == sum(map(element_count, expected_tensors(shape).values()))


def test_a_layer_is_the_difference_that_one_more_layer_makes():
    ranks = Ranks(16, 24, 8, 32)
    two, three = (ModelShape(n, 128, 512, 300, 64, ranks) for n in (2, 3))
    assert three.parameters - two.parameters == two.layer_parameters
    assert three.matrix_parameters - two.matrix_parameters == 4 * 128**2 + 2 * 128 * 512
    assert two.matrix_parameters == 2 * two.layer_matrix_parameters + 300 * 128


def test_an_unreleased_size_is_a_key_error():
    with pytest.raises(KeyError):
        ModelShape.released("70b")
