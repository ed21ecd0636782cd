"""A chat that was interrupted, killed, edited or branched goes on as if nothing had happened."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.archive import StateArchive
from engine.built_in import require_built_in
from engine.errors import EngineError, StateMismatch, StoreError
from engine.events import Event, Finished, Reading, Token, Turn
from engine.folders import Folders
from engine.hardware import detect
from engine.model import Model, load_backend, load_model
from engine.sampling import Sampler, SamplingParams
from engine.session import Session
from engine.snapshot import Snapshot
from engine.state import State
from engine.store import Node, Store
from engine.strategy import Strategy
from tests.older import write_older_pth
from tests.tiny import write_tiny_pth

FP32 = Strategy.parse("cpu fp32")
PARAMS = SamplingParams(temperature=1.0, top_p=0.9, seed=5, max_tokens=24)


def never() -> bool:
    return False


class Desk:
    """One start of the program: a store, an archive and a session, closed together."""

    def __init__(self, folders: Folders, model: Model) -> None:
        self.store = Store.open(folders.database)
        self.archive = StateArchive(folders.states, self.store)
        self.session = Session(model, self.store, self.archive)
        self.events: list[Event] = []

    def close(self) -> None:
        self.archive.close()
        self.store.close()

    def ask(self, conversation: int, parent: int | None, text: str, think: str = "off") -> Node:
        question = self.store.add_node(conversation, parent, "user", text)
        return self.answer(conversation, question.id, think)

    def answer(self, conversation: int, question: int, think: str = "off") -> Node:
        reply = self.store.add_node(
            conversation, question, "assistant", "", status="writing", think=think
        )
        self.run(Turn(reply.id, PARAMS, think=think))
        return self.store.node(reply.id)

    def run(self, turn: Turn, stop_after: int = 0) -> Finished:
        """Run a turn; with stop_after, cancel it after that many drawn tokens."""
        self.events = []

        def cancelled() -> bool:
            drawn = sum(isinstance(event, Token) for event in self.events)
            return bool(stop_after) and drawn >= stop_after

        return self.session.run(turn, self.events.append, cancelled)


@pytest.fixture(scope="module", params=["fp32", "int8", "torch", "RWKV-4", "RWKV-6"])
def each_model(
    request: pytest.FixtureRequest, tiny_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Model:
    """The native engine, the same in int8 (wide enough to be held so), torch, older generations."""
    if request.param == "fp32":
        return tiny_model
    if request.param == "torch":
        return replace(tiny_model, backend=load_backend(tiny_model.info, FP32, native=False))
    if request.param.startswith("RWKV"):
        older = tmp_path_factory.mktemp("older") / f"{request.param}-World-tiny.pth"
        write_older_pth(older, request.param[-1])
        return load_model(older, Strategy.parse("cpu fp32 @1"), detect(None))
    path = write_tiny_pth(
        tmp_path_factory.mktemp("wide") / "rwkv7-g1d-wide.pth", width=320, vocab=2304
    )
    shutil.copy(require_built_in().with_name("vocabulary.txt"), path.parent)
    return load_model(path, Strategy.parse("cpu int8 @2"), detect(None))


@pytest.fixture
def desk(folders: Folders, tiny_model: Model) -> Iterator[Desk]:
    opened = Desk(folders, tiny_model)
    yield opened
    opened.close()


@pytest.fixture
def chat(desk: Desk) -> int:
    return desk.store.create_conversation("A chat").id


def test_a_reply_is_written_into_its_node(desk: Desk, chat: int) -> None:
    reply = desk.ask(chat, None, "Hello there")
    shown = "".join(event.text for event in desk.events if isinstance(event, Token))
    assert reply.status == "done"
    assert reply.text == shown != ""
    assert len(reply.tokens) == PARAMS.max_tokens
    finished = desk.events[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "length"
    assert finished.stats.tokens == PARAMS.max_tokens
    assert finished.stats.resumed_tokens == 0


def test_the_second_turn_reads_only_what_is_new(desk: Desk, chat: int, tiny_model: Model) -> None:
    first = desk.ask(chat, None, "Hello there")
    desk.ask(chat, first.id, "And then?")
    readings = [event for event in desk.events if isinstance(event, Reading)]
    question = tiny_model.template.turn("And then?", "off", first=False)
    assert readings[-1].total == len(tiny_model.tokenizer.encode(question))
    finished = desk.events[-1]
    assert isinstance(finished, Finished)
    assert finished.stats.resumed_tokens > PARAMS.max_tokens
    assert not finished.stats.read_again


def test_a_chat_after_a_restart_is_the_one_never_interrupted(
    folders: Folders, each_model: Model, tmp_path: Path
) -> None:
    one = Desk(folders, each_model)
    chat = one.store.create_conversation().id
    first = one.ask(chat, None, "My name is Ada.")
    expected = one.ask(chat, first.id, "What is my name?")
    one.close()

    elsewhere = Folders.below(tmp_path / "other")
    elsewhere.create()
    two = Desk(elsewhere, each_model)
    chat = two.store.create_conversation().id
    first = two.ask(chat, None, "My name is Ada.")
    two.close()
    three = Desk(elsewhere, each_model)
    resumed = three.ask(chat, first.id, "What is my name?")
    finished = three.events[-1]
    three.close()
    assert resumed.tokens == expected.tokens
    assert isinstance(finished, Finished)
    assert finished.stats.from_disk


def test_logits_after_a_restart_are_the_same_bits(folders: Folders, each_model: Model) -> None:
    one = Desk(folders, each_model)
    chat = one.store.create_conversation().id
    reply = one.ask(chat, None, "Tell me of geese.")
    one.archive.flush()
    rows = one.store.checkpoints.all()
    kept = one.archive.find(reply.id, _key_of(rows, reply), each_model.info.fingerprint)
    one.close()
    two = Desk(folders, each_model)
    loaded = two.archive.find(reply.id, _key_of(rows, reply), each_model.info.fingerprint)
    two.close()
    assert kept is not None
    assert loaded is not None
    assert loaded.from_disk
    states = (kept.snapshot.state.clone(), loaded.snapshot.state.clone())
    a, b = (each_model.backend.forward([7, 8, 9], state) for state in states)
    assert a.equal(b)
    assert states[0].wkv.equal(states[1].wkv)


def _key_of(rows: list, reply: Node) -> str:  # type: ignore[type-arg]
    return next(row.key for row in rows if row.node == reply.id)


def test_a_stopped_reply_continues_with_the_very_next_token(desk: Desk, chat: int) -> None:
    question = desk.store.add_node(chat, None, "user", "Count to ten")
    whole = desk.answer(chat, question.id)
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    assert desk.run(Turn(reply.id, PARAMS), stop_after=9).reason == "cancelled"
    half = desk.store.node(reply.id)
    assert half.status == "stopped"
    assert half.tokens == whole.tokens[: len(half.tokens)]
    rest = replace(PARAMS, max_tokens=PARAMS.max_tokens - len(half.tokens))
    desk.run(Turn(reply.id, rest))
    assert not any(isinstance(event, Reading) for event in desk.events)
    assert desk.store.node(reply.id).tokens == whole.tokens
    assert desk.store.node(reply.id).text == whole.text


def test_a_reply_that_a_kill_cut_off_goes_on_bit_for_bit(
    folders: Folders, each_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: the text is ahead of the last state on disk, and memory is gone."""
    one = Desk(folders, each_model)
    chat = one.store.create_conversation().id
    question = one.store.add_node(chat, None, "user", "Count to ten")
    whole = one.answer(chat, question.id)
    reply = one.store.add_node(chat, question.id, "assistant", "", status="writing")
    one.run(Turn(reply.id, PARAMS), stop_after=6)
    text = "".join(event.text for event in one.events if isinstance(event, Token))
    behind = one.store.node(reply.id)
    one.store.update_node(reply.id, tokens=whole.tokens[:12], status="writing")
    one.close()

    two = Desk(folders, each_model)
    two.store.recover()
    rest = replace(PARAMS, max_tokens=PARAMS.max_tokens - 12)
    two.run(Turn(reply.id, rest))
    finished = two.store.node(reply.id)
    two.close()
    assert len(behind.tokens) == 6
    assert whole.text.startswith(text)
    assert finished.tokens == whole.tokens


