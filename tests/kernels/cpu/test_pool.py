"""Threads: they come and go, sleep between jobs, and a model gives the same bits under load."""

import threading

import numpy as np
import pytest

from kernels.cpu.library import NativeError, Pool
from tests.kernels.cpu import native
from tests.kernels.cpu.test_decode import TOKENS, VOCAB, WEIGHTS


@pytest.mark.parametrize("threads", [1, 2, 5, 16])
def test_pools_come_and_go(threads: int) -> None:
    for _ in range(20):
        pool = Pool(native.library(), threads)
        assert native.library().get("skn_pool_threads", pool.pointer) == threads
        pool.close()


@pytest.mark.parametrize("threads", [0, -1, 100_000])
def test_impossible_numbers_of_threads_are_refused(threads: int) -> None:
    with pytest.raises(NativeError, match="threads"):
        Pool(native.library(), threads)


def test_more_threads_than_cores_under_load_change_no_bit() -> None:
    """Threads are taken away from their pieces here, again and again."""
    sizes = native.sizes_of(WEIGHTS)
    alone, state = native.load(WEIGHTS, "int8"), native.State(sizes)
    wanted = native.decode(alone, TOKENS * 8, state, VOCAB)
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            np.dot(np.ones((64, 64)), np.ones((64, 64)))

    others = [threading.Thread(target=disturb) for _ in range(3)]
    for other in others:
        other.start()
    try:
        crowded = native.load(WEIGHTS, "int8", 7)
        got = native.decode(crowded, TOKENS * 8, native.State(sizes), VOCAB)
    finally:
        stop.set()
        for other in others:
            other.join()
    assert np.array_equal(got, wanted)


def test_two_models_run_at_once_on_pools_of_their_own() -> None:
    sizes = native.sizes_of(WEIGHTS)
    wanted = native.decode(native.load(WEIGHTS, "bf16"), TOKENS * 4, native.State(sizes), VOCAB)
    results: list[native.Array] = []

    def work() -> None:
        model = native.load(WEIGHTS, "bf16", 2)
        results.append(native.decode(model, TOKENS * 4, native.State(sizes), VOCAB))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 3
    assert all(np.array_equal(result, wanted) for result in results)
