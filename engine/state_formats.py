"""State files of other programs: read and written, never executed.

- RWKV-PEFT and RWKV-Runner: ``.pth`` with ``blocks.N.att.time_state`` [H, N, N], rows = values, as
  in our state. A trained beginning: it holds no token shifts, so they are zero.
- web-rwkv and Ai00: ``.st`` / ``.state`` (safetensors), the same names, each matrix transposed,
  fp16.
Knows files and tensors; which model a state is for, only its arrays' sizes can tell.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from safetensors.torch import save
from torch import Tensor

from engine.checkpoint.entries import NUMPY_TYPES, TensorEntry, narrowed
from engine.errors import DamagedFile, EngineError, UnsupportedModel
from engine.files import write_atomically
from engine.snapshot import load_snapshot
from engine.state import State, save_state
from engine.tensor_file import TensorFile

if TYPE_CHECKING:
    from engine.checkpoint import ModelShape

StateFormat = Literal["skein", "pth", "web-rwkv"]
STATE_FORMATS: tuple[StateFormat, ...] = ("skein", "pth", "web-rwkv")

_NAME = re.compile(r"(?:.*\.)?blocks\.(\d{1,6})\.att\.time_state", re.ASCII)
_FP16_MAX = 65504.0


def import_state(path: Path, shape: "ModelShape | None" = None) -> State:
    """Read a state from a file of any of the three formats, told apart by its content.

    shape: of the model it is meant for. Returns a state on the CPU.
    Raises FileNotFoundError, DamagedFile, UnsafeFile (it wants to run code), UnsupportedModel (no
    state in it), StateMismatch (not for that shape).
    """
    kind = format_of(path)
    if kind == "skein":
        state = load_snapshot(path)[0].state
    else:
        with TensorFile(path, state=True) as file:
            state = _from_matrices(file, transposed=kind == "web-rwkv")
    if shape is not None:
        state.require_shape(shape)
    return state


def export_state(
    path: Path,
    state: State,
    format: StateFormat,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Write a state for another program; return a sentence about what is lost, or "".

    metadata: kept by "skein" alone.
    Raises OSError when the disk is full, EngineError when fp16 cannot hold the values or the
    format has no place for such a state.
    """
    if format == "skein":
        save_state(path, state, {"kind": "persona", **(metadata or {})})
        return ""
    if state.wkv.ndim != 4:
        raise EngineError(
            "The state of an RWKV-4 model holds no matrices, so other programs' formats have no "
            "place for it.",
            "Export it as a state of Skein.",
        )
    matrices = {
        f"blocks.{i}.att.time_state": matrix.detach().to("cpu", torch.float32)
        for i, matrix in enumerate(state.wkv)
    }
    data = _pth_bytes(matrices) if format == "pth" else _web_rwkv_bytes(matrices)
    write_atomically(path, data)
    if bool(state.att_shift.any()) or bool(state.ffn_shift.any()):
        return (
            "This format has no place for the token shifts, so the first words after this "
            "state can differ a little."
        )
    return ""


def format_for(out: Path) -> StateFormat:
    """Return the format that a file's ending asks for; our own where it says nothing."""
    ending = out.suffix.lower()
    if ending == ".pth":
        return "pth"
    return "web-rwkv" if ending in (".st", ".state") else "skein"


def format_of(path: Path) -> StateFormat:
    """Tell a state file's format by its content. Raises DamagedFile, UnsupportedModel."""
    start = _start(path)
    if start[:2] == b"PK" or start[:1] == b"\x80":  # zip (torch since 1.6) or a bare pickle
        return "pth"
    if start[8:9] != b"{":
        raise _no_state(path)
    with TensorFile(path, state=True) as file:
        return "skein" if "att_shift" in file.entries else "web-rwkv"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(9)


def _from_matrices(file: TensorFile, *, transposed: bool) -> State:
    """Build a state with zero shifts from one [H, N, N] matrix per layer."""
    layers: dict[int, TensorEntry] = {}
    for name, entry in file.entries.items():
        if match := _NAME.fullmatch(name):
            layers[int(match[1])] = narrowed(entry)
    if not layers:
        raise _no_state(file.path)
    _require_alike(file.path, layers)
    wkv = torch.empty(len(layers), *layers[0].shape)
    for i, matrix in enumerate(wkv):
        read = torch.from_numpy(file.read(layers[i]))
        matrix.copy_(read.transpose(-1, -2) if transposed else read)
        if not bool(matrix.isfinite().all()):
            raise DamagedFile(
                f"{file.path.name} holds numbers that are not finite.", "Train it again."
            )
    heads, n = wkv.shape[1:3]
    shifts = torch.zeros(2, len(layers), heads * n)
    return State(shifts[0].clone(), wkv, shifts[1].clone(), tokens_read=0)


def _require_alike(path: Path, layers: Mapping[int, TensorEntry]) -> None:
    """Raise DamagedFile unless all layers are there, alike, and no part of the file serves two."""
    first = layers.get(0)
    shape = first.shape if first is not None else ()
    square = len(shape) == 3 and shape[1] == shape[2] and min(shape) > 0
    alike = all(e.shape == shape and e.dtype in NUMPY_TYPES for e in layers.values())
    places = {entry.offset for entry in layers.values()}
    whole = sorted(layers) == list(range(len(layers))) and len(places) == len(layers)
    if not (square and alike and whole):
        raise DamagedFile(
            f"{path.name} should hold one time_state [heads, 64, 64] per layer, but does not.",
            "Export or download the state again.",
        )


def _pth_bytes(matrices: Mapping[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save({name: matrix.clone() for name, matrix in matrices.items()}, buffer)
    return buffer.getvalue()


def _web_rwkv_bytes(matrices: Mapping[str, Tensor]) -> bytes:
    if any(bool((matrix.abs() > _FP16_MAX).any()) for matrix in matrices.values()):
        raise EngineError(
            "This state holds numbers that are too large for fp16.", "Export it as .pth instead."
        )
    return save(
        {
            name: matrix.transpose(-1, -2).to(torch.float16).contiguous()
            for name, matrix in matrices.items()
        }
    )


def _no_state(path: Path) -> UnsupportedModel:
    return UnsupportedModel(
        f"{path.name} holds no RWKV-7 state.",
        "Skein reads its own states, time_state .pth files and .st or .state files of web-rwkv.",
    )
