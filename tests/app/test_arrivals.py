"""What is dropped on the real window: it runs, is offered, or is refused with its sentence."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gguf
import pytest
import torch
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QWidget,
)
from pytestqt.qtbot import QtBot
from safetensors.torch import save_file

from engine.checkpoint import inspect
from engine.checkpoint.info import ModelInfo
from engine.folders import Folders
from engine.lora_use import LoraUse
from engine.state import State
from engine.state_formats import STATE_FORMATS, StateFormat, export_state, import_state
from tests.app.test_whole_way import Driver
from tests.engine.checkpoint.huggingface_files import write_folder
from tests.gguf_files import in_blocks, write_gguf
from tests.hub_server import HubServer
from tests.older import write_older_pth
from tests.tiny import tiny_weights, write_tiny_pth

Start = Callable[..., Driver]
ACTIONS, LEFT, NO_KEYS = (
    Qt.DropAction.CopyAction,
    Qt.MouseButton.LeftButton,
    Qt.KeyboardModifier.NoModifier,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("models") / "rwkv7-g1d-tiny.pth", width=64)


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    opened: list[Driver] = []

    def begin(*files: Path) -> Driver:
        opened.append(Driver(qtbot, *files))
        return opened[-1]

    yield begin
    for drive in opened:
        drive.close()


def drop(drive: Driver, paths: Sequence[Path | str], on: QWidget | None = None) -> None:
    """Drag from outside over the window and let go."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) if isinstance(p, Path) else QUrl(p) for p in paths])
    target = on or drive.app.window
    enter = QDragEnterEvent(QPoint(200, 200), ACTIONS, data, LEFT, NO_KEYS)
    QApplication.sendEvent(target, enter)
    assert enter.isAccepted()
    assert drive.shows("drop_area") or on is not None
    QApplication.sendEvent(target, QDropEvent(QPointF(200, 200), ACTIONS, data, LEFT, NO_KEYS))
    assert not drive.shows("drop_area")


def notice(drive: Driver) -> str:
    found = drive.app.window.notice.findChild(QLabel, "notice_message")
    assert isinstance(found, QLabel)
    return found.text() if drive.app.window.notice.isVisible() else ""


def lora(path: Path) -> Path:
    rng = torch.Generator().manual_seed(5)
    pairs = {}
    for layer in range(2):
        name = f"blocks.{layer}.att.key"
        pairs[f"{name}.lora_A"] = torch.randn(4, 64, generator=rng)
        pairs[f"{name}.lora_B"] = torch.randn(64, 4, generator=rng)
    torch.save(pairs, path)
    return path


def trained_state(path: Path, model: Path, form: StateFormat) -> Path:
    state = State.zeros(inspect(model).shape)
    state.wkv.copy_(torch.randn(state.wkv.shape, generator=torch.Generator().manual_seed(1)))
    export_state(path, state, form)
    return path


def test_a_model_that_is_dropped_runs(start: Start, model: Path) -> None:
    drive = start()
    drop(drive, [model])
    drive.wait_loaded()
    assert drive.app.loaded is not None
    assert drive.app.loaded.info.path == model
    assert drive.app.window.page == "chat"


def as_pth(folder: Path) -> Path:
    return write_tiny_pth(folder / "rwkv7-g1d-tiny.pth", width=64, dtype=torch.bfloat16)


def as_st(folder: Path) -> Path:
    weights = {name: t.squeeze().contiguous() for name, t in tiny_weights(width=64).items()}
    weights |= {name: t.view(1, 64) for name, t in weights.items() if name.endswith("r_k")}
    save_file(weights, folder / "rwkv7-g1d-tiny.st")
    return folder / "rwkv7-g1d-tiny.st"


def as_folder(folder: Path) -> Path:
    return write_folder(folder / "rwkv7-tiny-hf", tiny_weights(width=64), shards=2)


def as_gguf(folder: Path) -> Path:
    quantise = in_blocks(gguf.GGMLQuantizationType.Q8_0)
    return write_gguf(folder / "rwkv7-g1d-tiny-Q8_0.gguf", tiny_weights(width=64), quantise)


def as_v7a(folder: Path) -> Path:
    return write_tiny_pth(folder / "rwkv7a-g1d-tiny.pth", width=64, deep=4)


