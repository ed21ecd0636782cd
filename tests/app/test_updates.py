"""Updates through the real window, from a real server with releases that are built and signed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QToolButton, QWidget

from app.pages.settings_page import SettingsPage
from app.restart import Restart
from app.services.updates import UpdateService
from app.settings import SettingsStore
from app.update_desk import UpdateDesk
from app.whats_new import notes_between, unwrapped
from app.window import MainWindow
from engine.installation import Installation
from engine.updates.source import UpdateSource
from tests.engine.updates.kit import (
    APP,
    SHARED,
    Publisher,
    installation_of,
    installed,
    line,
    new_publisher,
    start,
)
from tests.hub_server import Faults, HubServer
from tests.installers.tree_kit import make_root

NEWER = {**SHARED, APP: "print('new app')\n"}
DAY_S = 24 * 3600


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    from huggingface_hub.utils import close_session

    close_session()
    with HubServer() as server:
        yield new_publisher(tmp_path / "releases", server)
    close_session()


@pytest.fixture
def copy(tmp_path: Path, publisher: Publisher) -> Installation:
    """Version 0.1.0 as a person has it."""
    found = installed(tmp_path / "ünï 中 dir" / "skein")
    publisher.trees["0.1.0"] = found.tree
    return found


@dataclass
class Drive:
    """The window with its settings page, and a desk over one copy."""

    qtbot: object
    window: MainWindow
    page: SettingsPage
    settings: SettingsStore
    updates: UpdateService
    desk: UpdateDesk
    restart: Restart
    closed: list[str]

    def wait(self, done: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(done()), timeout=10_000)  # type: ignore[attr-defined]

    def wait_for(self, *statuses: str) -> None:
        self.wait(lambda: self.updates.stand.status in statuses)

    def notice(self) -> str:
        found = self.window.notice.findChild(QLabel, "notice_message")
        assert isinstance(found, QLabel)
        return found.text() if self.window.notice.isVisible() else ""

    def hint(self) -> str:
        found = self.window.notice.findChild(QLabel, "notice_hint")
        assert isinstance(found, QLabel)
        return found.text()

    def answer(self, text: str) -> None:
        self.press(text, self.window.notice)

    def close_notice(self) -> None:
        found = self.window.notice.findChild(QToolButton, "notice_close")
        assert isinstance(found, QToolButton)
        found.click()

    def about(self) -> None:
        self.window.show_page("settings")
        self.page.show_section("about")

    def press(self, text: str, within: QWidget | None = None) -> None:
        next(button for button in self.buttons(within) if button.text() == text).click()

    def buttons(self, within: QWidget | None = None) -> list[QPushButton]:
        found = (within or self.page).findChildren(QPushButton)
        return [button for button in found if button.isVisible()]

    def texts(self, within: QWidget | None = None) -> str:
        found = (within or self.page).findChildren(QLabel)
        return "\n".join(label.text() for label in found if label.isVisible())


@pytest.fixture
def drive(
    qtbot, theme, settings, folders, store, conversations, no_updates
) -> Iterator[Callable[..., Drive]]:
    """Return what makes a Drive over a copy and a source."""
    made: list[Drive] = []

    def make(
        copy: Installation | None, source: UpdateSource, *, safe: bool = False, begin: bool = True
    ) -> Drive:
        updates = UpdateService(source, copy, folders, lambda: settings.values)
        page = SettingsPage(theme, settings, folders, updates)
        pages = {"chat": QWidget(), "settings": page}
        window = MainWindow(theme, settings, conversations, pages, store.conversations)
        qtbot.addWidget(window)
        closed: list[str] = []
        restart = Restart(lambda: closed.append("window"))
        desk = UpdateDesk(window, page, theme, settings, updates, restart, safe=safe)
        window.show()
        qtbot.waitExposed(window)
        made.append(Drive(qtbot, window, page, settings, updates, desk, restart, closed))
        if begin:
            desk.begin()
        return made[-1]

    yield make
    for one in made:
        one.updates.close()
        one.window.close()
    settings.flush()


def fresh(copy: Installation, version: str = "0.1.0") -> Installation:
    return installation_of(copy.root, version)


# ---- the question -----------------------------------------------------------------------------


def test_nobody_is_asked_before_the_user_agreed_and_yes_leads_to_the_new_version(
    drive, publisher, copy
) -> None:
    publisher.publish("0.2.0", NEWER)
    one = drive(copy, publisher.source)
    assert one.notice() == "Shall Skein look for newer versions by itself?"
    assert "127.0.0.1" in one.hint()
    assert "nothing about you" in one.hint()
    assert publisher.server.requests == []

    one.answer("Yes, once a day")
    one.wait_for("available")
    assert one.settings.get("check_updates") == "yes"
    assert abs(one.settings.get("last_update_check") - time.time()) < 60
    sent = [(request.method, request.path) for request in publisher.server.requests]
    assert all(method == "GET" and "?" not in path for method, path in sent)
    assert not any("0.1.0" in str(request) for request in publisher.server.requests)

    one.wait(lambda: one.notice() == "Skein 0.2.0 is there.")
    one.answer("Download")
    assert one.window.toast.text == "Fetching Skein…"
    one.wait_for("ready")
    assert one.notice() == "Skein 0.2.0 is ready."
    assert one.window.toast.text == ""
    assert line(copy.root / "next") == "0.2.0"
    assert line(copy.root / "current") == "0.1.0"
    one.answer("Start again now")
    assert one.closed == ["window"]
    assert one.restart.command
    assert start(copy.root) == "new app"


@pytest.mark.parametrize("way", ["no", "closed"])
def test_no_and_a_closed_question_are_a_no_and_it_is_asked_once(
    drive, publisher, copy, way: str
) -> None:
    publisher.publish("0.2.0", NEWER)
    one = drive(copy, publisher.source)
    if way == "no":
        one.answer("No")
    else:
        one.close_notice()
    assert one.settings.get("check_updates") == "no"
    assert one.notice() == ""
    again = drive(copy, publisher.source)
    assert again.notice() == ""
    assert publisher.server.requests == []


def test_the_switch_in_settings_answers_the_question(drive, publisher, copy) -> None:
    publisher.publish("0.1.0", SHARED)
    one = drive(copy, publisher.source)
    one.about()
    box = one.page.findChild(QCheckBox, "check_updates")
    assert isinstance(box, QCheckBox)
    assert not box.isChecked()
    box.click()
    assert one.notice() == ""
    one.wait_for("newest")
    assert "This is the newest version" in one.texts()
    box.click()
    assert one.settings.get("check_updates") == "no"


# ---- when it is looked ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_s_ago", "asks"),
    [(60, False), (DAY_S + 60, True), (-30 * DAY_S, True)],
    ids=["a minute ago", "yesterday", "the clock was set back"],
)
def test_it_is_looked_once_a_day(drive, publisher, copy, settings, last_s_ago, asks) -> None:
    publisher.publish("0.1.0", SHARED)
    settings.set("check_updates", "yes")
    settings.set("last_update_check", int(time.time()) - last_s_ago)
    one = drive(copy, publisher.source)
    if asks:
        one.wait_for("newest")
    assert one.updates.busy is False
    assert bool(publisher.server.requests) is asks
    publisher.server.reset()
    one.desk.look_if_due()
    assert one.updates.busy is False


@pytest.mark.parametrize("why", ["offline", "safe"])
def test_offline_and_in_a_safe_start_nobody_is_asked(
    drive, publisher, copy, settings, why: str
) -> None:
    publisher.publish("0.2.0", NEWER)
    settings.set("check_updates", "yes")
    settings.set("offline", why == "offline")
    one = drive(copy, publisher.source, safe=why == "safe")
    assert one.updates.busy is False
    assert publisher.server.requests == []


def test_offline_a_look_that_is_asked_for_says_why_not(drive, publisher, copy, settings) -> None:
    settings.set("offline", True)
    one = drive(copy, publisher.source)
    one.about()
    one.press("Look now")
    one.wait_for("unchecked")
    assert "offline" in one.texts()
    assert publisher.server.requests == []
    assert one.settings.get("last_update_check") == 0


def test_a_look_by_itself_that_fails_disturbs_nobody(drive, publisher, copy, settings) -> None:
    publisher.publish("0.2.0", NEWER)
    publisher.offer(b'{"format": 1}', b"bm8=")
    settings.set("check_updates", "yes")
    one = drive(copy, publisher.source)
    one.wait_for("unchecked")
    assert one.notice() == ""
    assert one.settings.get("last_update_check") > 0
    one.about()
    assert "not signed by Skein's makers" in one.texts()


# ---- fetching ---------------------------------------------------------------------------------


def found(drive, publisher: Publisher, copy: Installation, settings: SettingsStore) -> Drive:
    """Let the panel find 0.2.0, with a download that takes its time."""
    settings.set("check_updates", "no")
    publisher.publish("0.2.0", {**NEWER, "python/big.bin": Random(7).randbytes(1_000_000)})
    one = drive(copy, publisher.source)
    one.about()
    one.press("Look now")
    one.wait_for("available")
    return one


def test_the_panel_fetches_pauses_goes_on_and_starts_again(
    drive, publisher, copy, settings
) -> None:
    one = found(drive, publisher, copy, settings)
    assert "Skein 0.2.0 is there" in one.texts()
    assert one.notice() == ""  # what is looked at is not said twice
    publisher.server.faults = Faults(piece_delay_s=0.05)
    one.press("Download")
    one.wait(lambda: one.updates.stand.received > 0)
    assert "Fetching Skein 0.2.0" in one.texts()
    one.press("Pause")
    one.wait_for("paused")
    assert {b.text() for b in one.buttons()} >= {"Go on", "Cancel"}
    assert one.updates.stand.received > 60_000
    publisher.server.faults = Faults()
    one.press("Go on")
    one.wait_for("ready")
    assert "it runs from the next start on" in one.texts()
    assert "0.1.0 is kept" in one.texts()
    one.press("Start again now")
    assert one.closed == ["window"]


def test_cancel_leaves_nothing_behind(drive, publisher, copy, settings, folders) -> None:
    one = found(drive, publisher, copy, settings)
    publisher.server.faults = Faults(piece_delay_s=0.05)
    one.press("Download")
    one.wait(lambda: one.updates.stand.received > 0)
    one.press("Cancel")
    one.wait(lambda: one.updates.stand.status == "available" and not one.updates.busy)
    assert not list(folders.updates.glob("*.tar.xz*"))
    assert "Download" in {b.text() for b in one.buttons()}
    assert line(copy.root / "next") == ""


def test_what_arrives_damaged_is_said_in_its_place(drive, publisher, copy, settings) -> None:
    one = found(drive, publisher, copy, settings)
    publisher.server.faults = Faults(corrupt=True)
    one.press("Download")
    one.wait_for("failed")
    assert "damaged" in one.texts()
    assert "Try again" in {b.text() for b in one.buttons()}
    assert one.notice() == ""
    assert start(copy.root).startswith("0.1.0")


def test_a_failure_that_nobody_looks_at_is_a_notice(drive, publisher, copy, settings) -> None:
    one = found(drive, publisher, copy, settings)
    publisher.server.faults = Faults(corrupt=True)
    one.press("Download")
    one.window.show_page("chat")
    one.wait_for("failed")
    assert "damaged" in one.notice()


def test_offline_pauses_and_an_end_waits_for_no_server(drive, publisher, copy, settings) -> None:
    one = found(drive, publisher, copy, settings)
    publisher.server.faults = Faults(piece_delay_s=0.05)
    one.press("Download")
    one.wait(lambda: one.updates.stand.received > 0)
    settings.set("offline", True)
    one.wait_for("paused")
    settings.set("offline", False)
    one.press("Go on")
    one.wait(lambda: one.updates.stand.status == "fetching")
    began = time.monotonic()
    one.updates.close()
    assert time.monotonic() - began < 2.0


# ---- what happened since the last time --------------------------------------------------------


def test_a_window_that_was_drawn_is_a_version_that_starts(drive, copy) -> None:
    (copy.root / "trying").write_text("0.1.0 1\n")
    one = drive(copy, UpdateSource())
    one.wait(lambda: not (copy.root / "trying").exists())


def test_a_version_that_was_rolled_back_is_told_once_and_not_offered_again(
    drive, publisher, copy, settings
) -> None:
    publisher.publish("0.2.0", NEWER)
    (copy.root / "failed").write_text("0.2.0\n")
    settings.set("check_updates", "yes")
    assert copy.went_back
    one = drive(copy, publisher.source)
    assert not copy.went_back
    assert one.notice() == "Skein 0.2.0 did not start here, so 0.1.0 runs again."
    one.close_notice()
    one.wait_for("available")
    QCoreApplication.processEvents()
    assert one.notice() == ""
    one.about()
    assert "it was tried here and did not start" in one.texts()
    assert drive(fresh(copy), publisher.source).notice() == ""


def test_what_is_new_is_said_once_after_a_change_of_version(
    drive, copy, settings, tmp_path: Path
) -> None:
    first = drive(copy, UpdateSource())
    assert first.notice() == ""  # at the first start all is new
    assert settings.get("last_version") == "0.1.0"
    settings.set("last_version", "0.0.9")
    one = drive(copy, UpdateSource())
    assert one.notice() == "This is Skein 0.1.0 now."
    one.answer("What is new")
    panel = one.window.findChild(QWidget, "notes_panel")
    assert isinstance(panel, QWidget)
    assert panel.isVisible()
    assert panel.accessibleName() == "What is new in Skein 0.1.0"
    assert drive(copy, UpdateSource()).notice() == ""


def test_the_notes_of_an_update_are_shown_before_it_is_fetched(
    drive, publisher, copy, settings
) -> None:
    one = found(drive, publisher, copy, settings)
    one.press("What is new", one.page.findChild(QWidget, "update_panel"))
    text = one.window.findChild(QWidget, "notes_text")
    assert text.plain_text == "Better."  # type: ignore[union-attr]


# ---- copies that others look after ------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ("deb", "package manager"),
        ("dmg", "Applications"),
        ("appimage", "AppImage"),
        ("tree", "built on this computer"),
    ],
)
def test_other_copies_say_who_updates_them_and_ask_nobody(
    drive, publisher, settings, tmp_path: Path, channel: str, says: str
) -> None:
    publisher.publish("0.2.0", NEWER)
    settings.set("check_updates", "yes")
    root = make_root(tmp_path / "root", channel=channel)
    one = drive(installation_of(root, "0.1.0"), publisher.source)
    one.about()
    assert says in one.texts()
    assert one.page.findChild(QWidget, "update_panel") is None
    assert one.notice() == ""
    assert not one.updates.busy
    assert publisher.server.requests == []


def test_a_copy_from_sources_says_so(drive) -> None:
    one = drive(None, UpdateSource())
    one.about()
    assert "from its sources" in one.texts()
    assert one.notice() == ""


def test_an_update_that_waits_is_known_after_a_start_without_the_launcher(
    drive, publisher, copy
) -> None:
    make_version = installed(copy.root.parent / "other")
    target = copy.root / "versions" / "0.2.0"
    make_version.tree.rename(target)
    (copy.root / "next").write_text("0.2.0\n")
    one = drive(fresh(copy), publisher.source)
    one.about()
    assert "Skein 0.2.0 is ready" in one.texts()
    assert "Start again now" in {b.text() for b in one.buttons()}


# ---- the notes --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh_CN", "ja"])
def test_this_version_has_notes_in_every_language(language: str) -> None:
    import tomllib

    project = Path(__file__).parents[2] / "pyproject.toml"
    version = tomllib.loads(project.read_text("utf-8"))["project"]["version"]
    notes = notes_between("", version, language)
    assert len(notes) > 100
    assert notes_between(version, version, language) == ""
    assert (notes == notes_between("", version, "de_DE")) is (language == "en")


def test_notes_may_be_wrapped_as_in_an_editor() -> None:
    wrapped = "# Head\nOne paragraph\n  goes on.\n\n- first\n  point\n- second\n\n1. x\n2. y\n> q\n"
    code = "```\na\nb\n```\nafter\nit"
    assert unwrapped(wrapped + code) == (
        "# Head\nOne paragraph goes on.\n\n- first point\n- second\n\n1. x\n2. y\n> q\n"
        "```\na\nb\n```\nafter it"
    )
