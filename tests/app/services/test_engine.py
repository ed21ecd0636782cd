"""The engine thread with a real model: loads that overtake each other, replies, failures, moves."""

import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.services.engine import EngineService, without_frames
from engine.errors import EngineError, NotEnoughMemory
from engine.events import Event, Finished, Opened, Token, Turn
from engine.folders import Folders
from engine.sampling import SamplingParams
from engine.store import Store
from engine.strategy import Strategy
from tests.older import write_older_pth
from tests.tiny import write_tiny_pth

AUTO = Strategy.parse("auto")
TIMEOUT_MS = 20_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    one = write_tiny_pth(folder / "rwkv7-g1d-one.pth", width=64)
    return one, write_tiny_pth(folder / "rwkv7-g1d-two.pth", width=64, seed=1)


class Watched:
    """The service on its thread, with all that it told."""

    def __init__(self, qtbot, folders: Folders, store: Store) -> None:
        self.store = store
        self.service = EngineService(folders.states, folders.cache, store, 4_000_000_000)
        self.told: list[str] = []
        self.events: list[Event] = []
        self.messages: list[str] = []
        self.wait = lambda what: qtbot.waitUntil(what, timeout=TIMEOUT_MS)
        service = self.service
        service.model_ready.connect(lambda model: self.told.append(f"ready {model.info.name}"))
        service.model_ejected.connect(lambda: self.told.append("ejected"))
        service.model_failed.connect(self._on_model_failed)
        service.reply_event.connect(lambda _node, event: self.events.append(event))
        service.failed.connect(lambda _node, message, _hint: self.messages.append(message))
        service.disk_failed.connect(lambda message, _hint: self.messages.append(message))
        service.start()

    def _on_model_failed(self, _path: Path, message: str, _hint: str, _other: str) -> None:
        self.told.append("failed")
        self.messages.append(message)

    def ask(self, text: str = "Hello", max_tokens: int = 0) -> int:
        """Add a question and have it answered; return the reply's node."""
        chat = self.store.create_conversation(text).id
        question = self.store.add_node(chat, None, "user", text)
        reply = self.store.add_node(chat, question.id, "assistant", "", status="writing")
        self.service.write(Turn(reply.id, SamplingParams(seed=3, max_tokens=max_tokens)))
        return reply.id

    def is_writing(self) -> bool:
        return any(isinstance(event, Token) for event in self.events)

    def ended(self) -> bool:
        return any(isinstance(event, Finished) for event in self.events)


@pytest.fixture
def watched(qtbot, folders: Folders, store: Store) -> Iterator[Watched]:
    made = Watched(qtbot, folders, store)
    yield made
    made.service.close()
    assert not made.service._thread.is_alive()


def test_of_two_quick_loads_only_the_last_counts(watched: Watched, files):
    one, two = files
    watched.service.load(one, AUTO)
    watched.service.load(two, AUTO)
    watched.wait(lambda: bool(watched.told))
    assert watched.told[-1] == f"ready {two.stem}"
    assert "ejected" not in watched.told
    assert watched.service.loaded_name == two.stem


def test_a_load_stops_the_reply_and_keeps_its_text(watched: Watched, files):
    one, two = files
    watched.service.load(one, AUTO)
    reply = watched.ask()
    watched.wait(watched.is_writing)
    watched.service.load(two, AUTO)
    watched.wait(lambda: watched.told[-1:] == [f"ready {two.stem}"])
    node = watched.store.node(reply)
    assert watched.ended()
    assert node.status == "stopped"
    assert node.text


def test_a_waiting_reply_is_written_with_the_model_that_was_chosen_later(watched: Watched, files):
    one, two = files
    watched.service.load(one, AUTO)
    reply = watched.ask(max_tokens=4)
    watched.service.load(two, AUTO)
    watched.wait(watched.ended)
    assert not watched.messages
    assert watched.store.node(reply).status == "done"


@pytest.mark.parametrize("generation", ["4", "6"])
def test_an_older_generation_answers_like_any_other(
    watched: Watched, tmp_path: Path, generation: str
):
    path = write_older_pth(tmp_path / f"RWKV-{generation}-World-tiny.pth", generation)
    watched.service.load(path, AUTO)
    reply = watched.ask(max_tokens=4)
    watched.wait(watched.ended)
    assert not watched.messages
    assert watched.told == [f"ready {path.stem}"]
    assert watched.store.node(reply).status == "done"