def as_v6(folder: Path) -> Path:
    return write_older_pth(folder / "RWKV-x060-World-tiny.pth", "6")


def as_v4(folder: Path) -> Path:
    return write_older_pth(folder / "RWKV-4-World-tiny.pth", "4")


@pytest.mark.parametrize(
    ("made", "label"),
    [
        (as_pth, ""),
        (as_st, ""),
        (as_folder, ""),
        (as_gguf, ""),
        (as_v7a, "RWKV-7a (DeepEmbed)"),
        (as_v6, "RWKV-6, an older generation"),
        (as_v4, "RWKV-4, an older generation"),
    ],
)
def test_every_format_that_is_dropped_writes_a_reply(
    start: Start, tmp_path: Path, made: Callable[[Path], Path], label: str
) -> None:
    path = made(tmp_path)
    drive = start()
    drop(drive, [path])
    drive.wait_loaded()
    drive.limit(3)
    drive.type("Hello")
    drive.wait(lambda: len(drive.app.chat.messages) == 2)
    drive.wait_idle()
    reply = drive.app.chat.messages[1]
    assert (reply.status, reply.error) == ("done", "")
    assert label in drive.text_of("model_button")
    assert drive.text_of("model_button").endswith(label or "CPU")


def test_a_folder_in_the_hugging_face_layout_runs(start: Start, tmp_path: Path) -> None:
    weights = tiny_weights(width=64)
    folder = write_folder(tmp_path / "RWKV7-Goose-World3-0.1B-HF", weights, shards=2)
    drive = start()
    drop(drive, [folder])
    drive.wait_loaded()
    assert drive.app.loaded is not None
    assert drive.app.loaded.info.format == "huggingface"
    drive.close()
    again = start()
    again.wait_loaded()
    assert again.app.loaded is not None
    assert again.app.loaded.info.path == folder, "the next start has it again"


def test_a_folder_of_models_is_listed(start: Start, model: Path) -> None:
    drive = start()
    drop(drive, [model.parent])
    drive.wait(lambda: [ready.local.path for ready in drive.app.library.ready] == [model])
    assert drive.app.window.page == "models"
    assert drive.app.loaded is None


def test_what_cannot_be_run_is_refused_with_its_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / "llama.gguf").write_bytes(b"GGUF" + bytes(60))
    torch.save({"transformer.h.0.attn.c_attn.weight": torch.zeros(2)}, tmp_path / "gpt.pth")
    drive = start()
    drop(drive, [tmp_path / "gpt.pth"])
    drive.wait(lambda: "Transformer" in notice(drive))
    drop(drive, [tmp_path / "llama.gguf"])
    drive.wait(lambda: "llama.gguf" in notice(drive))
    assert drive.app.settings.get("model_folders") == (), "and it is not listed"


