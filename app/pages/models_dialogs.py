"""What the Models pane asks in dialogs of their own."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.models.units import size_text
from app.theme import Theme
from app.widgets.parts import restyle

SUFFIXES = (".pth", ".safetensors", ".st", ".gguf", ".state")
translate = QCoreApplication.translate


def choose_files(parent: QWidget, chosen: Callable[[list[Path]], None]) -> None:
    """Open the system's dialog for files; does not wait for it."""
    patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    dialog = QFileDialog(parent, translate("ModelsPage", "Open a model file"))
    dialog.setObjectName("open_file_dialog")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    models = translate("ModelsPage", "Models, LoRAs and states ({0})").format(patterns)
    dialog.setNameFilters([models, translate("ModelsPage", "All files (*)")])
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.filesSelected.connect(lambda names: chosen([Path(name) for name in names]))
    dialog.open()


def ask_delete(
    parent: QWidget,
    theme: Theme,
    title: str,
    path: Path,
    size_bytes: int,
    delete: Callable[[], None],
) -> None:
    """Ask whether a file shall go, with its path and size; Cancel is the default."""
    box = QMessageBox(parent)
    box.setObjectName("delete_dialog")
    box.setIconPixmap(theme.pixmap("warning", 32, "danger", parent))
    box.setWindowTitle(translate("ModelsPage", "Delete model"))
    box.setText(translate("ModelsPage", "Delete {0} from this computer?").format(title))
    box.setInformativeText(
        translate(
            "ModelsPage", "{0}\n{1}. This cannot be undone; chats and their states stay."
        ).format(path, size_text(size_bytes))
    )
    button = box.addButton(
        translate("ModelsPage", "Delete file"), QMessageBox.ButtonRole.DestructiveRole
    )
    button.setObjectName("confirm_delete_button")
    restyle(button, kind="danger")
    keep = box.addButton(QMessageBox.StandardButton.Cancel)
    keep.setObjectName("cancel_delete_button")
    box.setDefaultButton(keep)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    button.clicked.connect(lambda: delete())
    box.open()
