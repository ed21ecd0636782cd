"""Which weights are fetched ahead: pieces of matrices, in order, none twice."""

import torch

from kernels.cuda.ahead import NOTHING, Ahead
from kernels.cuda.matrices import Matrix


def matrix(size_bytes: int) -> Matrix:
    return Matrix("fp16", size_bytes // 128, 64, torch.zeros(size_bytes, dtype=torch.uint8), None)


def pieces(window: tuple[int | None, int, int | None, int]) -> list[tuple[int, int, int]]:
    """Return (address, bytes of a segment, bytes that are fetched of it)."""
    pairs = (window[:2], window[2:])
    return [(at or 0, shape >> 32, shape & 0xFFFFFFFF) for at, shape in pairs if shape]


def test_a_window_begins_where_the_one_before_ended() -> None:
    a, b = matrix(8192), matrix(4096)
    ahead = Ahead([a, b], segments=4)
    assert pieces(ahead.window(0, 4096)) == [(a.data.data_ptr(), 2048, 1024)]
    assert pieces(ahead.window(0, 8192)) == [
        (a.data.data_ptr() + 1024, 2048, 1024),
        (b.data.data_ptr(), 1024, 1024),
    ]
    assert ahead.window(0, 8192) == NOTHING


def test_what_is_being_read_already_is_passed_over() -> None:
    a, b = matrix(8192), matrix(4096)
    ahead = Ahead([a, b], segments=4)
    ahead.window(0, 2048)
    assert pieces(ahead.window(1, 2048)) == [(b.data.data_ptr(), 1024, 512)]
    assert ahead.window(2, 2048) == NOTHING


def test_nothing_is_asked_for_without_bytes() -> None:
    assert Ahead([matrix(8192)]).window(0, 0) == NOTHING