def test_regenerate_and_edit_read_nothing_that_stands_before(desk: Desk, chat: int) -> None:
    first = desk.ask(chat, None, "word " * 80)
    second = desk.ask(chat, first.id, "What now?")
    assert second.parent is not None
    again = desk.answer(chat, second.parent)
    assert not any(isinstance(event, Reading) for event in desk.events)
    assert again.tokens == second.tokens
    edited = desk.ask(chat, first.id, "What then?")
    assert edited.text
    finished = desk.events[-1]
    assert isinstance(finished, Finished)
    assert finished.stats.read_tokens < 20


def test_another_system_text_is_not_resumed_from_the_old_state(desk: Desk, chat: int) -> None:
    reply = desk.ask(chat, None, "Hello there")
    assert reply.parent is not None
    other = desk.store.add_node(chat, reply.parent, "assistant", "", status="writing")
    finished = desk.run(Turn(other.id, PARAMS, system="You are a pirate."))
    assert finished.stats.resumed_tokens == 0
    assert finished.stats.read_tokens > 0


def test_a_lost_state_is_read_again_and_said(folders: Folders, tiny_model: Model) -> None:
    one = Desk(folders, tiny_model)
    chat = one.store.create_conversation().id
    first = one.ask(chat, None, "My name is Ada.")
    one.close()
    for file in folders.states.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:100])
    two = Desk(folders, tiny_model)
    two.ask(chat, first.id, "What is my name?")
    finished = two.events[-1]
    two.close()
    assert isinstance(finished, Finished)
    assert finished.stats.read_again
    assert finished.stats.resumed_tokens == 0


