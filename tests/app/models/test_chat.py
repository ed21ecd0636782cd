"""The open chat over a real store, with an engine that only notes what it is asked for."""

from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QObject, Signal

from app.models.chat import ChatModel
from engine.errors import StoreError
from engine.events import Finished, ReplyStats, Token, Turn
from engine.sampling import SamplingParams
from engine.store import Store


class NotingEngine(QObject):
    """The signals of EngineService, emitted by the test."""

    model_loading = Signal(object, float)
    model_ready = Signal(object)
    model_ejected = Signal()
    model_failed = Signal(object, str, str, str)
    reply_event = Signal(int, object)
    failed = Signal(int, str, str)
    loaded_name = ""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Turn] = []
        self.stopped: list[int] = []

    def write(self, turn: Turn) -> None:
        self.turns.append(turn)

    def stop(self, reply: int) -> None:
        self.stopped.append(reply)

    def finish(self, store: Store, reply: int, text: str = "Well.") -> None:
        store.update_node(reply, text=text, status="done")
        self.reply_event.emit(reply, Finished("stop", ReplyStats(tokens=2)))


@pytest.fixture
def engine(qapp) -> NotingEngine:
    return NotingEngine()


@pytest.fixture
def chat(engine: NotingEngine, store: Store) -> ChatModel:
    made = ChatModel(store, engine)  # type: ignore[arg-type]
    engine.model_ready.emit(SimpleNamespace(info=SimpleNamespace(name="rwkv7-g1d-0.1b")))
    return made


@pytest.fixture
def failures(chat: ChatModel) -> list[str]:
    seen: list[str] = []
    chat.failed.connect(lambda message, _hint: seen.append(message))
    return seen


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch):
    """``full_disk(store)``: from now on nothing can be written."""

    def fill(store: Store) -> None:
        def refuse(*_args: Any, **_others: Any) -> None:
            raise StoreError("The disk is full.", "Free space.")

        names = "add_node create_conversation set_settings set_current rename delete_node"
        for name in [*names.split(), "update_node"]:
            monkeypatch.setattr(store, name, refuse)

    return fill


def texts(chat: ChatModel) -> list[str]:
    return [message.text for message in chat.messages]


def test_a_full_disk_is_told_whatever_is_asked_for(
    chat: ChatModel, engine: NotingEngine, store: Store, failures: list[str], full_disk
):
    assert chat.send("Hello")
    engine.finish(store, engine.turns[-1].reply)
    before = texts(chat)
    full_disk(store)
    assert not chat.send("More")
    assert not chat.edit(0, "Other words")
    assert not chat.regenerate(1)
    chat.delete(0)
    chat.rename("x")
    chat.change_settings(type(chat.settings)(system="Be brief"))
    chat.open(None)
    assert not chat.send("A new chat")
    assert failures == ["The disk is full."] * 7
    assert not chat.busy
    chat.open(store.conversations()[0].id)
    assert texts(chat) == before


def test_a_chat_that_is_gone_leaves_the_open_one(chat: ChatModel, failures: list[str]):
    assert chat.send("Hello")
    held, shown = chat.conversation, texts(chat)
    chat.open(999)
    assert len(failures) == 1
    assert (chat.conversation, texts(chat)) == (held, shown)


def test_a_failure_that_the_store_could_not_note_is_shown(
    chat: ChatModel, engine: NotingEngine, store: Store
):
    chat.send("Hello")
    engine.failed.emit(engine.turns[-1].reply, "The disk is full.", "Free space.")
    message = chat.messages[-1]
    assert (message.status, message.error) == ("failed", "The disk is full.")
    assert message.hint == "Free space."
    assert not chat.busy


def test_a_store_that_fails_at_the_end_does_not_stay_busy(
    chat: ChatModel, engine: NotingEngine, store: Store, failures: list[str]
):
    chat.send("Hello")
    busy: list[bool] = []
    chat.busy_changed.connect(busy.append)
    store.close()
    engine.reply_event.emit(engine.turns[-1].reply, Finished("stop", ReplyStats()))
    assert busy == [False]
    assert failures


