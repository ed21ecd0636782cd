"""The lists of ready and available models as Qt item models. Knows no widget.

A row carries what a card shows: roles for single values (``Role``) and the whole entry
(``Role.ENTRY``). Loading, loaded and failed are told to the ready list; downloads are asked of
the DownloadService.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.models.grouping import ModelGroup, group_models
from app.models.model_names import built_in_place, built_in_title
from app.models.units import size_text
from app.services.downloads import DownloadEntry, DownloadService
from app.services.library import ModelLibrary
from app.services.offers import AvailableModel, ReadyModel
from engine.hub.file_names import ModelName, parse_file_name
from engine.lora_use import LoraUse, parse_loras

if TYPE_CHECKING:
    from engine.plan import Plan

_REMOTE_FORMATS = {"huggingface": "folder"}
"""What the catalogue calls the format of a local model."""
Index = QModelIndex | QPersistentModelIndex
LoadStatus = Literal["idle", "loading", "loaded", "failed"]


class Role(IntEnum):
    """What a row can be asked for; DisplayRole is the name."""

    ID = Qt.ItemDataRole.UserRole + 1
    NAME = ID + 1
    DATE = ID + 2  # "20260212" or ""
    SIZE_BYTES = ID + 3
    PARAMETERS = ID + 4
    FORMAT = ID + 5
    VERDICT = ID + 6  # "fits" | "tight" | "too_large" | "" (unknown)
    SPEED = ID + 7  # tokens/s for writing; 0.0 unknown
    REASON = ID + 8
    RECOMMENDED = ID + 9
    STATE = ID + 10  # ready: LoadStatus; available: a download's status, "here" or ""
    PATH = ID + 11  # Path or None
    PROBLEM = ID + 12
    ENTRY = ID + 13  # ReadyRow or AvailableRow


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the list is shown; ``form`` is a format or "" for all."""

    text: str = ""
    fits: bool = False
    form: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether everything passes."""
        return self == Filter()

    def accepts(self, words: str, plan: "Plan | None", form: str) -> bool:
        """Say whether something with these words, this plan and this format is shown."""
        if self.fits and plan is not None and plan.verdict == "too_large":
            return False
        if self.form and form != self.form:
            return False
        lowered = words.casefold()
        return all(word in lowered for word in self.text.casefold().split())


@dataclass(frozen=True, slots=True)
class LoadState:
    """What the engine does with one file; ``suggestion`` is a strategy that would work."""

    status: LoadStatus = "idle"
    fraction: float = 0.0
    message: str = ""
    hint: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """One file on this computer."""

    model: ReadyModel
    name: ModelName
    load: LoadState
    loras: tuple[LoraUse, ...] = ()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.model.local.path

    @property
    def built_in(self) -> bool:
        """Whether it came with the app, and stays."""
        return self.model.built_in

    @property
    def place(self) -> str:
        """Where it lies, as a person reads it."""
        return built_in_place() if self.built_in else str(self.path)

    @property
    def title(self) -> str:
        """The name as a person says it; the file's own when it says nothing."""
        if self.built_in:
            return built_in_title()
        if self.kind:
            return self.path.name
        if self.name.family:
            return self.name.title
        info = self.model.local.info
        if info is not None and info.format == "huggingface":
            return info.name
        return self.path.stem

    @property
    def kind(self) -> str:
        """What else it is that something can be done with: "lora", "state" or ""."""
        return self.model.local.kind

    @property
    def takes_loras(self) -> bool:
        """Whether LoRAs can be applied to it."""
        info = self.model.local.info
        return info is not None and info.architecture in ("rwkv7", "rwkv7a")

    @property
    def size_bytes(self) -> int:
        """Bytes on disk; 0 when the file could not be read."""
        return self.model.local.info.size_bytes if self.model.local.info else 0


@dataclass(frozen=True, slots=True)
class AvailableRow:
    """One model on the hub: its files and their downloads, in the same order."""

    group: ModelGroup
    downloads: tuple[DownloadEntry | None, ...]
    recommended: str = ""


