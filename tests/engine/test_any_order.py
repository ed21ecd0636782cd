"""Whatever is done to a chat in whatever order: each kept state has read what is shown, no more."""

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from engine.archive import Found, StateArchive
from engine.events import Event, Token, Turn
from engine.folders import Folders
from engine.hardware import detect
from engine.model import Model, load_model
from engine.sampling import SamplingParams
from engine.segments import SegmentMaker
from engine.session import Session
from engine.snapshot import Snapshot
from engine.store import Node, Store
from engine.strategy import Strategy
from tests.tiny import write_tiny_pth

PARAMS = SamplingParams(temperature=1.0, top_p=0.9, max_tokens=12)

LETTER = 98
"""Drawn many times in a row, it is not what greedy encoding makes of the text."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, ...]:
    """Two models of the World vocabulary, and one of bytes."""
    folder = tmp_path_factory.mktemp("models")
    paths = [write_tiny_pth(folder / f"rwkv7-g1d-{n}.pth", width=64, seed=n) for n in (1, 2)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    library = Tokenizer(models.BPE({letter: i + 1 for i, letter in enumerate(letters)}, []))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    (folder / "bytes").mkdir()
    library.save(str(folder / "bytes" / "tokenizer.json"))
    paths.append(write_tiny_pth(folder / "bytes" / "rwkv7-g1d-bytes.pth", width=64, vocab=512))
    return tuple(load_model(path, Strategy.parse("cpu fp32"), detect(None)) for path in paths)


class Desk:
    """A program that is started, stopped and mistreated; it watches every snapshot."""

    def __init__(self, folders: Folders, loaded: tuple[Model, ...]) -> None:
        self._folders = folders
        self._loaded = loaded
        self._watched: list[tuple[Snapshot, int]] = []
        self.model = loaded[0]
        self.system = ""
        self._open(1 << 20)
        self.chat = self.store.create_conversation("Any order").id

    def _open(self, memory_bytes: int) -> None:
        self.store = Store(self._folders.database)
        self.archive = StateArchive(self._folders.states, self.store, memory_bytes=memory_bytes)
        self._watch(self.archive)

    def close(self) -> None:
        self.archive.close()
        self.store.close()

    def restart(self, memory_bytes: int, budget_bytes: int) -> None:
        self.close()
        self._open(memory_bytes)
        self.archive.set_budget(budget_bytes)
        self.store.recover()

    def lose_files(self) -> None:
        self.archive.flush()
        for file in self._folders.states.glob("*.safetensors"):
            file.unlink()
        self.archive.forget_memory()

    def _watch(self, archive: StateArchive) -> None:
        put, find = archive.put, archive.find

        def watching_put(*place, disk: bool) -> None:
            self._watched.append((place[4], _bits(place[4])))
            put(*place, disk=disk)

        def watching_find(*place, at_most: int | None = None) -> Found | None:
            found = find(*place, at_most=at_most)
            if found is not None:
                self._watched.append((found.snapshot, _bits(found.snapshot)))
            return found

        archive.put, archive.find = watching_put, watching_find  # type: ignore[method-assign]

    def run(self, reply: Node, params: SamplingParams, stop_after: int | None) -> None:
        """Write; stop_after: drawn tokens after which Stop is pressed (-1: at once)."""
        events: list[Event] = []

        def cancelled() -> bool:
            drawn = sum(isinstance(event, Token) for event in events)
            return stop_after is not None and drawn >= stop_after

        session = Session(self.model, self.store, self.archive)
        session.run(Turn(reply.id, params, self.system, reply.think), events.append, cancelled)

    def require_agreement(self, reply: int) -> None:
        """The kept state is that of a model that reads the whole chat anew."""
        path = self.store.path_to(reply)
        node = path[-1]
        assert node.status in ("done", "stopped")
        maker = SegmentMaker(self.model, self.model.template, self.system)
        segments = maker.segments(path)
        assert self.model.tokenizer.decode(segments[-1].tokens) == node.text
        found = self.archive.find(
            reply, segments[-1].key, self.model.info.fingerprint, at_most=len(segments[-1].tokens)
        )
        if found is None:  # stopped before it was begun
            return
        tokens = [token for segment in segments[:-1] for token in segment.tokens]
        tokens += segments[-1].tokens[: found.position]
        state = self.model.backend.new_state()
        self.model.backend.forward(tokens, state)
        assert found.snapshot.state.tokens_read == len(tokens)
        torch.testing.assert_close(found.snapshot.state.wkv, state.wkv, atol=2e-3, rtol=1e-3)

    def require_untouched(self) -> None:
        assert all(_bits(snapshot) == bits for snapshot, bits in self._watched)


def _bits(snapshot: Snapshot) -> int:
    arrays = [tensor.numpy() for tensor in snapshot.state.tensors().values()]
    arrays += [] if snapshot.logits is None else [snapshot.logits]
    if snapshot.sampler is not None:
        arrays += [snapshot.sampler.ids, snapshot.sampler.counts]
    return sum(zlib.crc32(array.tobytes()) for array in arrays)


@pytest.fixture
def desk(folders: Folders, loaded: tuple[Model, ...]) -> Iterator[Desk]:
    opened = Desk(folders, loaded)
    yield opened
    opened.close()


def _act(desk: Desk, chance: random.Random, loaded: tuple[Model, ...]) -> None:
    """Do one thing that a user, a crash or a full disk can do, then have a reply written."""
    replies = [
        node
        for question in _questions(desk)
        for node in desk.store.children(desk.chat, question.id)
    ]
    match chance.randrange(10):
        case 0 | 1 | 2:
            desk.model = chance.choice(loaded)
        case 3:
            desk.system = chance.choice(["", "", "Be kind."])
        case 4:
            desk.restart(chance.choice([0, 1 << 20]), chance.choice([0, 4_000_000_000]))
        case 5:
            desk.lose_files()
    think = chance.choice(desk.model.template.think_modes)
    what = chance.randrange(4) if replies else 0
    if what == 0:
        parent = chance.choice(replies).id if replies else None
        desk.store.add_node(desk.chat, parent, "user", f"Tell me {chance.random()}")
    if what in (0, 1):
        asked = (_questions(desk)[-1] if what == 0 else chance.choice(_questions(desk))).id
        reply = desk.store.add_node(
            desk.chat, asked, "assistant", "", status="writing", think=think
        )
    else:
        reply = chance.choice(replies[-3:])
    seed = chance.randrange(4)
    stop = (chance.choice("aeiou \n"),) if chance.random() < 0.3 else ()
    bias = ((LETTER, 1000.0),) if chance.random() < 0.5 else ()
    limit = chance.choice([None, None, -1, 0, 1, 5])
    desk.run(reply, replace(PARAMS, seed=seed, stop=stop, bias=bias), limit)
    desk.require_agreement(reply.id)


def _questions(desk: Desk) -> list[Node]:
    found: list[Node] = []
    layer = desk.store.children(desk.chat, None)
    while layer:
        found += [node for node in layer if node.role == "user"]
        layer = [child for node in layer for child in desk.store.children(desk.chat, node.id)]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_kept_state_has_read_what_is_shown(
    desk: Desk, loaded: tuple[Model, ...], seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        _act(desk, chance, loaded)
    desk.require_untouched()


@pytest.mark.parametrize("other", [1, 2], ids=["same vocabulary", "another"])
def test_a_reply_that_three_models_in_turn_go_on_with(
    desk: Desk, loaded: tuple[Model, ...], other: int
) -> None:
    question = desk.store.add_node(desk.chat, None, "user", "Hello")
    reply = desk.store.add_node(desk.chat, question.id, "assistant", "", status="writing")
    letters = replace(PARAMS, temperature=0, bias=((LETTER, 1000.0),), presence_penalty=0.0)
    for model in (loaded[0], loaded[other], loaded[0], loaded[other]):
        desk.model = model
        desk.run(desk.store.node(reply.id), letters, None)
        assert desk.store.node(reply.id).model == model.info.name
        desk.require_agreement(reply.id)