def test_a_page_of_the_hub_is_looked_up(
    start: Start, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        hub.add("ann/rwkv7-novel", "rwkv7-g1-novel-0.4b.pth", model.read_bytes())
        drive = start()
        drop(drive, [f"{hub.endpoint}/ann/rwkv7-novel"])
        drive.wait(lambda: "Novel" in str([m.remote.title for m in drive.app.library.available]))
        assert drive.app.window.page == "models"
        drive.close()


def test_a_lora_is_applied_remembered_and_taken_away(
    start: Start, model: Path, tmp_path: Path
) -> None:
    style = lora(tmp_path / "style.pth")
    drive = start(model)
    drive.wait_loaded()
    assert drive.app.loaded is not None
    plain = drive.app.loaded.info.fingerprint
    drop(drive, [style])
    drive.wait(lambda: drive.shows("lora_dialog"))
    about = drive.find("lora_about")
    assert isinstance(about, QLabel)
    assert "rank 4, changes 2 matrices" in about.text()
    strength = drive.find("lora_strength")
    assert isinstance(strength, QDoubleSpinBox)
    strength.setValue(0.5)
    drive.click("lora_apply")
    drive.wait(lambda: bool(drive.app.loaded and drive.app.loaded.info.loras))
    assert drive.app.loaded.info.loras == (LoraUse(style, 0.5),)
    assert drive.app.loaded.info.fingerprint != plain
    assert "1 LoRA" in drive.text_of("model_button")
    drive.close()

    again = start()
    again.wait_loaded()
    assert again.app.loaded is not None
    assert again.app.loaded.info.loras == (LoraUse(style, 0.5),)
    again.click("nav_models")
    again.app.models_page.show_tab("ready")
    again.wait(lambda: again.shows("loras_button"))
    again.click("loras_button")
    again.click("lora_remove")
    again.click("lora_apply")
    again.wait(lambda: bool(again.app.loaded and not again.app.loaded.info.loras))
    assert again.app.loaded.info.fingerprint == plain
    assert again.app.settings.get("loras") == {}


def test_two_loras_in_their_order(start: Start, model: Path, tmp_path: Path) -> None:
    first, second = lora(tmp_path / "a.pth"), lora(tmp_path / "b.pth")
    drive = start(model)
    drive.wait_loaded()
    drive.wait(lambda: bool(drive.app.library.ready))
    drop(drive, [first, second])
    drive.wait(lambda: drive.shows("lora_dialog"))
    down = [b for b in drive.app.window.findChildren(QWidget, "lora_down") if b.isEnabled()]
    down[0].click()  # type: ignore[attr-defined]
    drive.click("lora_apply")
    drive.wait(lambda: bool(drive.app.loaded and drive.app.loaded.info.loras))
    assert drive.app.loaded is not None
    assert [use.path for use in drive.app.loaded.info.loras] == [second, first]


def test_a_lora_for_another_model_says_so(start: Start, model: Path, tmp_path: Path) -> None:
    wide = torch.zeros(4, 128)
    pairs = {"blocks.0.att.key.lora_A": wide, "blocks.0.att.key.lora_B": wide.T.contiguous()}
    torch.save(pairs, tmp_path / "wide.pth")
    drive = start(model)
    drive.wait_loaded()
    drop(drive, [tmp_path / "wide.pth"])
    drive.wait(lambda: "no model on this computer" in notice(drive))
    assert not drive.shows("lora_dialog")


@pytest.mark.parametrize("form", STATE_FORMATS)
def test_a_state_becomes_a_persona(
    start: Start, model: Path, tmp_path: Path, form: StateFormat
) -> None:
    endings = {"skein": ".safetensors", "pth": ".pth", "web-rwkv": ".st"}
    path = trained_state(tmp_path / f"pirate{endings[form]}", model, form)
    drive = start(model)
    drive.wait_loaded()
    drop(drive, [path])
    drive.wait(lambda: drive.shows("state_prompt"))
    models, field = drive.find("state_model"), drive.find("state_name")
    assert isinstance(models, QComboBox)
    assert isinstance(field, QLineEdit)
    assert models.currentText() == "rwkv7-g1d-tiny"
    assert field.text() == "pirate"
    field.setText("Captain")
    drive.click("state_keep")
    drive.wait(lambda: drive.app.personas.named("Captain") is not None)
    kept = drive.app.personas.named("Captain")
    assert kept is not None
    assert kept.fingerprint == inspect(model).fingerprint


def test_several_states_are_asked_for_one_by_one(start: Start, model: Path, tmp_path: Path) -> None:
    paths = [trained_state(tmp_path / f"{name}.pth", model, "pth") for name in ("one", "two")]
    drive = start(model)
    drive.wait_loaded()
    drop(drive, paths)
    for name in ("one", "two"):
        drive.wait(lambda: drive.shows("state_prompt"))
        field = drive.find("state_name")
        assert isinstance(field, QLineEdit)
        assert field.text() == name
        drive.click("state_keep")
    drive.wait(lambda: drive.app.personas.named("two") is not None)
    assert drive.app.personas.named("one") is not None
    assert not drive.shows("state_prompt")


def test_a_lora_that_comes_before_the_models_are_known_waits(
    start: Start, model: Path, tmp_path: Path, folders: Folders
) -> None:
    folders.models.mkdir(parents=True, exist_ok=True)
    (folders.models / model.name).write_bytes(model.read_bytes())
    drive = start(lora(tmp_path / "style.pth"))  # as a double click on it starts the app
    drive.wait(lambda: drive.shows("lora_dialog"))
    drive.click("lora_apply")
    drive.wait_loaded()
    assert drive.app.loaded is not None
    assert len(drive.app.loaded.info.loras) == 1


def test_a_state_that_is_looked_at_while_the_models_are_found_finds_its_model(
    start: Start, model: Path, tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.recognition as recognition

    shutil.copy(model, folders.models / model.name)
    path = trained_state(tmp_path / "pirate.pth", model, "pth")
    look, scanned = recognition.recognise, threading.Event()

    def late(path: Path, models: Sequence[ModelInfo]) -> recognition.Recognised:
        scanned.wait(10)
        return look(path, models)

    monkeypatch.setattr(recognition, "recognise", late)
    drive = start(path)
    drive.wait(lambda: drive.app.library.scanned)
    scanned.set()
    drive.wait(lambda: drive.shows("state_prompt"))
    models = drive.find("state_model")
    assert isinstance(models, QComboBox)
    assert models.currentText() == "rwkv7-g1d-tiny"


@pytest.mark.parametrize("kind", ["state", "something else", "another model"])
def test_a_start_with_a_file_that_is_no_model_loads_the_last_one(
    start: Start, model: Path, tmp_path: Path, folders: Folders, kind: str
) -> None:
    last = Path(shutil.copy(model, folders.models / model.name))
    folders.settings_file.write_text(f'last_model = "{last.as_posix()}"\n')
    if kind == "state":
        path = trained_state(tmp_path / "pirate.pth", model, "pth")
    elif kind == "another model":
        path = Path(shutil.copy(model, tmp_path / "other.pth"))
    else:
        path = tmp_path / "x.skein"
        path.write_text("x")
    drive = start(path)
    drive.wait_loaded()
    assert drive.app.loaded is not None
    assert drive.app.loaded.info.path == (path if kind == "another model" else last)
    if kind == "something else":
        assert "x.skein" in notice(drive)


@pytest.mark.parametrize("form", STATE_FORMATS)
def test_a_persona_and_a_reply_are_exported(
    start: Start, model: Path, tmp_path: Path, form: StateFormat
) -> None:
    drive = start(model)
    drive.wait_loaded()
    drive.limit(4)
    drive.type("Hello")
    drive.wait(lambda: len(drive.app.chat.messages) == 2)
    drive.wait_idle()
    drive.act(1, "more_button")
    menu = drive.app.window.findChild(QMenu, "message_menu")
    assert menu is not None
    next(a for a in menu.actions() if a.objectName() == "export_state_action").trigger()
    menu.close()
    choose(drive, tmp_path / "after", form)
    endings = {"skein": ".safetensors", "pth": ".pth", "web-rwkv": ".st"}
    written = tmp_path / f"after{endings[form]}"
    drive.wait(written.exists)
    state = import_state(written, inspect(model).shape)
    assert bool(state.wkv.any())
    assert bool(state.att_shift.any()) == (form == "skein")

    drive.app.personas.save(drive.app.chat.messages[1].node, "Me")
    drive.wait(lambda: drive.app.personas.named("Me") is not None)
    drive.app.chat.open(None)
    drive.app.chat_page.set_drawer_open(True)
    drive.app.chat_page.drawer.persona.choose("Me")
    drive.click("export_persona_button")
    choose(drive, tmp_path / "me", form)
    drive.wait((tmp_path / f"me{endings[form]}").exists)
    again = import_state(tmp_path / f"me{endings[form]}", inspect(model).shape)
    assert torch.equal(again.wkv, state.wkv)


def choose(drive: Driver, path: Path, form: StateFormat) -> None:
    """Answer the system's dialog for a file with a name without an ending."""
    dialog = drive.app.window.findChildren(QFileDialog, "export_state_dialog")[-1]
    place = STATE_FORMATS.index(form)
    dialog.selectNameFilter(dialog.nameFilters()[place])
    dialog.filesSelected.emit([str(path)])
    dialog.close()


def test_text_still_goes_into_the_composer(start: Start, model: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("Remember the milk.")
    drive = start()
    field = drive.app.chat_page.composer.field
    drop(drive, [tmp_path / "note.txt"], field.viewport())
    assert "Remember the milk." in field.toPlainText()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(model))])
    enter = QDragEnterEvent(QPoint(5, 5), ACTIONS, data, LEFT, NO_KEYS)
    field.dragEnterEvent(enter)
    assert not enter.isAccepted(), "a model is left to the window"
