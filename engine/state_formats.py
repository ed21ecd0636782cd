"""State files of other programs: read and written, never executed.

- RWKV-PEFT and RWKV-Runner: ``.pth`` with ``blocks.N.att.time_state`` [H, N, N], rows = values, as
  in our state. A trained beginning: it holds no token shifts, so they are zero.
- web-rwkv and Ai00: ``.st`` / ``.state`` (safetensors), the same names, each matrix transposed,
  fp16.
Knows files and tensors; which model a state is for, only its arrays' sizes can tell.
"""

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel
from engine.files import write_atomically
from engine.snapshot import load_snapshot
from engine.state import State, save_state

if TYPE_CHECKING:
    from engine.checkpoint import ModelShape

StateFormat = Literal["skein", "pth", "web-rwkv"]
STATE_FORMATS: tuple[StateFormat, ...] = ("skein", "pth", "web-rwkv")

_NAME = re.compile(r"(?:.*\.)?blocks\.(\d+)\.att\.time_state")
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
    elif kind == "pth":
        state = _from_matrices(path, _read_pth(path), transposed=False)
    else:
        state = _from_matrices(path, _read_safetensors(path), transposed=True)
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
    try:
        with safe_open(str(path), framework="numpy") as file:
            names = set(file.keys())
    except SafetensorError as error:
        raise _damaged(path) from error
    return "skein" if "att_shift" in names else "web-rwkv"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(9)


def _read_pth(path: Path) -> dict[str, Tensor]:
    """Read the time_state tensors of a .pth; weights_only keeps it from running anything."""
    is_zip = zipfile.is_zipfile(path)
    if not is_zip and _start(path)[:2] == b"PK":
        raise _damaged(path)  # the end of the archive, with its contents, is missing
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a file, we say ourselves
            # mapped: a file may hold gigabytes of weights beside the state
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise UnsafeFile(
            f"{path.name} holds more than tensors and could run code when it is opened.",
            "It was not opened. Get the state from a source that you trust.",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    return _tensors(content)


def _tensors(content: Any) -> dict[str, Tensor]:  # noqa: ANN401 - whatever was in the file
    if not isinstance(content, Mapping):
        return {}
    for wrapper in ("state_dict", "model"):
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    return {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if _NAME.fullmatch(name)}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path) from error


def _from_matrices(path: Path, tensors: Mapping[str, Tensor], *, transposed: bool) -> State:
    """Build a state with zero shifts from one [H, N, N] matrix per layer."""
    layers: dict[int, Tensor] = {}
    for name, tensor in tensors.items():
        if match := _NAME.fullmatch(name):
            layers[int(match[1])] = tensor
    if not layers:
        raise _no_state(path)
    wkv = _stacked(path, layers)
    if transposed:
        wkv = wkv.transpose(-1, -2).contiguous()
    heads, n = wkv.shape[1:3]
    shifts = torch.zeros(2, len(layers), heads * n)
    return State(shifts[0].clone(), wkv, shifts[1].clone(), tokens_read=0)


def _stacked(path: Path, layers: Mapping[int, Tensor]) -> Tensor:
    """Return [L, H, N, N] fp32; raise DamagedFile unless the layers are whole and alike."""
    first = layers[min(layers)]
    alike = all(tensor.shape == first.shape for tensor in layers.values())
    square = first.ndim == 3 and first.shape[1] == first.shape[2] and first.numel() > 0
    if sorted(layers) != list(range(len(layers))) or not alike or not square:
        raise DamagedFile(
            f"{path.name} should hold one time_state [heads, 64, 64] per layer, but does not.",
            "Export or download the state again.",
        )
    wkv = torch.stack([layers[i].to(torch.float32) for i in range(len(layers))])
    if not bool(wkv.isfinite().all()):
        raise DamagedFile(f"{path.name} holds numbers that are not finite.", "Train it again.")
    return wkv


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


def _damaged(path: Path) -> DamagedFile:
    return DamagedFile(
        f"{path.name} is truncated or damaged.", "Copy, export or download the state again."
    )


def _no_state(path: Path) -> UnsupportedModel:
    return UnsupportedModel(
        f"{path.name} holds no RWKV-7 state.",
        "Skein reads its own states, time_state .pth files and .st or .state files of web-rwkv.",
    )
