"""What a file or folder is that somebody hands over: a model, a LoRA, a state, or none of these.

Reads names, tables and metadata, never weights; believes no file name. Knows nothing of windows.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from engine.errors import DamagedFile, EngineError, UnsupportedModel

if TYPE_CHECKING:
    from engine.checkpoint.entries import TensorEntry
    from engine.checkpoint.info import ModelInfo
    from engine.lora_files import LoraFile

Kind = Literal["model", "lora", "state", "folder", "refused"]
_TIME_STATE = ".time_state"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoraFacts:
    """A LoRA in brief: its largest rank, how many matrices it changes, its whole tensors."""

    rank: int
    matrices: int
    replaced: int
    alpha: float | None


@dataclass(frozen=True, slots=True)
class StateFacts:
    """A state in brief.

    wkv_shape: of all its matrices, [L, H, N, N]. name, fingerprint, tokens_read: what a state of
    Skein says of itself; "" and 0 for those of other programs.
    """

    wkv_shape: tuple[int, ...]
    name: str = ""
    fingerprint: str = ""
    tokens_read: int = 0

    @property
    def width(self) -> int:
        """The width of the models that it is for."""
        heads = self.wkv_shape[1] if len(self.wkv_shape) == 4 else 1
        return heads * self.wkv_shape[-1]

    def fits(self, info: "ModelInfo") -> bool:
        """Say whether it can begin a chat with this model."""
        return self.wkv_shape == tuple(info.shape.wkv_shape) and self.fingerprint in (
            "",
            info.fingerprint,
        )


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a path leads to.

    info, lora, state: the facts, by ``kind``. fitting: which of the models that were named a LoRA
    or a state fits, in their order. models: how many a folder holds. error: why it is refused.
    """

    path: Path
    kind: Kind
    info: "ModelInfo | None" = None
    lora: LoraFacts | None = None
    state: StateFacts | None = None
    fitting: "tuple[ModelInfo, ...]" = ()
    models: int = 0
    error: EngineError | None = None


def recognise(path: Path, models: "Sequence[ModelInfo]" = ()) -> Recognised:
    """Return what lies at a path; models: to which a LoRA or a state may belong. Never raises."""
    from engine.checkpoint import inspect

    try:
        return Recognised(path, "model", info=inspect(path))
    except EngineError as error:
        return _otherwise(path, models, error)
    except Exception as error:
        log.exception("%s could not be looked at", path)
        return _refused(path, EngineError(f"{path.name} could not be read: {error}."))


def _otherwise(path: Path, models: "Sequence[ModelInfo]", error: EngineError) -> Recognised:
    """Return what it is when it is no model: ``error`` says why not."""
    kind = error.kind if isinstance(error, UnsupportedModel) else ""
    try:
        if kind == "lora":
            return _lora(path, models)
        if kind == "state":
            return _state(path, models)
        if path.is_dir():
            return _folder(path, error)
    except EngineError as worse:
        return _refused(path, worse)
    except OSError as worse:
        return _refused(path, DamagedFile(f"{path.name} cannot be read: {worse.strerror}."))
    return _refused(path, error)


def _refused(path: Path, error: EngineError) -> Recognised:
    return Recognised(path, "refused", error=error)


def _lora(path: Path, models: "Sequence[ModelInfo]") -> Recognised:
    from engine.lora_files import LoraFile

    with LoraFile(path) as file:
        ranks = [pair.rank for pair in file.pairs.values()]
        facts = LoraFacts(max(ranks), len(ranks), len(file.replacements), file.alpha)
        fitting = tuple(info for info in models if _fits(file, info))
    return Recognised(path, "lora", lora=facts, fitting=fitting)


def _fits(file: "LoraFile", info: "ModelInfo") -> bool:
    try:
        file.require_fit(info.shape, info.name)
    except UnsupportedModel:
        return False
    return True


def _state(path: Path, models: "Sequence[ModelInfo]") -> Recognised:
    facts = state_facts(path)
    fitting = tuple(info for info in models if facts.fits(info))
    return Recognised(path, "state", state=facts, fitting=fitting)


def state_facts(path: Path) -> StateFacts:
    """Return what a state file holds, by its table. Raises DamagedFile, UnsupportedModel."""
    from engine.checkpoint.sniff import read_table

    with path.open("rb", buffering=0) as file:
        table = read_table(cast("BinaryIO", file), path.name, path.stat().st_size)
    entries = table.entries
    if "wkv" not in entries:
        return StateFacts(_layers_of_others(path, entries))
    from engine.state import read_metadata, tokens_read

    words = read_metadata(path)
    return StateFacts(
        entries["wkv"].shape,
        words.get("name", ""),
        words.get("fingerprint", ""),
        tokens_read(words) or 0,
    )


def _layers_of_others(path: Path, entries: "dict[str, TensorEntry]") -> tuple[int, ...]:
    """Return [L, H, N, N] of files that hold a matrix per head in a tensor per layer."""
    shapes = [entry.shape for name, entry in entries.items() if name.endswith(_TIME_STATE)]
    if not shapes or len(set(shapes)) != 1:
        raise DamagedFile(
            f"{path.name} should hold one time_state of one size for each layer, but does not.",
            "Export or download the state again.",
        )
    return len(shapes), *shapes[0]


def _folder(path: Path, error: EngineError) -> Recognised:
    """Return how many models a folder holds; refused where it holds none."""
    from engine.hub.library import scan

    found = [local for local in scan([path]) if local.info is not None]
    if not found:
        return _refused(path, error)
    return Recognised(path, "folder", models=len(found))
