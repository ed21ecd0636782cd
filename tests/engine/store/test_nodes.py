"""The tree of messages: branches, deleting with undo, and what is shown afterwards."""

import time
from types import SimpleNamespace

import pytest

from engine.errors import StoreError
from engine.store import Store


@pytest.fixture
def tree(store: Store) -> SimpleNamespace:
    """q1 -> a1 (versions a, b), b -> q2 -> a2."""
    chat = store.create_conversation("t").id
    q1 = store.add_node(chat, None, "user", "q1").id
    a = store.add_node(chat, q1, "assistant", "a").id
    b = store.add_node(chat, q1, "assistant", "b").id
    q2 = store.add_node(chat, b, "user", "q2").id
    a2 = store.add_node(chat, q2, "assistant", "a2").id
    return SimpleNamespace(chat=chat, q1=q1, a=a, b=b, q2=q2, a2=a2)


def _shown(store: Store, tree: SimpleNamespace) -> int | None:
    return store.conversation(tree.chat).current_node


def test_all_fields_round_trip(store):
    chat = store.create_conversation().id
    made = store.add_node(
        chat, None, "assistant", "", status="writing", think="fast", model="m", fingerprint="f"
    )
    assert store.node(made.id) == made
    tokens = (0, 1, 65535, 2**32 - 1)
    store.update_node(made.id, text="t", tokens=tokens, stats={"seconds": 0.5}, error="e")
    store.update_node(made.id, status="failed")
    node = store.node(made.id)
    assert (node.text, node.tokens, node.status) == ("t", tokens, "failed")
    assert (node.stats, node.error, node.think) == ({"seconds": 0.5}, "e", "fast")


def test_path_children_versions(store, tree):
    assert [n.text for n in store.path_to(tree.a2)] == ["q1", "b", "q2", "a2"]
    assert [n.id for n in store.children(tree.chat, tree.q1)] == [tree.a, tree.b]
    assert [n.id for n in store.children(tree.chat, None)] == [tree.q1]
    versions = store.sibling_ids(store.path_to(tree.a2))
    assert versions[tree.b] == (tree.a, tree.b)
    assert versions[tree.q1] == (tree.q1,)
    assert store.leaf_below(tree.q1) == tree.a2
    assert store.leaf_below(tree.a) == tree.a


def test_the_newest_node_is_current(store, tree):
    assert _shown(store, tree) == tree.a2
    store.set_current(tree.chat, tree.a)
    assert _shown(store, tree) == tree.a


def test_deleting_falls_back_to_another_version_or_the_parent(store, tree):
    store.delete_node(tree.b)
    assert _shown(store, tree) == tree.a
    store.delete_node(tree.a)
    assert _shown(store, tree) == tree.q1
    store.delete_node(tree.q1)
    assert _shown(store, tree) is None
    assert store.children(tree.chat, None) == []


def test_deleting_elsewhere_changes_nothing_that_is_shown(store, tree):
    store.delete_node(tree.a)
    assert _shown(store, tree) == tree.a2


def test_undo_brings_back_exactly_what_that_deletion_hid(store, tree):
    first = store.delete_node(tree.a2)
    second = store.delete_node(tree.b)
    assert _shown(store, tree) == tree.a
    store.restore_node(second)
    assert _shown(store, tree) == tree.q2
    assert store.children(tree.chat, tree.q2) == []
    store.restore_node(first)
    assert _shown(store, tree) == tree.a2


def test_purging_removes_hidden_messages_for_good(store, tree):
    token = store.delete_node(tree.b)
    store.purge_deleted(time.time() + 1)
    with pytest.raises(StoreError):
        store.node(tree.a2)
    with pytest.raises(StoreError):
        store.restore_node(token)
    assert [n.id for n in store.path_to(tree.a)] == [tree.q1, tree.a]
    store.update_node(tree.a2, text="late")  # the engine may still be writing it


def test_a_parent_must_be_of_the_same_chat(store, tree):
    other = store.create_conversation().id
    for chat, parent in ((other, tree.q1), (tree.chat, 999), (999, None)):
        with pytest.raises(StoreError):
            store.add_node(chat, parent, "user", "x")


def test_an_id_is_never_used_twice(store, tree):
    store.delete(tree.chat)
    store.purge_deleted(time.time() + 1)
    chat = store.create_conversation().id
    assert store.add_node(chat, None, "user", "x").id > tree.a2


def test_recover_stops_what_was_being_written(store, tree):
    node = store.add_node(tree.chat, tree.q2, "assistant", "half", status="writing")
    assert store.recover() == 1
    assert store.node(node.id).status == "stopped"
    assert store.conversations("half")
