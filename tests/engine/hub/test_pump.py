"""Waiting that can be left."""

import threading
import time

import pytest

from engine.hub.pump import Stopped, pump, wait_for


def test_items_arrive_in_order():
    assert list(pump(lambda: iter(range(1000)), threading.Event(), depth=3)) == list(range(1000))


def test_an_error_of_the_source_arrives_after_its_items():
    def source():
        yield 1
        raise ValueError("later")

    items = pump(source, threading.Event())
    assert next(items) == 1
    with pytest.raises(ValueError, match="later"):
        next(items)


def test_stop_is_heard_while_the_source_hangs():
    hang, stop = threading.Event(), threading.Event()
    threading.Timer(0.02, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        wait_for(lambda: hang.wait(10), stop)
    assert time.monotonic() - began < 0.5
    hang.set()


def test_a_source_that_is_left_is_closed():
    closed = threading.Event()

    def source():
        try:
            while True:
                yield b"x"
        finally:
            closed.set()

    items = pump(source, threading.Event(), depth=1)
    next(items)
    items.close()
    assert closed.wait(1)
