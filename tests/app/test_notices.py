"""Which notice stands over the page: by importance, one at a time."""

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.notices import Importance, Notices
from app.widgets.notice import Notice


class Place:
    """A banner in its frame, as in the window."""

    def __init__(self, qtbot, theme) -> None:
        self.frame = QWidget()
        qtbot.addWidget(self.frame)
        self.banner = Notice(theme)
        QVBoxLayout(self.frame).addWidget(self.banner)
        self.notices = Notices(self.banner, self.frame)
        self.answers: list[str] = []

    def shown(self) -> str:
        found = self.banner.findChild(QLabel, "notice_message")
        assert isinstance(found, QLabel)
        assert self.frame.isVisible() == self.banner.isVisible()
        return found.text() if self.banner.isVisible() else ""

    def close(self) -> None:
        found = self.banner.findChild(QToolButton, "notice_close")
        assert isinstance(found, QToolButton)
        found.click()

    def answer(self, text: str) -> None:
        buttons = [b for b in self.banner.findChildren(QPushButton) if b.isVisible()]
        next(button for button in buttons if button.text() == text).click()

    def note(self, text: str) -> Callable[[], None]:
        return lambda: self.answers.append(text)

    def ask(self, key: str, importance: Importance = Importance.OFFER) -> None:
        actions = (("Yes", self.note(f"{key} yes")), ("No", self.note(f"{key} no")))
        self.notices.offer(
            key,
            f"{key}?",
            actions=actions,
            importance=importance,
            put_off=self.note(f"{key} later"),
        )


@pytest.fixture
def place(qtbot, theme) -> Place:
    return Place(qtbot, theme)


def test_the_most_important_goes_first_and_nothing_is_lost(place: Place) -> None:
    place.ask("news", Importance.NEWS)
    place.ask("pack")
    place.notices.show("It crashed.", tone="warning")
    place.notices.show("The chats were mended.", tone="warning")
    place.ask("updates")
    order = []
    while place.shown():
        order.append(place.shown())
        place.close()
    assert order == ["It crashed.", "The chats were mended.", "pack?", "updates?", "news?"]
    assert place.answers == ["pack later", "updates later", "news later"]


def test_a_failure_takes_the_place_of_a_failure_but_only_puts_an_offer_off(place: Place) -> None:
    place.ask("pack")
    for number in range(10):
        place.notices.show(f"Failure {number}.", tone="danger")
    assert place.shown() == "Failure 9."
    place.close()
    assert place.shown() == "pack?"
    assert place.answers == []


def test_an_answer_closes_an_offer_and_is_no_putting_off(place: Place) -> None:
    place.ask("pack")
    place.ask("updates")
    place.answer("Yes")
    assert place.answers == ["pack yes"]
    assert place.shown() == "updates?"
    place.answer("No")
    assert place.answers == ["pack yes", "updates no"]
    assert place.shown() == ""


def test_an_answer_may_show_the_next_notice_itself(place: Place) -> None:
    go = ("Go", lambda: place.notices.show("Done.", tone="success"))
    place.notices.offer("pack", "pack?", actions=(go,))
    place.answer("Go")
    assert place.shown() == "Done."


def test_a_button_of_what_happened_leaves_it_there(place: Place) -> None:
    place.notices.show("It crashed.", actions=(("Show report", place.note("report")),))
    place.answer("Show report")
    assert place.answers == ["report"]
    assert place.shown() == "It crashed."


def test_what_is_withdrawn_is_gone_wherever_it_was(place: Place) -> None:
    place.ask("pack")
    place.ask("updates")
    place.ask("news", Importance.NEWS)
    place.notices.withdraw("updates")
    place.notices.withdraw("pack")
    assert place.shown() == "news?"
    place.notices.withdraw("news")
    assert place.shown() == ""
    assert place.answers == []


def test_an_offer_is_made_once_however_often(place: Place) -> None:
    place.notices.show("It crashed.", tone="danger")
    for _ in range(3):
        place.ask("pack")
        place.notices.show("The disk is nearly full.", tone="warning")
    assert place.notices.waiting == 2