def test_eject_while_writing_ends_the_reply(watched: Watched, files):
    watched.service.load(files[0], AUTO)
    reply = watched.ask()
    watched.wait(watched.is_writing)
    watched.service.eject()
    watched.wait(lambda: watched.told[-1:] == ["ejected"])
    assert watched.store.node(reply).status == "stopped"
    assert watched.service.loaded_name == ""


def test_a_reply_without_a_model_fails_in_the_store_too(watched: Watched):
    reply = watched.ask()
    watched.wait(lambda: bool(watched.messages))
    node = watched.store.node(reply)
    assert node.status == "failed"
    assert "No model is loaded" in node.error


def test_a_stopped_reply_without_a_model_is_stopped(watched: Watched, folders: Folders):
    held = threading.Event()
    watched.service._archive_in_use = lambda: held.wait(5)  # type: ignore[method-assign]
    watched.service.free_space()  # the thread is busy with this
    reply = watched.ask()
    watched.service.stop(reply)
    held.set()
    watched.wait(watched.ended)
    assert watched.store.node(reply).status == "stopped"


def test_a_reply_that_waits_for_another_stops_at_once(watched: Watched, files):
    watched.service.load(files[0], AUTO)
    watched.ask()
    watched.wait(watched.is_writing)
    waiting = watched.ask("Me, too")
    watched.service.stop(waiting)
    assert watched.ended()
    assert watched.store.node(waiting).status == "stopped"
    written = len(watched.events)
    watched.wait(lambda: len(watched.events) > written)  # the other goes on


def test_a_reply_that_waits_to_be_gone_on_with_is_what_it_was_when_stopped(watched: Watched, files):
    watched.service.load(files[0], AUTO)
    done = watched.ask(max_tokens=4)
    watched.wait(watched.ended)
    before = watched.store.node(done)
    watched.ask("Me, too")
    watched.service.write(Turn(done, SamplingParams(seed=3)))
    watched.service.stop(done)
    assert watched.store.node(done) == before


