import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLineEdit, QMenu, QWidget

from app.models.conversations import ConversationModel
from engine.store import Store


@pytest.fixture
def three(store: Store, conversations: ConversationModel) -> list[int]:
    made = [store.create_conversation(title).id for title in ("alpha", "beta", "gamma")]
    conversations.refresh()
    return made


def test_click_opens_a_chat(qtbot, shell, three, conversations):
    chats = shell.find("chat_list")
    place = chats.visualRect(conversations.index_of(three[0])).center()
    with qtbot.waitSignal(shell.window.chat_chosen) as caught:
        qtbot.mouseClick(chats.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == [three[0]]


def test_click_on_a_heading_does_nothing(qtbot, shell, three, conversations):
    chats = shell.find("chat_list")
    with qtbot.assertNotEmitted(shell.window.chat_chosen):
        qtbot.mouseClick(
            chats.viewport(),
            Qt.MouseButton.LeftButton,
            pos=chats.visualRect(conversations.index(0)).center(),
        )


def test_keys_walk_open_and_delete(qtbot, shell, three, conversations, titles):
    chats = shell.find("chat_list")
    chats.setFocus()
    chats.setCurrentIndex(conversations.index_of(three[2]))
    qtbot.keyClick(chats, Qt.Key.Key_Down)
    with qtbot.waitSignal(shell.window.chat_chosen) as caught:
        qtbot.keyClick(chats, Qt.Key.Key_Return)
    assert caught.args == [three[1]]
    qtbot.keyClick(chats, Qt.Key.Key_Delete)
    assert titles() == ["gamma", "alpha"]
    assert chats.current_chat() == three[0]


def test_delete_can_be_undone_from_the_toast(qtbot, shell, three, conversations, titles):
    conversations.delete(three[1])
    assert titles() == ["gamma", "alpha"]
    assert shell.window.toast.text == "Deleted “beta”"
    undo = shell.find("toast_action")
    assert undo.isVisible()
    qtbot.mouseClick(undo, Qt.MouseButton.LeftButton)
    assert titles() == ["gamma", "beta", "alpha"]
    assert shell.window.toast.text == ""


def test_rename_inline_with_f2(qtbot, shell, three, conversations, store: Store):
    chats = shell.find("chat_list")
    chats.setFocus()
    chats.setCurrentIndex(conversations.index_of(three[0]))
    qtbot.keyClick(chats, Qt.Key.Key_F2)
    field = chats.findChild(QLineEdit, "rename_field")
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, "omega")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: store.conversation(three[0]).title == "omega")


def test_a_reply_that_ends_leaves_the_new_title_as_it_is_typed(
    qtbot, shell, three, conversations: ConversationModel
):
    conversations.set_busy(frozenset({three[0]}))
    chats = shell.window.sidebar.list
    chats.start_rename(three[0])
    field = chats.findChild(QLineEdit, "rename_field")
    assert field is not None
    qtbot.keyClicks(field, "Something ne")
    conversations.set_busy(frozenset())
    assert field.text() == "Something ne"


def test_rename_ends_with_escape_and_stops_nothing(qtbot, shell, three, conversations, store):
    shell.window.sidebar.list.start_rename(three[0])
    field = shell.window.sidebar.list.findChild(QLineEdit, "rename_field")
    qtbot.keyClicks(field, "x")
    with qtbot.assertNotEmitted(shell.window.command):
        qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert store.conversation(three[0]).title == "alpha"


def test_menu_pins_and_unpins(shell, three, conversations, store: Store):
    made = shell.window.sidebar.list.chat_menu(three[1])
    assert isinstance(made, QMenu)
    actions = {action.objectName(): action for action in made.actions()}
    actions["pin_chat"].trigger()
    assert store.conversation(three[1]).pinned
    assert conversations.data(conversations.index(0)) == "Pinned"
    actions["delete_chat"].trigger()
    assert shell.window.sidebar.list.chat_menu(three[1]) is None


def test_click_on_the_dots_opens_the_menu(qtbot, shell, three, conversations):
    chats = shell.window.sidebar.list
    row = chats.visualRect(conversations.index_of(three[0]))
    with qtbot.assertNotEmitted(shell.window.chat_chosen):
        place = chats.delegate.mark_rect(row).center()
        qtbot.mouseClick(chats.viewport(), Qt.MouseButton.LeftButton, pos=place)
    menu = chats.findChild(QMenu, "chat_menu")
    assert menu.isVisible()
    menu.close()


def test_search_waits_a_moment_then_narrows(qtbot, shell, three, titles):
    search = shell.find("chat_search")
    qtbot.keyClicks(search, "bet")
    qtbot.waitUntil(lambda: titles() == ["beta"])
    with qtbot.waitSignal(shell.window.chat_chosen) as caught:
        qtbot.keyClick(search, Qt.Key.Key_Return)
    assert caught.args == [three[1]]
    qtbot.keyClick(search, Qt.Key.Key_Escape)
    assert search.text() == ""
    qtbot.waitUntil(lambda: len(titles()) == 3)


def test_search_without_a_hit_says_so(qtbot, shell, three, conversations):
    conversations.set_search("zzz")
    empty = shell.window.sidebar.findChild(QWidget, "empty_state")
    assert empty.isVisible()
    assert "zzz" in empty.accessibleName()


def test_empty_list_says_what_to_do(shell):
    empty = shell.window.sidebar.findChild(QWidget, "empty_state")
    assert empty.isVisible()
    assert "Write a message" in empty.accessibleName()


def test_down_from_search_goes_into_the_list(qtbot, shell, three):
    shell.window.activateWindow()
    qtbot.keyClick(shell.find("chat_search"), Qt.Key.Key_Down)
    assert shell.window.sidebar.list.current_chat() == three[2]


def test_drawing_survives_every_state(shell, three, conversations, theme, qapp):
    conversations.set_open(three[0])
    conversations.set_busy(frozenset({three[1]}))
    conversations.set_pinned(three[2], True)
    for mode, scale in (("dark", 2.0), ("light", 1.0)):
        theme.apply(qapp, mode, scale)
        assert not shell.window.sidebar.grab().isNull()
    assert shell.window.sidebar.list.indexAt(QPoint(10, 10)).isValid()
