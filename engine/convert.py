"""A model written anew in another format or number type: .pth, .safetensors, .st or .gguf.

Everything that opens can be read, LoRAs are merged on the way. The file is streamed, appears whole
or not at all, and is refused before the work when the disk has no room. Knows formats and files;
tensors are cast in ``weight_pieces``, GGUF's names and facts are in ``gguf_export``.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.checkpoint import ModelInfo, inspect, open_checkpoint
from engine.checkpoint.fingerprint import fingerprint
from engine.checkpoint.gguf_names import PAIRS
from engine.checkpoint.huggingface import counts_in_folder
from engine.checkpoint.info import ARCHITECTURE_WORDS
from engine.converted_vocabulary import put_vocabulary_beside, vocabulary_of
from engine.errors import EngineError, UnsupportedModel
from engine.files import replacing

if TYPE_CHECKING:
    from engine.backends.base import IsCancelled, Progress
    from engine.checkpoint import Checkpoint
    from engine.checkpoint.entries import TensorEntry
    from engine.lora_use import LoraUse
    from engine.weight_files import OutTensor
    from engine.weight_pieces import WeightPieces

SUFFIXES = (".pth", ".safetensors", ".st", ".gguf")
TYPES = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "q8_0": "Q8_0"}
"""What people write, and the engine's name of it; Q8_0 is for .gguf alone."""

