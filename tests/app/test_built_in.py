"""The model that comes with Skein, in the real window: loaded first, kept, and outgrown."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.application import Application, build
from app.chat.examples import EXAMPLES
from app.models.message import ChatSettings
from app.models.model_list import Role
from app.widgets.ready_card import ReadyCard
from engine.folders import Folders
from engine.sampling_params import SamplingParams
from engine.templates import load_templates
from tests.app.models_kit import write_model
from tests.gosling import write_gosling
from tests.hub_server import HubServer
from tests.tiny import write_tiny_pth

TIMEOUT_MS = 20_000
TINY = "rwkv7-g1d-0.1b-20260129-ctx8192.pth"
Start = Callable[..., Application]
Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture(scope="module")
def gosling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gosling(tmp_path_factory.mktemp("installed") / "gosling")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("models") / TINY, width=64)


@pytest.fixture
def wait(qtbot: QtBot) -> Wait:
    return lambda what: qtbot.waitUntil(what, timeout=TIMEOUT_MS)


@pytest.fixture
def start(qtbot: QtBot, gosling: Path) -> Iterator[Start]:
    opened: list[Application] = []

    def begin(*files: Path, built_in: Path | None = gosling) -> Application:
        opened.append(build(["skein", *map(str, files)], built_in=lambda: built_in))
        opened[-1].window.show()
        qtbot.waitExposed(opened[-1].window)
        return opened[-1]

    yield begin
    for application in opened:
        end(application)


def end(application: Application) -> None:
    """Close as a person does; may be called twice."""
    if not isValid(application.window):
        return
    application.window.close()
    application.close()
    application.window.deleteLater()
    QApplication.processEvents()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, model: Path) -> Iterator[HubServer]:
    with HubServer() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        running.add("BlinkDL/rwkv7-g1", TINY, model.read_bytes())
        yield running


def loaded(application: Application) -> Path | None:
    return application.loaded.info.path if application.loaded else None


def visible(application: Application, name: str) -> list[QWidget]:
    return [w for w in application.window.findChildren(QWidget, name) if w.isVisible()]


def limit(application: Application, tokens: int) -> None:
    limited = SamplingParams(seed=3, max_tokens=tokens)
    application.chat.change_settings(ChatSettings(sampling=limited))


def example(application: Application, text: str) -> QAbstractButton:
    return application.chat_page.welcome.example_buttons[EXAMPLES.index(text)]


# ---- the start --------------------------------------------------------------------------------


def test_the_first_start_loads_it_and_it_answers(start: Start, wait: Wait, gosling: Path):
    application = start()
    assert application.chat_page.model_button.text().startswith("Gosling  ·  loading")
    assert not example(application, EXAMPLES[0]).isEnabled()
    wait(lambda: loaded(application) == gosling)
    assert application.chat_page.model_button.text().startswith("Gosling  ·  ")
    assert visible(application, "examples")
    limit(application, 6)
    example(application, EXAMPLES[0]).click()
    wait(lambda: len(application.chat.messages) == 2 and not application.chat.busy)
    question, reply = application.chat.messages
    assert question.text == EXAMPLES[0]
    assert (reply.status, reply.model) == ("done", "gosling")
    assert reply.stats is not None
    assert reply.stats.tokens > 0


def test_what_is_sent_before_the_engine_has_begun_to_load_waits_for_the_model(
    start: Start, wait: Wait
):
    application = start()
    limit(application, 6)
    assert application.chat.send("My name is Otto.")
    assert not application.chat_page.picker.isVisible()
    wait(lambda: bool(application.chat.messages) and not application.chat.busy)
    assert [message.status for message in application.chat.messages] == ["done", "done"]


def test_an_ejected_one_is_back_at_the_next_start(start: Start, wait: Wait, gosling: Path):
    first = start()
    wait(lambda: first.loaded is not None)
    first.engine.eject()
    wait(lambda: first.loaded is None)
    assert not visible(first, "examples")
    end(first)
    second = start()
    wait(lambda: loaded(second) == gosling)


def test_where_no_model_is_wanted_at_the_start_none_is_loaded(
    start: Start, wait: Wait, folders: Folders
):
    folders.settings_file.write_text("load_last_model = false\n")
    application = start()
    wait(lambda: bool(application.library.ready))
    wait(lambda: not application.tasks.busy)
    assert application.loaded is None
    assert application.chat_page.welcome.action.text() == "Load"


def test_the_model_of_the_last_time_goes_before_it(
    start: Start, wait: Wait, model: Path, gosling: Path, folders: Folders
):
    folders.settings_file.write_text(f'last_model = "{model}"\n')
    first = start()
    wait(lambda: loaded(first) == model)
    end(first)
    folders.settings_file.write_text('last_model = "/gone/rwkv7-g1d-0.1b.pth"\n')
    second = start()
    wait(lambda: loaded(second) == gosling)


def test_that_of_the_version_before_is_not_taken_for_another_model(
    start: Start, wait: Wait, gosling: Path, folders: Folders, tmp_path: Path
):
    before = tmp_path.joinpath("0.0.9", *gosling.parts[-4:])
    before.parent.mkdir(parents=True)
    before.write_bytes(b"no longer read")
    folders.settings_file.write_text(f'last_model = "{before.as_posix()}"\n')
    application = start()
    wait(lambda: loaded(application) == gosling)


def test_a_file_that_is_opened_goes_before_it(start: Start, wait: Wait, model: Path):
    application = start(model)
    wait(lambda: loaded(application) == model)
    assert not visible(application, "examples")


def test_an_installation_without_it_waits_for_a_model(start: Start, wait: Wait):
    application = start(built_in=None)
    wait(lambda: application.engine._thread.is_alive())
    wait(lambda: not application.tasks.busy)
    assert application.loaded is None
    assert application.library.ready == ()
    assert application.chat_page.model_button.text() == "Choose a model"
    assert not visible(application, "examples")


def test_opened_by_hand_it_is_no_file_of_the_user(start: Start, wait: Wait, gosling: Path):
    application = start(gosling)
    wait(lambda: loaded(application) == gosling)
    wait(lambda: len(application.library.ready) == 1)
    assert application.settings.get("model_folders") == ()


# ---- the lists --------------------------------------------------------------------------------


def test_its_card_is_the_first_and_stays(start: Start, wait: Wait, gosling: Path):
    application = start()
    folder = application.folders.models
    small = write_model(folder / "rwkv7-g1d-small.safetensors")
    (folder / "broken.pth").write_bytes(b"no")
    application.library.rescan()
    wait(lambda: len(application.library.ready) == 3)
    wait(lambda: loaded(application) == gosling)
    application.window.show_page("models")
    application.models_page.show_tab("ready")
    ready = application.models_page.ready
    assert [row.path for row in ready.rows()][:2] == [gosling, small]
    assert ready.index(0).data(Role.NAME) == "Gosling, the built-in model"
    cards = {card.property("model_id"): card for card in visible(application, "ready_card")}
    own, other = cards[str(gosling)], cards[str(small)]
    assert isinstance(own, ReadyCard)
    assert isinstance(other, ReadyCard)
    assert own.delete.isHidden()
    assert not other.delete.isHidden()
    assert words(own, "model_facts").startswith("small, offline, knows this app · ")
    assert words(own, "model_path") == "Comes with Skein"
    said = application.chat_page.picker.painter.accessible(ready.rows()[0])
    assert said == "Gosling, the built-in model. small, offline, knows this app"
    wait(lambda: not application.tasks.busy)
    application.library.delete(gosling)
    assert not application.tasks.busy
    assert gosling.exists()


def words(card: QWidget, name: str) -> str:
    found = card.findChild(QLabel, name)
    assert isinstance(found, QLabel)
    return found.text() or found.accessibleName()


# ---- the welcome page -------------------------------------------------------------------------


def test_examples_touch_nothing_that_is_being_written(start: Start, wait: Wait):
    application = start()
    wait(lambda: application.loaded is not None)
    composer = application.chat_page.composer
    example(application, "My name is ").click()
    assert composer.text == "My name is "
    assert composer.field.hasFocus()
    assert application.chat.messages == []
    composer.set_text("half a thought")
    example(application, "My name is ").click()
    assert composer.text == "half a thought"
    limit(application, 2)
    example(application, "What is 27 + 48?").click()
    wait(lambda: len(application.chat.messages) == 2 and not application.chat.busy)
    assert composer.text == "half a thought"


def test_values_that_nobody_chose_follow_the_model(
    start: Start, wait: Wait, gosling: Path, model: Path
):
    templates = load_templates()
    application = start()
    wait(lambda: loaded(application) == gosling)
    assert application.chat.settings.sampling == templates["gosling"].sampling("off")
    application.load(model)
    wait(lambda: loaded(application) == model)
    assert application.chat.settings.sampling == templates["world"].sampling("off")
    own = ChatSettings(sampling=SamplingParams(temperature=0.7))
    application.chat.change_settings(own)
    application.load(gosling)
    wait(lambda: loaded(application) == gosling)
    assert application.chat.settings == own


# ---- a larger model ---------------------------------------------------------------------------


def test_a_download_takes_its_place(start: Start, wait: Wait, hub: HubServer):
    application = start()
    wait(lambda: application.loaded is not None)
    welcome = application.chat_page.welcome
    wait(lambda: welcome.card.isVisible())
    assert welcome.action.text() == "Download"
    welcome.action.click()
    wait(lambda: loaded(application) == application.folders.models / TINY)
    application.window.show_page("chat")
    assert not welcome.card.isVisible()
    assert not visible(application, "examples")
    assert application.settings.get("last_model").endswith(TINY)


def test_a_reply_is_finished_before_a_download_takes_its_place(
    start: Start, wait: Wait, model: Path, gosling: Path
):
    application = start()
    wait(lambda: application.loaded is not None)
    limit(application, 0)
    assert application.chat.send("Tell me a story.")
    wait(lambda: len(application.chat.messages[-1].text) > 3)
    application.downloads.finished.emit("repo/file", model)
    QApplication.processEvents()
    assert loaded(application) == gosling
    assert application.chat.busy
    application.chat.stop()
    wait(lambda: loaded(application) == model)
    assert application.chat.messages[-1].text
    application.downloads.finished.emit("repo/other", gosling)
    QApplication.processEvents()
    assert loaded(application) == model  # the next one only offers itself


def test_a_better_model_on_this_computer_is_offered_beside_it(
    start: Start, wait: Wait, folders: Folders, gosling: Path
):
    path = write_tiny_pth(folders.models / "rwkv7-g1d-tiny.pth", width=64)
    application = start()
    wait(lambda: loaded(application) == gosling)
    welcome = application.chat_page.welcome
    wait(lambda: welcome.card.isVisible())
    assert welcome.action.text() == "Load"
    welcome.action.click()
    wait(lambda: loaded(application) == path)
