"""The sidebar's rows: order, deleting and undo, search in any language."""

import time

import pytest

from engine.errors import StoreError
from engine.store import Store


def _chat(store: Store, *texts: str, title: str = "") -> int:
    chat = store.create_conversation(title)
    parent = None
    for text in texts:
        parent = store.add_node(chat.id, parent, "user", text).id
    return chat.id


def _found(store: Store, words: str) -> list[int]:
    return [chat.id for chat in store.conversations(words)]


def test_a_chat_keeps_title_and_settings(store):
    chat = store.create_conversation("Weather", {"think": "off", "sampling": {"top_p": 0.5}})
    store.rename(chat.id, "Rain")
    store.set_settings(chat.id, {"think": "fast"})
    again = store.conversation(chat.id)
    assert (again.title, again.settings) == ("Rain", {"think": "fast"})
    assert abs(again.created - time.time()) < 60


def test_pinned_first_then_the_newest(store):
    a, b, c = (_chat(store, name) for name in "abc")
    store.add_node(a, None, "user", "again")
    store.pin(b, True)
    assert _found(store, "") == [b, a, c]
    store.pin(b, False)
    assert _found(store, "") == [a, c, b]


def test_delete_undo_and_purge(store):
    a, b = _chat(store, "one"), _chat(store, "two")
    store.delete(a)
    assert _found(store, "") == [b]
    assert _found(store, "one") == []
    store.restore(a)
    assert _found(store, "one") == [a]
    store.delete(a)
    store.purge_deleted(time.time() - 60)
    assert store.conversation(a).deleted
    store.purge_deleted(time.time() + 1)
    with pytest.raises(StoreError):
        store.conversation(a)
    assert _found(store, "") == [b]


def test_a_chat_of_3000_messages_is_purged_at_once(store):
    chat = store.create_conversation()
    with store._database.write():
        parent = None
        for i in range(3000):
            parent = store.add_node(chat.id, parent, "user", str(i)).id
    assert len(store.path_to(parent)) == 3000
    store.delete(chat.id)
    store.purge_deleted(time.time() + 1)
    assert store._database.read("SELECT count(*) FROM node")[0][0] == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("世界和平", True),
        ("世界", True),  # below three characters
        ("界", True),
        ("東京タワー", True),
        ("東京 hello", True),  # each word somewhere in the chat
        ("HELLO", True),
        ("100%", True),
        ("a_b", True),
        ("%", True),
        ("_", True),
        ("\\", True),
        ('"quoted"', True),
        ("o%d", False),  # % and _ are no wildcards
        ("l_", False),
        ("世间", False),
        ("东京", False),
        ("hello 东京", False),
        ("AND", False),
        ("NEAR(", False),
        ("*", False),
    ],
)
def test_search(store, words, found):
    chat = _chat(store, 'Hello world "quoted" 100% a_b \\', "我希望世界和平。", "東京タワーは高い")
    _chat(store, "nothing of it", title="other")
    assert _found(store, words) == ([chat] if found else [])


def test_search_finds_titles_and_follows_changes(store):
    chat = _chat(store, title="夏休みの計画")
    assert _found(store, "夏休み") == _found(store, "計画") == [chat]
    store.rename(chat, "Winter")
    assert _found(store, "夏休み") == []
    assert _found(store, "winter") == [chat]
    node = store.add_node(chat, None, "assistant", "", status="writing")
    store.update_node(node.id, text="snow")
    store.update_node(node.id, text="snowfall", status="done")
    assert _found(store, "snowfall") == [chat]
    store.update_node(node.id, text="sun")
    assert _found(store, "snow") == []
    assert _found(store, "sun") == [chat]


def test_search_does_not_find_what_was_deleted(store):
    chat = _chat(store, "first words", "second words")
    token = store.delete_node(store.conversation(chat).current_node)
    assert _found(store, "second") == []
    store.restore_node(token)
    assert _found(store, "second") == [chat]


def test_a_hit_shows_the_place(store):
    chat = _chat(store, "x " * 100 + "needle in\nhay" + " y" * 100)
    (hit,) = store.search("needle")
    assert hit.conversation.id == chat
    assert "needle in hay" in hit.snippet
    assert hit.snippet.startswith("…")
    assert hit.snippet.endswith("…")
    assert len(hit.snippet) < 130


def test_lone_surrogates_and_zeros_are_kept_or_replaced(store):
    chat = _chat(store, "a\ud800b \ud83d\ude00 \0 \u202eאבג 🧑‍🚀", title="\udfff")
    assert store.conversation(chat).title == "\ufffd"
    current = store.conversation(chat).current_node
    assert store.node(current).text == "a\ufffdb 😀 \0 \u202eאבג 🧑‍🚀"
    assert len(store.conversations("\ud800")) == 1


def test_a_thousand_chats_are_listed_within_a_frame(store):
    with store._database.write():
        for i in range(1000):
            store.create_conversation(f"chat {i}", {"system": "x" * 200, "top_p": 0.5})
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert len(store.conversations()) == 1000
        times.append(time.perf_counter() - began)
    assert min(times) < 0.016
