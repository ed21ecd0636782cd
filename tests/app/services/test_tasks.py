"""Background jobs: their results arrive on the GUI thread, and close() leaves nothing behind."""

import threading

import pytest

from app.services.tasks import Tasks


@pytest.fixture
def tasks(qapp):
    made = Tasks()
    yield made
    made.close()


def test_the_result_arrives_on_the_gui_thread(qtbot, tasks):
    seen = []
    tasks.run_in_background(
        lambda: threading.current_thread().name,
        lambda name: seen.append((name, threading.current_thread() is threading.main_thread())),
    )
    qtbot.waitUntil(lambda: bool(seen))
    assert seen[0][0].startswith("skein-task")
    assert seen[0][1]
    assert not tasks.busy


def test_a_failure_goes_to_failed(qtbot, tasks):
    errors = []
    tasks.run_in_background(lambda: 1 / 0, None, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], ZeroDivisionError)


def test_an_unheard_failure_is_logged(qtbot, tasks, caplog):
    with qtbot.waitSignal(tasks.idle):
        tasks.run_in_background(lambda: 1 / 0)
    assert "background job failed" in caplog.text


def test_close_joins_and_delivers_nothing(qapp):
    tasks, gate, seen = Tasks(workers=1), threading.Event(), []
    tasks.run_in_background(gate.wait, seen.append)
    tasks.run_in_background(lambda: 2, seen.append)
    gate.set()
    tasks.close()
    tasks.close()
    tasks.run_in_background(lambda: 3, seen.append)
    qapp.processEvents()
    assert seen == []
    assert not [t for t in threading.enumerate() if t.name.startswith("skein-task")]


def test_many_results_are_all_delivered(qtbot, tasks):
    seen = []
    for number in range(2000):
        tasks.run_in_background(lambda n=number: n, seen.append)
    qtbot.waitUntil(lambda: len(seen) == 2000)
    assert sorted(seen) == list(range(2000))
