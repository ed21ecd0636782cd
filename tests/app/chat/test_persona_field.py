"""The drawer's choice of a persona: what is offered, when it is locked, what is said."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QObject, Qt, Signal

from app.chat.persona_dialogs import PersonaNamePrompt
from app.chat.persona_field import PersonaField
from app.models.persona_list import PersonaList
from engine.personas import Persona

PIRATE = Persona("Pirate", "mine", 0, "", 34_000, Path("a"), {})
FRIEND = Persona("Friend", "", 1204, "", 34_000, Path("b"), {})
STRANGER = Persona("Stranger", "others", 7, "", 34_000, Path("c"), {})


class ListingEngine(QObject):
    """The signals of EngineService that tell of personas, emitted by the test."""

    personas_listed = Signal(object)
    persona_saved = Signal(str)
    persona_deleted = Signal(str)
    persona_failed = Signal(str, str)
    state_exported = Signal(object, str)
    model_ready = Signal(object)
    model_ejected = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def list_personas(self) -> None:
        self.asked += 1

    def load(self, fingerprint: str = "mine") -> None:
        self.model_ready.emit(SimpleNamespace(info=SimpleNamespace(fingerprint=fingerprint)))


@pytest.fixture
def engine(qapp) -> ListingEngine:
    return ListingEngine()


@pytest.fixture
def personas(engine) -> PersonaList:
    return PersonaList(engine)


@pytest.fixture
def field(qtbot, theme, personas):
    made = PersonaField(theme)
    made.set_list(personas)
    qtbot.addWidget(made)
    made.show()
    return made


def offered(field) -> list[str]:
    return [field.box.itemText(i) for i in range(field.box.count())]


def test_personas_of_the_loaded_model_and_of_an_unknown_one_are_offered(field, engine):
    assert offered(field) == ["None"]
    engine.load()
    assert engine.asked == 1
    engine.personas_listed.emit((FRIEND, PIRATE, STRANGER))
    assert offered(field) == ["None", "Friend", "Pirate"]
    engine.load("others")
    assert offered(field) == ["None", "Friend", "Stranger"]
    engine.model_ejected.emit()
    assert offered(field) == ["None"]
    assert "Load a model" in field.note.text()


def test_of_two_of_one_name_the_first_counts(field, engine, personas):
    engine.load()
    copy = Persona("Pirate", "others", 9, "", 1, Path("d"), {})
    engine.personas_listed.emit((PIRATE, copy))
    assert offered(field) == ["None", "Pirate"]
    assert personas.named("Pirate") is PIRATE


def test_a_choice_is_told_once_and_explained(field, engine):
    told: list[str] = []
    field.chosen.connect(told.append)
    engine.load()
    engine.personas_listed.emit((FRIEND, PIRATE))
    assert "A saved state" in field.box.toolTip()
    for place in (1, 1):
        field.box.setCurrentIndex(place)
        field.box.activated.emit(place)
    assert told == ["Friend"]
    assert "1,204 tokens" in field.note.text()
    field.choose("Pirate")
    assert not field.note.isVisible()
    field.show_persona("")
    assert told == ["Friend", "Pirate"]
    assert field.box.currentData() == ""


def test_a_chat_that_has_begun_keeps_its_persona(field, engine):
    engine.load()
    engine.personas_listed.emit((PIRATE,))
    field.show_persona("Pirate")
    field.set_begun(True)
    assert not field.box.isEnabled()
    assert "has begun" in field.box.toolTip() == field.box.accessibleDescription()
    field.set_begun(False)
    assert field.box.isEnabled()


@pytest.mark.parametrize(
    ("name", "words"),
    [("Ghost", "Ghost (missing)"), ("Stranger", "Stranger (for another model)")],
)
def test_one_that_cannot_begin_a_chat_can_be_left(field, engine, name, words):
    field.show_persona(name)
    field.set_begun(True)
    assert (field.box.currentText(), field.box.isEnabled()) == (name, False)  # nothing known yet
    engine.load()
    engine.personas_listed.emit((PIRATE, STRANGER))
    assert field.box.currentText() == field.box.toolTip() == words
    assert field.box.isEnabled()
    assert "read again" in field.note.text()
    assert field.bin.isEnabled() == (name == "Stranger")


def test_an_empty_list_says_how_to_get_one(field, engine):
    engine.load()
    engine.personas_listed.emit(())
    assert "Drop a state file" in field.note.text()
    assert "Save as persona" in field.note.text()
    assert not field.bin.isEnabled()


def test_names_for_those_who_cannot_see(field):
    assert (field.box.objectName(), field.box.accessibleName()) == ("persona", "Persona")
    assert field.bin.accessibleName() == "Delete this persona"


@pytest.fixture
def prompt(qtbot, theme):
    from PySide6.QtWidgets import QWidget

    window = QWidget()
    window.resize(900, 600)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    return PersonaNamePrompt(theme, window)


def test_the_prompt_gives_a_name_by_keyboard_alone(qtbot, prompt):
    given: list[str] = []
    prompt.ask(["Ada"], given.append)
    assert prompt.field.hasFocus()
    qtbot.keyClick(prompt.field, Qt.Key.Key_Return)
    assert prompt.isVisible()
    assert not prompt.button.isEnabled()
    qtbot.keyClicks(prompt.field, "Ada")
    assert prompt.button.text() == "Replace"
    assert "replaced" in prompt.warning.text()
    qtbot.keyClicks(prompt.field, "  Two ")
    assert prompt.button.text() == "Save"
    qtbot.keyClick(prompt.field, Qt.Key.Key_Return)
    assert given == ["Ada Two"]
    assert not prompt.isVisible()


def test_escape_saves_nothing(qtbot, prompt):
    given: list[str] = []
    prompt.ask([], given.append)
    qtbot.keyClicks(prompt.field, "Ada")
    qtbot.keyClick(prompt.field, Qt.Key.Key_Escape)
    assert not prompt.isVisible()
    assert given == []