class _RowModel(QAbstractListModel):
    """A list of rows with ids: replaced as a whole, or changed one by one."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Any] = []

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            role = Role.NAME
        return self._value(row, role)

    def roleNames(self) -> dict[int, Any]:
        return super().roleNames() | {role.value: role.name.lower().encode() for role in Role}

    def rows(self) -> list[Any]:
        """Return the entries on show, first to last."""
        return list(self._rows)

    def _value(self, row: Any, role: int) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def _id(self, row: Any) -> str:  # noqa: ANN401
        raise NotImplementedError

    def _replace(self, rows: Sequence[Any]) -> None:
        """Show these rows: as changes when the same ids stay, as a reset otherwise."""
        if [self._id(row) for row in rows] != [self._id(row) for row in self._rows]:
            self.beginResetModel()
            self._rows = list(rows)
            self.endResetModel()
            return
        for number, row in enumerate(rows):
            if row != self._rows[number]:
                self._rows[number] = row
                index = self.index(number)
                self.dataChanged.emit(index, index)


class ReadyList(_RowModel):
    """The files on this computer: what came with the app, sound ones, all from small to large."""

    def __init__(self, library: ModelLibrary, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._filter = Filter()
        self._loads: dict[Path, LoadState] = {}
        self._loras: Mapping[str, str] = {}
        library.ready_changed.connect(self._refresh)
        self._refresh()

    @property
    def total(self) -> int:
        """How many there are without the filter."""
        return len(self._library.ready)

    def keys(self) -> set[str]:
        """Return the ids of all files, without the filter."""
        return {model.id for model in self._library.ready}

    def set_filter(self, wanted: Filter) -> None:
        """Show only what passes."""
        self._filter = wanted
        self._refresh()

    def set_loras(self, loras: Mapping[str, str]) -> None:
        """Say which LoRAs models are loaded with: by file name, as the settings keep them."""
        self._loras = loras
        self._refresh()

    def set_loaded(self, path: Path | None) -> None:
        """Say which file the engine holds; None after an eject."""
        failed = {p: s for p, s in self._loads.items() if s.status == "failed" and p != path}
        self._loads = failed | ({path: LoadState("loaded", 1.0)} if path is not None else {})
        self._refresh()

    def set_loading(self, path: Path, fraction: float) -> None:
        """Say how far the engine is with a file (0 to 1)."""
        others = {p: s for p, s in self._loads.items() if s.status != "loading"}
        self._loads = others | {path: LoadState("loading", min(max(fraction, 0.0), 1.0))}
        self._refresh()

    def set_error(self, path: Path, message: str, hint: str, suggestion: str) -> None:
        """Say why a file could not be loaded; the one that was loaded stays so."""
        self._loads[path] = LoadState("failed", 0.0, message, hint, suggestion)
        self._refresh()

    def _refresh(self) -> None:
        rows = [self._row(model) for model in self._library.ready]
        rows = [row for row in rows if self._accepts(row)]
        rows.sort(key=_order)
        self._replace(rows)

    def _row(self, model: ReadyModel) -> ReadyRow:
        path, info = model.local.path, model.local.info
        # The folder of a model in the hub's cache is named by its commit, the model is not.
        name = parse_file_name(info.name if info is not None and path.is_dir() else path.name)
        loras = parse_loras(self._loras.get(path.name, ""))
        return ReadyRow(model, name, self._loads.get(path, LoadState()), loras)

    def _accepts(self, row: ReadyRow) -> bool:
        info = row.model.local.info
        words = f"{row.title} {row.path.name}"
        form = _REMOTE_FORMATS.get(info.format, info.format) if info else ""
        return self._filter.accepts(words, row.model.plan, form)

    def _id(self, row: ReadyRow) -> str:
        return row.model.id

    def _value(self, row: ReadyRow, role: int) -> Any:  # noqa: ANN401
        info, plan = row.model.local.info, row.model.plan
        match role:
            case Role.ID:
                return row.model.id
            case Role.NAME | Qt.ItemDataRole.EditRole:
                return row.title
            case Role.DATE:
                return row.name.date
            case Role.SIZE_BYTES:
                return row.size_bytes
            case Role.PARAMETERS:
                return info.parameters if info else 0
            case Role.FORMAT:
                return info.format if info else ""
            case Role.STATE:
                return row.load.status
            case Role.PATH:
                return row.path
            case Role.PROBLEM:
                return row.model.local.problem
            case Role.RECOMMENDED:
                return False
            case Role.ENTRY:
                return row
            case Qt.ItemDataRole.ToolTipRole:
                return row.place
        return _plan_value(plan, role)


class AvailableList(_RowModel):
    """The models on the hub, one row each, with what is being downloaded of them."""

    def __init__(
        self, library: ModelLibrary, downloads: DownloadService, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._library, self._downloads = library, downloads
        self._filter = Filter()
        self._groups: list[ModelGroup] = []
        self._chosen: dict[str, str] = {}  # by title, the file that is wanted on top
        library.available_changed.connect(self._refresh)
        library.hardware_changed.connect(self._refresh)
        for signal in (downloads.changed, downloads.removed, downloads.finished):
            signal.connect(self._refresh)
        downloads.progressed.connect(self._on_progress)
        self._refresh()

    @property
    def total(self) -> int:
        """How many models there are without the filter."""
        return len(self._groups)

    def keys(self) -> set[str]:
        """Return the keys of all models, without the filter."""
        return {group.card_key for group in self._groups}

    @property
    def formats(self) -> list[str]:
        """The formats that occur, plainest first."""
        found = {model.remote.format for model in self._models()}
        return [form for form in ("pth", "safetensors", "folder", "gguf") if form in found]

    def set_filter(self, wanted: Filter) -> None:
        """Show only what passes."""
        self._filter = wanted
        self._refresh()

    def choose(self, title: str, key: str) -> None:
        """Put another file of a model on top of its card."""
        self._chosen[title] = key
        self._refresh()

    def _models(self) -> list[AvailableModel]:
        """Return what the hub offers and what is being downloaded from elsewhere."""
        listed = list(self._library.available)
        known = {model.id for model in listed}
        for entry in self._downloads.entries():
            if entry.id not in known:
                plan = self._library.plan_for(entry.model.shape)
                listed.append(AvailableModel(entry.id, entry.model, plan, added=True))
        return listed

    def _refresh(self, *_: object) -> None:
        models, recommended = self._models(), self._library.recommended
        self._groups = group_models(models, recommended, self._chosen)
        shown = [model for model in models if self._accepts(model)]
        self._replace(
            [self._row(found) for found in group_models(shown, recommended, self._chosen)]
        )

    def _row(self, found: ModelGroup) -> AvailableRow:
        downloads = tuple(self._downloads.entry(variant.id) for variant in found.variants)
        return AvailableRow(found, downloads, self._library.recommended)

    def _accepts(self, model: AvailableModel) -> bool:
        remote = model.remote
        # What is on its way stays in sight, whether it fits or not.
        plan = None if self._downloads.entry(model.id) is not None else model.plan
        words = f"{remote.title} {remote.repo} {remote.file}"
        return self._filter.accepts(words, plan, remote.format)

    def _on_progress(self, key: str, _progress: object) -> None:
        for number, row in enumerate(self._rows):
            if any(variant.id == key for variant in row.group.variants):
                self._rows[number] = self._row(row.group)
                index = self.index(number)
                self.dataChanged.emit(index, index, [Role.ENTRY, Role.STATE])

    def _id(self, row: AvailableRow) -> str:
        return row.group.key

    def _value(self, row: AvailableRow, role: int) -> Any:  # noqa: ANN401
        best, remote = row.group.best, row.group.best.remote
        match role:
            case Role.ID:
                return best.id
            case Role.NAME | Qt.ItemDataRole.EditRole:
                return remote.title
            case Role.DATE:
                return remote.date
            case Role.SIZE_BYTES:
                return remote.size_bytes
            case Role.PARAMETERS:
                return best.parameters
            case Role.FORMAT:
                return remote.format
            case Role.STATE:
                return _state(row)
            case Role.PATH:
                return best.path
            case Role.PROBLEM:
                return "" if remote.supported else remote.note
            case Role.RECOMMENDED:
                return bool(row.recommended) and best.id == row.recommended
            case Role.ENTRY:
                return row
            case Qt.ItemDataRole.ToolTipRole:
                return f"{remote.name} ({size_text(remote.size_bytes)})"
        return _plan_value(best.plan, role)


def _order(row: ReadyRow) -> tuple[bool, bool, int, str]:
    return not row.built_in, bool(row.model.local.problem), row.size_bytes, row.title


def _state(row: AvailableRow) -> str:
    for entry in row.downloads:
        if entry is not None:
            return entry.status
    return "here" if row.group.best.path is not None else ""


def _plan_value(plan: "Plan | None", role: int) -> Any:  # noqa: ANN401
    match role:
        case Role.VERDICT:
            return plan.verdict if plan is not None else ""
        case Role.SPEED:
            return plan.write_tokens_per_s if plan is not None else 0.0
        case Role.REASON:
            return plan.reason if plan is not None else ""
    return None