_GGUF_TYPES = {"fp32": "F32", "fp16": "F16", "bf16": "BF16"}
_MARGIN_BYTES = 64 << 20
_ROW_VECTORS = ("x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "w0", "a0", "v0", "k_k", "k_a", "s0")
_BUFFER_BYTES = 1 << 20

Write = Callable[[BinaryIO], None]


def convert(
    source: Path,
    target: Path,
    weights: str = "",
    loras: "Sequence[LoraUse]" = (),
    *,
    overwrite: bool = False,
    progress: "Progress | None" = None,
    cancelled: "IsCancelled | None" = None,
) -> ModelInfo:
    """Write the model ``source`` as ``target``, whose suffix tells the format; return what it is.

    weights: a key of ``TYPES``; "" keeps the source's number type (fp16 for one that is quantised,
    but Q8_0 stays Q8_0 in a .gguf, and .st is fp16 as its readers want it). loras: merged in.
    Raises EngineError for a target that may not be written, Cancelled, and what opening a
    checkpoint or a LoRA raises; whatever is raised, an old file at ``target`` stays.
    """
    from engine.backends.lora import LoraMerge
    from engine.weight_pieces import WeightPieces

    _require_target(source, target, overwrite=overwrite)
    with (
        _open(source) as checkpoint,
        LoraMerge(loras, checkpoint.shape, source.name) as merge,
    ):
        kind = _chosen(weights, target, checkpoint)
        pieces = WeightPieces(checkpoint, merge, progress, cancelled)
        size_bytes, write = _plan(pieces, target, kind, is_changed=bool(loras))
        _require_room(target, size_bytes)
        if target.suffix != ".gguf":
            put_vocabulary_beside(checkpoint.info, target)
        _write(target, write)
    return inspect(target)


def _require_target(source: Path, target: Path, *, overwrite: bool) -> None:
    if target.suffix not in SUFFIXES:
        raise EngineError(
            f"{target.name} has no suffix that a model is written under.",
            f"Choose a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.",
        )
    if not target.absolute().parent.is_dir():
        raise EngineError(f"There is no folder {target.parent}.", "Make it, or choose another.")
    if counts_in_folder(target.absolute()):
        raise EngineError(
            f"{target.name} would become a part of the model in the Hugging Face layout that its "
            "folder holds.",
            "Choose another folder.",
        )
    if not target.exists():
        return
    if target.is_dir() or source.resolve() == target.resolve():
        raise EngineError(f"{target.name} cannot be written over.", "Choose another name.")
    if not overwrite:
        raise EngineError(
            f"{target.name} is there already.", "Choose another name, or add --overwrite."
        )


def _open(source: Path) -> "Checkpoint":
    checkpoint = open_checkpoint(source)
    if checkpoint.architecture.name in ("rwkv7", "rwkv7a"):
        return checkpoint
    checkpoint.close()
    raise UnsupportedModel(
        f"{source.name} is {ARCHITECTURE_WORDS[checkpoint.architecture.name]}, and only RWKV-7 "
        "is written in other formats.",
        "Use the file as it is: it runs.",
    )


def _chosen(weights: str, target: Path, checkpoint: "Checkpoint") -> str:
    """Return the engine's name of the number type that is written."""
    if weights and weights not in TYPES:
        raise EngineError(
            f"There is no number type “{weights}” to write.", f"Choose one of {', '.join(TYPES)}."
        )
    if checkpoint.info.has_state and target.suffix not in (".pth", ".safetensors"):
        raise UnsupportedModel(
            f"{checkpoint.info.name} brings an initial state, which {target.suffix} files have "
            "no place for.",
            "Convert it to .pth or .safetensors.",
        )
    kind = TYPES.get(weights) or _kept(target, checkpoint)
    if kind == "Q8_0" and target.suffix != ".gguf":
        raise EngineError(
            f"{target.suffix} files hold no Q8_0.", "Choose f16, bf16 or f32, or write a .gguf."
        )
    if target.suffix == ".st" and kind != "fp16":
        raise EngineError(
            "Readers of .st files want f16.", "Leave --type away, or write a .safetensors."
        )
    return kind


def _kept(target: Path, checkpoint: "Checkpoint") -> str:
    """Return the type that keeps most of what the source has."""
    if target.suffix == ".st":
        return "fp16"
    if checkpoint.info.weights in _GGUF_TYPES:
        return checkpoint.info.weights
    if checkpoint.table.weights:  # quantised
        return "Q8_0" if (checkpoint.table.weights, target.suffix) == ("Q8_0", ".gguf") else "fp16"
    sizes: Counter[str] = Counter()
    for entry in checkpoint.entries.values():
        sizes[entry.dtype] += entry.size_bytes
    return sizes.most_common(1)[0][0]


def _plan(
    pieces: "WeightPieces", target: Path, kind: str, *, is_changed: bool
) -> tuple[int, Write]:
    """Return the bytes of the new file's tensors, and what writes it."""
    from engine.weight_files import write_pth, write_safetensors

    if target.suffix == ".gguf":
        return _gguf_plan(pieces, target, _GGUF_TYPES.get(kind, kind), is_changed=is_changed)
    tensors = [
        _out_tensor(pieces, name, entry, kind, turn_pairs=target.suffix == ".st")
        for name, entry in pieces.checkpoint.entries.items()
    ]
    tensors += _start_tensors(pieces.checkpoint, kind)
    size_bytes = sum(tensor.size_bytes for tensor in tensors)
    if target.suffix == ".pth":
        return size_bytes, partial(write_pth, tensors=tensors)
    return size_bytes, partial(write_safetensors, tensors=tensors, metadata={"format": "pt"})


def _gguf_plan(
    pieces: "WeightPieces", target: Path, kind: str, *, is_changed: bool
) -> tuple[int, Write]:
    from engine.gguf_export import gguf_facts, gguf_tensors
    from engine.gguf_writer import write_gguf

    info = pieces.checkpoint.info
    if info.architecture != "rwkv7":
        raise UnsupportedModel(
            f"{info.name} is {ARCHITECTURE_WORDS[info.architecture]}, which no GGUF file holds.",
            "Convert it to .pth or .safetensors.",
        )
    identity = _fingerprint(pieces) if is_changed else info.fingerprint
    facts = gguf_facts(target.stem, info.shape, kind, vocabulary_of(info), identity)
    tensors = gguf_tensors(pieces, kind)
    size_bytes = sum(tensor.size_bytes for tensor in tensors)
    return size_bytes, partial(write_gguf, facts=facts, tensors=tensors)


def _fingerprint(pieces: "WeightPieces") -> str:
    """Return the fingerprint of the weights as LoRAs make them."""

    def read(entry: "TensorEntry", start: int, buffer: memoryview) -> None:
        pieces.sample(entry.name, start, buffer)

    return fingerprint(pieces.checkpoint.shape, pieces.checkpoint.entries, read)


def _out_tensor(
    pieces: "WeightPieces", name: str, entry: "TensorEntry", kind: str, *, turn_pairs: bool
) -> "OutTensor":
    """Return a tensor as BlinkDL's files have it; web-rwkv's have the low-rank pairs turned."""
    from engine.weight_files import OutTensor

    stem = name.split(".", 2)[-1] if name.startswith("blocks.") else name
    if turn_pairs and stem in PAIRS:
        return OutTensor(name, kind, entry.shape[::-1], partial(_turned, pieces, name, kind))
    is_row = stem.rpartition(".")[2] in _ROW_VECTORS and len(entry.shape) == 1
    shape = (1, 1, *entry.shape) if is_row else entry.shape
    return OutTensor(name, kind, shape, partial(_straight, pieces, name, kind))


def _start_tensors(checkpoint: "Checkpoint", kind: str) -> "Iterator[OutTensor]":
    """Yield the initial state that a state-tuned model brings, under the name of its layers."""
    import torch

    from engine.weight_files import OutTensor
    from engine.weight_pieces import DTYPES, raw_bytes

    start = checkpoint.read_start()
    for i, layer in enumerate(() if start is None else start):
        data = raw_bytes(torch.from_numpy(layer).to(DTYPES[kind]))
        yield OutTensor(f"blocks.{i}.att.time_state", kind, layer.shape, partial(iter, [data]))


def _straight(pieces: "WeightPieces", name: str, kind: str) -> Iterator[memoryview]:
    from engine.weight_pieces import raw_bytes

    return map(raw_bytes, pieces.of(name, kind))


def _turned(pieces: "WeightPieces", name: str, kind: str) -> Iterator[memoryview]:
    from engine.weight_pieces import raw_bytes

    yield raw_bytes(pieces.whole(name, kind).T.contiguous())


def _require_room(target: Path, wanted_bytes: int) -> None:
    free = shutil.disk_usage(target.absolute().parent).free
    if wanted_bytes + _MARGIN_BYTES > free:
        raise EngineError(
            f"{target.name} needs {wanted_bytes / 1e9:.1f} GB, and its disk has "
            f"{free / 1e9:.1f} GB free.",
            "Free some space there, or choose another folder.",
        )


def _write(target: Path, write: Write) -> None:
    try:
        with replacing(target) as temporary, temporary.open("wb", _BUFFER_BYTES) as file:
            write(file)
    except OSError as error:
        raise EngineError(
            f"{target.name} could not be written: {error.strerror or error}.",
            "Check that its folder can be written to and has room.",
        ) from error
