"""The state: all that an RWKV remembers of what it has read, and its file.

Knows tensors and safetensors; knows nothing of chats, nodes or where files belong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor

from engine.errors import DamagedFile, EngineError, StateMismatch, UnsupportedModel
from engine.files import write_atomically
from engine.tensor_file import TensorFile

if TYPE_CHECKING:
    from engine.checkpoint import ModelShape
    from engine.checkpoint.entries import TensorEntry

FORMAT_VERSION = "1"
NOTHING_SUMMED = -1e30
"""The exponent of RWKV-4's sums when nothing was read yet."""
_MOST_DIGITS = 18
_STATE_NAMES = ("att_shift", "wkv", "ffn_shift")


@dataclass(slots=True, weakref_slot=True)
class State:
    """What a model remembers; its size does not grow with what was read.

    att_shift: [L, D] fp32, the last input of each time mix (after ln1).
    wkv: [L, H, N, N] fp32, row = value index, column = key index. Of RWKV-4, which has no
    matrices: [L, 3, D], the sums of values and of weights, and the exponent that both lack.
    ffn_shift: [L, D] fp32, the last input of each channel mix (after ln2).
    tokens_read: how many tokens have gone in.
    """

    att_shift: Tensor
    wkv: Tensor
    ffn_shift: Tensor
    tokens_read: int = 0

    @classmethod
    def zeros(cls, shape: "ModelShape", device: str | torch.device = "cpu") -> "State":
        """Return the state of a model that has read nothing."""

        def zero(*size: int) -> Tensor:
            return torch.zeros(*size, dtype=torch.float32, device=device)

        shift = (shape.layers, shape.width)
        state = cls(zero(*shift), zero(*shape.wkv_shape), zero(*shift))
        if shape.generation == "4":
            state.wkv[:, 2] = NOTHING_SUMMED
        return state

    def clone(self) -> "State":
        """Return an independent copy on the same device."""
        return State(
            self.att_shift.clone(), self.wkv.clone(), self.ffn_shift.clone(), self.tokens_read
        )

    def to(self, device: str | torch.device) -> "State":
        """Return this state on ``device``: itself when it is there already, else a copy."""
        if self.wkv.device == torch.device(device):
            return self
        return State(
            self.att_shift.to(device),
            self.wkv.to(device),
            self.ffn_shift.to(device),
            self.tokens_read,
        )

    def copy_from(self, other: "State") -> None:
        """Overwrite this state, in place, with another of the same shape."""
        for name, tensor in self.tensors().items():
            tensor.copy_(getattr(other, name))
        self.tokens_read = other.tokens_read

    def tensors(self) -> dict[str, Tensor]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in _STATE_NAMES}

    @property
    def nbytes(self) -> int:
        """Bytes in memory, the same for any length of chat."""
        return sum(tensor.nbytes for tensor in self.tensors().values())

    def require_shape(self, shape: "ModelShape") -> None:
        """Raise StateMismatch unless the arrays are those of a model of this shape."""
        expected = {
            "att_shift": (shape.layers, shape.width),
            "wkv": shape.wkv_shape,
            "ffn_shift": (shape.layers, shape.width),
        }
        for name, tensor in self.tensors().items():
            if tuple(tensor.shape) != expected[name]:
                raise StateMismatch(
                    f"This state has {name} {list(tensor.shape)}, "
                    f"but the model needs {list(expected[name])}.",
                    "Load the model that the state was made with, or read the text again.",
                )


@dataclass(slots=True)
class StateFile:
    """A state as read from disk, with what was saved beside it."""

    state: State
    metadata: dict[str, str]
    extras: dict[str, Tensor] = field(default_factory=dict)


def save_state(
    path: Path,
    state: State,
    metadata: Mapping[str, str],
    extras: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a state file so that a kill at any moment leaves the old file or the new one.

    extras: further tensors to keep, under names of their own.
    Raises OSError when the disk is full or read-only; nothing half-written stays then.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors().items()}
    for name, tensor in (extras or {}).items():
        tensors[f"extra.{name}"] = tensor.detach().cpu().contiguous()
    words = {**metadata, "format_version": FORMAT_VERSION, "tokens_read": str(state.tokens_read)}
    write_atomically(path, save(tensors, words))


def load_state(path: Path) -> StateFile:
    """Read a state file that ``save_state`` wrote.

    Raises DamagedFile when it is truncated, not a state, or of a newer format; and
    FileNotFoundError when there is none.
    """
    try:
        with TensorFile(path, state=True) as file:
            metadata = dict(file.metadata)
            _require_known(path, metadata, file.entries)
            tensors = {
                name: torch.from_numpy(file.read(entry)) for name, entry in file.entries.items()
            }
    except UnsupportedModel as error:
        raise _damaged(path) from error
    extras = {
        name.removeprefix("extra."): tensor
        for name, tensor in tensors.items()
        if name.startswith("extra.")
    }
    state = State(
        tensors["att_shift"],
        tensors["wkv"],
        tensors["ffn_shift"],
        tokens_read(metadata) or 0,
    )
    return StateFile(state, metadata, extras)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the words of a state file without reading its arrays.

    Raises DamagedFile when it is not a safetensors file.
    """
    try:
        with TensorFile(path, state=True) as file:
            return dict(file.metadata)
    except EngineError as error:
        raise _damaged(path) from error


def tokens_read(metadata: Mapping[str, str]) -> int | None:
    """Return how many tokens a state says it has read; None for what is no such number."""
    said = metadata.get("tokens_read", "")
    return int(said) if len(said) <= _MOST_DIGITS and said.isdecimal() else None


def _require_known(
    path: Path, metadata: Mapping[str, str], entries: "Mapping[str, TensorEntry]"
) -> None:
    if metadata.get("format_version", FORMAT_VERSION) > FORMAT_VERSION:
        raise DamagedFile(
            f"{path.name} was saved by a newer Skein.", "Update Skein, then open it again."
        )
    complete = all(name in entries and entries[name].dtype == "fp32" for name in _STATE_NAMES)
    if not complete or tokens_read(metadata) is None:
        raise _damaged(path)


def _damaged(path: Path) -> DamagedFile:
    return DamagedFile(
        f"{path.name} is not a whole state file of Skein.",
        "The text can be read again to make a new one.",
    )
