"""The state after a reply becomes a persona; without a state it is said what to do."""

from collections.abc import Iterator

import pytest
import torch

from engine.archive import StateArchive
from engine.errors import EngineError
from engine.reply_persona import save_reply_as_persona
from engine.snapshot import Snapshot
from engine.state import State
from engine.store import Node, Store

WEIGHTS = "weights"


@pytest.fixture
def store(folders) -> Iterator[Store]:
    opened = Store(folders.database)
    yield opened
    opened.close()


@pytest.fixture
def archive(folders, store: Store) -> Iterator[StateArchive]:
    opened = StateArchive(folders.states, store)
    yield opened
    opened.close()


@pytest.fixture
def reply(store: Store) -> Node:
    chat = store.create_conversation().id
    question = store.add_node(chat, None, "user", "x")
    made = store.add_node(chat, question.id, "assistant", "", model="rwkv7-one")
    store.update_node(made.id, text="abc", tokens=(5, 6, 7), fingerprint=WEIGHTS)
    return store.node(made.id)


def keep(
    archive: StateArchive, reply: Node, position: int, *, weights: str = WEIGHTS, key: str = "k"
) -> Snapshot:
    state = State(
        torch.randn(2, 8), torch.randn(2, 2, 4, 4), torch.randn(2, 8), tokens_read=40 + position
    )
    snapshot = Snapshot(state, torch.randn(9).numpy())
    archive.put(reply.id, key, position, weights, snapshot, disk=True)
    return snapshot


def test_it_is_the_state_after_the_whole_reply_of_these_weights(archive, store, reply) -> None:
    keep(archive, reply, 2)
    kept = keep(archive, reply, 3, key="another prefix")
    keep(archive, reply, 3, weights="others")
    persona = save_reply_as_persona(store, archive, reply.id, "  Old   Pirate ")
    assert (persona.name, persona.tokens_read) == ("Old Pirate", 43)
    assert (persona.fingerprint, persona.notes["model"]) == (WEIGHTS, "rwkv7-one")
    found = archive.load_persona("Old Pirate")
    assert torch.equal(found.state.wkv, kept.state.wkv)
    assert found.logits is None


def test_without_a_state_of_the_whole_reply_nothing_is_saved(archive, store, reply) -> None:
    keep(archive, reply, 2)
    with pytest.raises(EngineError, match="no longer kept") as caught:
        save_reply_as_persona(store, archive, reply.id, "Half")
    assert "Regenerate" in caught.value.hint
    assert archive.personas() == []


def test_a_damaged_state_is_passed_over(archive, store, reply) -> None:
    older = keep(archive, reply, 3, key="one")
    keep(archive, reply, 3, key="two")
    archive.flush()
    newest = max(store.checkpoints.of_node(reply.id), key=lambda row: row.id)
    archive.path_of(newest).write_bytes(b"not a state")
    save_reply_as_persona(store, archive, reply.id, "Ada")
    assert torch.equal(archive.load_persona("Ada").state.wkv, older.state.wkv)