def test_saving_power_holds_for_the_model_in_use_and_for_the_next(watched: Watched, files):
    from engine.hardware.processor import count_cores

    one, two = files
    half = max(1, count_cores()[0] // 2)

    def threads() -> int:
        model = watched.service._model
        return getattr(model.backend, "threads", 0) if model else 0

    watched.service.load(one, AUTO)
    watched.wait(lambda: bool(watched.told))
    watched.service.set_power_saving(True)
    watched.wait(lambda: 0 < threads() <= half)
    watched.service.load(two, AUTO)
    watched.wait(lambda: watched.told[-1] == f"ready {two.stem}")
    assert threads() <= half
    watched.ask(max_tokens=2)
    watched.wait(watched.ended)
    assert not watched.messages


def test_a_failed_load_brings_the_model_back_that_made_room(
    watched: Watched, files, monkeypatch: pytest.MonkeyPatch
):
    import engine.model

    one, two = files
    watched.service.load(one, AUTO)
    watched.wait(lambda: watched.told == [f"ready {one.stem}"])
    load = engine.model.load_planned

    def fail_for_two(info, plan, **others):
        if info.path == two:
            raise RuntimeError("a library's own failure")
        return load(info, plan, **others)

    monkeypatch.setattr(engine.model, "load_planned", fail_for_two)
    monkeypatch.setattr("engine.room.fits_beside", lambda *_: False)
    watched.service.load(two, AUTO)
    watched.wait(lambda: "failed" in watched.told)
    assert watched.told == [f"ready {one.stem}", f"ready {one.stem}", "failed"]
    reply = watched.ask(max_tokens=3)
    watched.wait(watched.ended)
    assert watched.store.node(reply).status == "done"


def test_a_suggestion_comes_with_too_little_memory(
    qtbot, watched: Watched, files, monkeypatch: pytest.MonkeyPatch
):
    import engine.model

    def refuse(*_):
        raise NotEnoughMemory("It does not fit.", "Smaller.", "cpu q4")

    monkeypatch.setattr(engine.model, "plan_model", refuse)
    with qtbot.waitSignal(watched.service.model_failed) as caught:
        watched.service.load(files[0], AUTO)
    assert caught.args[3] == "cpu q4"


def test_an_archive_that_does_not_open_is_told_and_tried_again(
    watched: Watched, files, monkeypatch: pytest.MonkeyPatch
):
    import engine.archive

    watched.wait(lambda: watched.service._archive is not None)
    watched.service._archive_in_use().close()
    watched.service._archive = None
    real = engine.archive.StateArchive

    def broken(*_args, **_others):
        raise OSError("the drive is gone")

    monkeypatch.setattr(engine.archive, "StateArchive", broken)
    watched.service.load(files[0], AUTO)
    watched.wait(lambda: bool(watched.messages))
    assert "the drive is gone" in watched.messages[0]
    monkeypatch.setattr(engine.archive, "StateArchive", real)
    watched.service.load(files[0], AUTO)
    watched.wait(lambda: watched.told[-1:] == [f"ready {files[0].stem}"])


def test_states_move_while_a_reply_waits_its_turn(
    watched: Watched, files, folders: Folders, tmp_path: Path
):
    watched.service.load(files[0], AUTO)
    watched.ask(max_tokens=6)
    watched.wait(watched.ended)
    goal = tmp_path / "other drive"
    moved: list[tuple[str, list[Path]]] = []
    watched.service.states_moved.connect(lambda to, originals: moved.append((to, originals)))
    watched.events.clear()
    watched.service.move_states(goal)
    second = watched.ask("Again", max_tokens=6)
    watched.wait(watched.ended)
    assert moved[0][0] == str(goal)
    assert all(path.exists() for path in moved[0][1])  # they go when the switch is on disk
    names = {path.name for path in moved[0][1]}
    watched.service.close()
    assert names < {path.name for path in goal.iterdir()}
    assert watched.store.node(second).status == "done"


def test_a_move_that_fails_leaves_everything_working(
    watched: Watched, files, folders: Folders, tmp_path: Path
):
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("x")
    watched.service.load(files[0], AUTO)
    watched.service.move_states(in_the_way / "below")
    watched.wait(lambda: bool(watched.messages))
    reply = watched.ask(max_tokens=3)
    watched.wait(watched.ended)
    assert watched.store.node(reply).status == "done"


def test_states_that_cannot_be_deleted_are_told(watched: Watched, monkeypatch: pytest.MonkeyPatch):
    watched.wait(lambda: watched.service._archive is not None)

    def fail(_budget):
        raise EngineError("The disk is full.")

    monkeypatch.setattr(watched.service._archive, "prune", fail)
    watched.service.free_space()
    watched.wait(lambda: watched.messages == ["The disk is full."])


@pytest.mark.parametrize("when", ["loading", "reading", "writing"])
def test_it_closes_quickly_whatever_it_does(watched: Watched, files, when: str):
    begun: Callable[[], bool] = {
        "loading": lambda: True,
        "reading": lambda: any(isinstance(event, Opened) for event in watched.events),
        "writing": watched.is_writing,
    }[when]
    watched.service.load(files[0], AUTO)
    reply = watched.ask("word " * (20_000 if when == "reading" else 3))
    watched.wait(begun)
    closer = threading.Thread(target=watched.service.close)
    closer.start()
    closer.join(8)
    assert not closer.is_alive()
    assert watched.store.node(reply).status in ("writing", "stopped")
    watched.service.close()


class Held:
    """What takes memory."""


def test_an_error_holds_nothing_of_what_failed() -> None:
    """Half of a model would stay in memory while the one before is loaded again."""

    def fail() -> None:
        held = Held()
        left.append(weakref.ref(held))
        try:
            raise MemoryError("no room")
        except MemoryError as error:
            raise EngineError("It did not fit.") from error

    left: list[weakref.ref[Held]] = []
    kept = EngineError("Nothing failed.")
    try:
        fail()
    except EngineError as error:
        kept = error
    assert left[0]() is not None
    without_frames(kept)
    assert str(kept.__cause__) == "no room"
    assert left[0]() is None