def test_stopping_while_reading_keeps_what_was_read(desk: Desk, chat: int) -> None:
    question = desk.store.add_node(chat, None, "user", "word " * 1000)
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    events: list[Event] = []

    def read() -> list[int]:
        return [event.done for event in events if isinstance(event, Reading) and event.done > 0]

    def after_two_chunks() -> bool:
        return len(read()) >= 2

    finished = desk.session.run(Turn(reply.id, PARAMS), events.append, after_two_chunks)
    assert finished.reason == "cancelled"
    assert desk.store.node(reply.id).status == "stopped"
    finished = desk.run(Turn(reply.id, PARAMS))
    assert finished.stats.resumed_tokens == read()[-1] > 400
    assert len(desk.store.node(reply.id).tokens) == PARAMS.max_tokens


def test_a_failure_is_told_and_kept_with_the_reply(desk: Desk, chat: int) -> None:
    question = desk.store.add_node(chat, None, "user", "Hello")
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    with pytest.raises(EngineError):
        desk.run(Turn(reply.id, replace(PARAMS, banned=(70000,))))
    failed = desk.store.node(reply.id)
    assert failed.status == "failed"
    assert failed.error


def test_a_library_that_fails_leaves_no_reply_half_told(
    desk: Desk, chat: int, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("no memory on the card")

    question = desk.store.add_node(chat, None, "user", "Hello")
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    monkeypatch.setattr(tiny_model.backend, "forward", fail)
    with pytest.raises(RuntimeError):
        desk.run(Turn(reply.id, PARAMS))
    failed = desk.store.node(reply.id)
    assert failed.status == "failed"
    assert "no memory on the card" in failed.error


@pytest.mark.parametrize(
    "text", ["x" * 20_000, "\ud800 lone", "שלום עולם", "🦢" * 50, "中文" * 200]
)
def test_any_text_can_be_asked(desk: Desk, chat: int, text: str) -> None:
    assert desk.ask(chat, None, text).status == "done"


def test_thinking_modes_open_the_reply(desk: Desk, chat: int, tiny_model: Model) -> None:
    for think in tiny_model.template.think_modes:
        reply = desk.ask(chat, None, "Why?", think)
        assert reply.text.startswith(tiny_model.template.reply_start(think))


def test_a_long_reply_whose_states_are_lost_is_read_at_once(
    desk: Desk, chat: int, tiny_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.REPLAYED_TOKENS", 8)
    reply = desk.ask(chat, None, "Hello there")
    desk.archive.forget(reply.id)
    lengths: list[int] = []
    forward = tiny_model.backend.forward

    def counted(tokens, *rest, **options):  # type: ignore[no-untyped-def]
        lengths.append(len(tokens))
        return forward(tokens, *rest, **options)

    monkeypatch.setattr(tiny_model.backend, "forward", counted)
    finished = desk.run(Turn(reply.id, replace(PARAMS, max_tokens=2)))
    assert finished.stats.read_tokens == PARAMS.max_tokens
    assert lengths[0] == PARAMS.max_tokens
    assert lengths[1:] == [1] * (len(lengths) - 1)
    assert desk.store.node(reply.id).tokens[: PARAMS.max_tokens] == reply.tokens


def test_a_store_that_fails_in_the_middle_costs_that_reply_alone(
    desk: Desk, chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.SAVE_TEXT_SECONDS", 0.0)
    question = desk.store.add_node(chat, None, "user", "Hello")
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    update, calls = desk.store.update_node, 0

    def failing(*words, **values):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls > 4:
            raise StoreError("The disk is full, so the chat could not be saved.", "Free space.")
        update(*words, **values)

    with monkeypatch.context() as full:
        full.setattr(desk.store, "update_node", failing)
        with pytest.raises(StoreError, match="disk is full"):
            desk.run(Turn(reply.id, PARAMS))
    half = desk.store.node(reply.id)
    assert half.tokens
    desk.run(Turn(reply.id, PARAMS))
    whole = desk.store.node(reply.id)
    assert whole.status == "done"
    assert whole.tokens[: len(half.tokens)] == half.tokens


def test_a_reply_that_ends_at_once_is_empty_and_the_chat_goes_on(desk: Desk, chat: int) -> None:
    question = desk.store.add_node(chat, None, "user", "Hello")
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    everything = (*map(chr, range(1, 128)), "\ufffd")
    finished = desk.run(Turn(reply.id, replace(PARAMS, temperature=0, stop=everything)))
    assert finished.stats.tokens == len(desk.store.node(reply.id).tokens)
    assert desk.ask(chat, reply.id, "And now?").status == "done"


def _answer_as(desk: Desk, chat: int, persona: str) -> tuple[Node, Finished]:
    question = desk.store.add_node(chat, None, "user", "Who are you?")
    reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
    finished = desk.run(Turn(reply.id, PARAMS, persona=persona))
    return desk.store.node(reply.id), finished


def _trained(model: Model) -> Snapshot:
    """A state as state tuning makes it: full, but nothing was read."""
    state = State.zeros(model.info.shape)
    state.wkv.copy_(torch.randn(state.wkv.shape, generator=torch.Generator().manual_seed(1)))
    return Snapshot(state, None, None)


def test_a_chat_begins_with_a_persona_and_reads_the_same_tokens(
    desk: Desk, chat: int, tiny_model: Model
) -> None:
    desk.archive.save_persona("Pirate", _trained(tiny_model), tiny_model.info.fingerprint)
    plain, without = _answer_as(desk, chat, "")
    answered, finished = _answer_as(desk, chat, "Pirate")
    assert answered.tokens != plain.tokens
    assert finished.stats.read_tokens == without.stats.read_tokens
    # On the same state, the same tokens by hand.
    state = _trained(tiny_model).state.clone()
    template = tiny_model.template
    prompt = (0, *tiny_model.tokenizer.encode(template.turn("Who are you?", "off", first=True)))
    logits = tiny_model.backend.forward(prompt, state)
    sampler = Sampler(PARAMS, tiny_model.info.shape.vocab, tiny_model.unused, tiny_model.uncounted)
    assert sampler.sample(logits.numpy()) == answered.tokens[0]


def test_a_persona_that_has_read_is_gone_on_from(desk: Desk, chat: int, tiny_model: Model) -> None:
    state = tiny_model.backend.new_state()
    text = "User: I am Ada.\n\nAssistant: Hello, Ada."
    logits = tiny_model.backend.forward((0, *tiny_model.tokenizer.encode(text)), state)
    snapshot = Snapshot(state, logits.numpy(), None)
    desk.archive.save_persona("Friend", snapshot, tiny_model.info.fingerprint)
    _, finished = _answer_as(desk, chat, "Friend")
    asked = tiny_model.template.turn("Who are you?", "off", first=False)
    assert finished.stats.read_tokens == len(tiny_model.tokenizer.encode(asked))
    assert finished.stats.resumed_tokens == state.tokens_read


def test_the_state_of_another_persona_is_not_resumed(
    desk: Desk, chat: int, tiny_model: Model
) -> None:
    for name in ("One", "Two"):
        desk.archive.save_persona(name, _trained(tiny_model), tiny_model.info.fingerprint)
    first, _ = _answer_as(desk, chat, "One")
    assert first.parent is not None
    again = desk.store.add_node(chat, first.parent, "assistant", "", status="writing")
    assert desk.run(Turn(again.id, PARAMS, persona="One")).stats.read_tokens == 0
    other = desk.store.add_node(chat, first.parent, "assistant", "", status="writing")
    assert desk.run(Turn(other.id, PARAMS, persona="Two")).stats.read_tokens > 0


def test_a_persona_of_other_weights_or_one_that_is_gone_is_refused(
    desk: Desk, chat: int, tiny_model: Model
) -> None:
    desk.archive.save_persona("Stranger", _trained(tiny_model), "of other weights")
    for persona, error in (("Stranger", StateMismatch), ("Nobody", EngineError)):
        question = desk.store.add_node(chat, None, "user", "Who are you?")
        reply = desk.store.add_node(chat, question.id, "assistant", "", status="writing")
        with pytest.raises(error):
            desk.run(Turn(reply.id, PARAMS, persona=persona))
        assert desk.store.node(reply.id).status == "failed"
        assert persona in desk.store.node(reply.id).error