def test_every_chat_that_is_written_is_known_wherever_one_looks(
    chat: ChatModel, engine: NotingEngine, store: Store
):
    writing: list[frozenset[int]] = []
    chat.writing_changed.connect(writing.append)
    chat.send("One")
    first = chat.conversation
    chat.open(None)
    assert not chat.busy
    chat.send("Two")
    second = chat.conversation
    assert first is not None
    assert second is not None
    assert writing == [{first}, {first, second}]
    one, two = (turn.reply for turn in engine.turns)
    engine.reply_event.emit(one, Token(5, "unseen"))
    assert texts(chat) == ["Two", ""]
    chat.stop()
    assert engine.stopped == [two]
    engine.finish(store, one)
    assert writing[-1] == {second}
    assert chat.busy
    chat.open(first)
    assert texts(chat) == ["One", "Well."]
    assert not chat.busy


def test_coming_back_to_a_chat_shows_what_was_written_meanwhile(
    chat: ChatModel, engine: NotingEngine
):
    chat.send("One")
    first = chat.conversation
    chat.open(None)
    engine.reply_event.emit(engine.turns[0].reply, Token(5, "half a"))
    chat.open(first)
    assert texts(chat) == ["One", "half a"]
    assert chat.busy


def test_the_reply_of_a_chat_that_is_not_open_can_be_stopped(chat: ChatModel, engine: NotingEngine):
    chat.send("One")
    first = chat.conversation
    chat.open(None)
    chat.stop_in(first)
    assert engine.stopped == [engine.turns[0].reply]


def test_a_reply_waits_while_another_chat_is_answered(
    chat: ChatModel, engine: NotingEngine, store: Store, qtbot
):
    chat.send("One")
    assert not chat.messages[-1].waits
    chat.open(None)
    chat.send("Two")
    assert chat.messages[-1].waits
    with qtbot.waitSignal(chat.message_changed):
        engine.finish(store, engine.turns[0].reply)
    assert not chat.messages[-1].waits


def test_deleting_the_message_that_is_written_stops_it(
    chat: ChatModel, engine: NotingEngine, store: Store
):
    tokens: list[int] = []
    chat.deleted.connect(tokens.append)
    chat.send("One")
    reply = engine.turns[0].reply
    chat.delete(0)
    assert engine.stopped == [reply]
    assert chat.messages == []
    engine.finish(store, reply, "cut")
    assert not chat.busy
    chat.restore(tokens[0])
    assert texts(chat) == ["One", "cut"]


def test_a_new_chat_takes_the_settings_of_an_earlier_one(
    chat: ChatModel, engine: NotingEngine, store: Store
):
    wanted = type(chat.settings)(system="Be brief", sampling=SamplingParams(temperature=0.7))
    chat.change_settings(wanted)
    chat.send("One")
    made = chat.conversation
    assert made is not None
    later = ChatModel(store, engine)  # type: ignore[arg-type]
    assert later.settings != wanted
    later.take_settings_of(made)
    assert later.settings == wanted
    assert later.conversation is None


def test_a_persona_is_kept_with_its_chat_and_goes_with_every_turn(
    chat: ChatModel, engine: NotingEngine, store: Store
):
    chat.change_settings(type(chat.settings)(system="Be brief", persona="Pirate"))
    chat.send("One")
    engine.finish(store, engine.turns[-1].reply)
    chat.regenerate(1)
    assert [turn.persona for turn in engine.turns] == ["Pirate", "Pirate"]
    made = chat.conversation
    assert made is not None
    chat.open(None)
    assert chat.settings == type(chat.settings)(system="Be brief")
    assert store.conversation(made).settings["persona"] == "Pirate"
    chat.open(made)
    assert chat.settings.persona == "Pirate"
    later = ChatModel(store, engine)  # type: ignore[arg-type]
    later.take_settings_of(made)
    assert later.settings == type(chat.settings)(system="Be brief")


def test_settings_that_are_not_sound_become_defaults(chat: ChatModel):
    read = type(chat.settings).from_dict
    odd = {
        "system": 3,
        "think": "fast",
        "persona": None,
        "sampling": {"temperature": "hot", "unknown": 1},
    }
    assert read(odd) == type(chat.settings)(think="fast")
    assert read({"sampling": None}) == type(chat.settings)()
    assert read(chat.settings.to_dict()) == chat.settings
