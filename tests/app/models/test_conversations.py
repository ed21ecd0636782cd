import sqlite3
import time
from collections.abc import Callable
from datetime import date, datetime

import pytest
from PySide6.QtCore import Qt

from app.models.conversations import ConversationModel, Role, group
from engine.store import Conversation, Store

HEADINGS = ("pinned", "today", "yesterday", "week", "older")


def chat(id: int, updated: datetime, pinned: bool = False) -> Conversation:
    stamp = updated.timestamp()
    return Conversation(id, f"chat {id}", stamp, stamp, pinned, None, None, {})


def rows(model: ConversationModel) -> list[str]:
    return [model.data(model.index(place)) for place in range(model.rowCount())]


def test_chats_are_grouped_by_local_date():
    chats = [
        chat(1, datetime(2020, 1, 1), pinned=True),
        chat(2, datetime(2026, 3, 1, 0, 0, 1)),
        chat(3, datetime(2026, 2, 28, 23, 59)),
        chat(4, datetime(2026, 2, 22)),
        chat(5, datetime(2026, 2, 21, 0, 0)),
        chat(6, datetime(2026, 2, 20, 23, 59)),
        chat(7, datetime(2026, 3, 9)),
    ]
    found = group(chats, date(2026, 3, 1), HEADINGS)
    text = [row.conversation.id if row.conversation else row.heading for row in found]
    assert text == ["pinned", 1, "today", 2, 7, "yesterday", 3, "week", 4, "older", 5, 6]


def test_nothing_is_an_empty_list():
    assert group([], date(2026, 3, 1), HEADINGS) == []


def test_model_passes_qts_tester(qtmodeltester, conversations, store: Store):
    for number in range(5):
        store.create_conversation(f"chat {number}")
    conversations.refresh()
    qtmodeltester.check(conversations)
    conversations.set_search("3")
    qtmodeltester.check(conversations)


def test_rename_pin_delete_restore(qtbot, conversations, store: Store, titles: Callable):
    first = store.create_conversation("first")
    second = store.create_conversation("second")
    conversations.refresh()
    assert rows(conversations) == ["Today", "second", "first"]
    assert conversations.setData(conversations.index_of(first.id), "  a  new\nname ")
    assert store.conversation(first.id).title == "a new name"
    assert not conversations.rename(first.id, "   ")
    conversations.set_pinned(first.id, True)
    assert rows(conversations) == ["Pinned", "a new name", "Today", "second"]
    with qtbot.waitSignal(conversations.deleted) as caught:
        conversations.delete(second.id)
    assert caught.args == [second.id, "second"]
    assert titles() == ["a new name"]
    conversations.restore(second.id)
    assert titles() == ["a new name", "second"]


def test_search_narrows_and_finds_chinese(conversations, store: Store, titles: Callable):
    store.create_conversation("Geese")
    store.create_conversation("写一首关于秋天的诗")
    conversations.set_search("秋天")
    assert titles() == ["写一首关于秋天的诗"]
    conversations.set_search("")
    assert len(titles()) == 2


def test_small_changes_do_not_reset_the_view(qtbot, conversations, store: Store):
    made = store.create_conversation("one")
    conversations.refresh()
    with qtbot.assertNotEmitted(conversations.modelReset):
        conversations.rename(made.id, "two")
        conversations.set_open(made.id)
        conversations.set_busy(frozenset({made.id}))
    at = conversations.index_of(made.id)
    assert at.data(Role.OPEN)
    assert at.data(Role.BUSY)
    assert at.data(Qt.ItemDataRole.AccessibleTextRole) == "two, open, writing"


def test_headings_cannot_be_chosen_or_edited(conversations, store: Store):
    store.create_conversation("one")
    conversations.refresh()
    heading = conversations.index(0)
    assert heading.data(Role.HEADING)
    assert conversations.flags(heading) == Qt.ItemFlag.NoItemFlags
    assert not conversations.setData(heading, "x")


def test_untitled_chats_have_a_name(conversations, store: Store):
    store.create_conversation("")
    conversations.refresh()
    assert rows(conversations)[1] == "New chat"


def test_a_closed_store_is_told_not_raised(qtbot, conversations, store: Store):
    store.close()
    with qtbot.waitSignal(conversations.failed) as caught:
        conversations.refresh()
    assert caught.args[0].endswith(".")


def test_ten_thousand_chats_are_listed_quickly(conversations, store: Store, folders):
    with sqlite3.connect(folders.database) as connection:
        values = [(f"chat {n}", n, n) for n in range(10_000)]
        connection.executemany(
            "INSERT INTO conversation(title, created, updated, settings) VALUES (?, ?, ?, '{}')",
            values,
        )
    connection.close()
    began = time.perf_counter()
    conversations.refresh()
    assert conversations.rowCount() == 10_001
    assert time.perf_counter() - began < 1.5


@pytest.mark.parametrize("role", list(Role))
def test_invalid_index_answers_nothing(conversations, role: Role):
    assert conversations.data(conversations.index(99), role) is None
