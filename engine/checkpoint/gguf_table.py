"""A GGUF file of architecture ``rwkv7`` as a table of BlinkDL-named tensors.

Says which GGUF files are run, and why another is not. Knows no weights.
"""

from collections import Counter
from functools import partial
from typing import BinaryIO

from engine.checkpoint.entries import ITEM_BYTES, FileTable, TensorEntry, element_count
from engine.checkpoint.ggml import PLAIN, GgmlType, dequantise
from engine.checkpoint.gguf import GgufHead, read_head
from engine.checkpoint.gguf_names import GgufView, views
from engine.checkpoint.gguf_vocabulary import kind_of_vocabulary
from engine.checkpoint.storage import Blocks, Range, Storage, Turned
from engine.errors import DamagedFile, UnsupportedModel

FINGERPRINT = "skein.fingerprint"
"""The fact under which ``engine.gguf_export`` keeps the fingerprint of the weights it was given."""

_ARCHITECTURE = "general.architecture"
_EPSILON = 1e-5
_CHOOSE = "Choose an RWKV-7 model instead; the Models page lists them."
_OLDER = {f"rwkv{n}": f"RWKV-{n}" for n in (4, 5, 6)}


def read_gguf(file: BinaryIO, name: str, file_bytes: int) -> FileTable:
    """Return the table of a GGUF file. Raises DamagedFile, UnsupportedModel."""

    def check(key: str, text: str) -> None:
        if key == _ARCHITECTURE:
            refuse_architecture(text, name)

    head = read_head(file, name, file_bytes, check)
    refuse_architecture(head.text(_ARCHITECTURE), name)
    _check_facts(head, name)
    found = views(head)
    weights = _weights(found)
    return FileTable(
        "gguf",
        {key: _entry(key, view, name) for key, view in found.items()},
        weights=weights,
        tokenizer=kind_of_vocabulary(head, file),
        fingerprint="" if weights in PLAIN.values() else _fingerprint(head),
        metadata={key: value for key, value in head.facts.items() if isinstance(value, str)},
    )


def refuse_architecture(architecture: str, name: str) -> None:
    """Raise UnsupportedModel unless the architecture is ``rwkv7``."""
    if architecture == "rwkv7":
        return
    if architecture in ("arwkv7", "rwkv6qwen2"):
        what = f"an ARWKV hybrid in GGUF ({architecture}: RWKV inside a Transformer)"
        raise UnsupportedModel(f"{name} is {what}.", _CHOOSE)
    if architecture in _OLDER:
        raise UnsupportedModel(
            f"{name} is {_OLDER[architecture]}, an older generation, in GGUF.",
            "Choose the .pth of this model, which is run.",
        )
    what = f"of the architecture “{architecture[:40]}”" if architecture else "without architecture"
    raise UnsupportedModel(f"{name} is a GGUF file {what}, which is not RWKV-7.", _CHOOSE)


def _check_facts(head: GgufHead, name: str) -> None:
    if head.text("general.type") == "adapter":
        raise UnsupportedModel(
            f"{name} is a LoRA in GGUF, not a model.",
            "Apply the LoRA file that it was made from (.pth or .safetensors) to a model.",
        )
    pieces = head.number("split.count")
    if pieces is not None and pieces > 1:
        raise UnsupportedModel(
            f"{name} is one of {int(pieces)} pieces of a model.",
            "Join them with llama.cpp's gguf-split --merge, or choose a file in one piece.",
        )
    epsilon = head.number("rwkv7.attention.layer_norm_epsilon")
    if epsilon is not None and not 0.99 * _EPSILON < epsilon < 1.01 * _EPSILON:
        raise UnsupportedModel(
            f"{name} wants the layer norm epsilon {epsilon:g}; RWKV-7 has {_EPSILON:g}.", _CHOOSE
        )
    width, table = head.number("rwkv7.embedding_length"), head.tensors.get("token_embd.weight")
    if width is not None and table is not None and width != table.shape[-1]:
        raise DamagedFile(
            f"{name} is inconsistent: it states the width {width:g}, "
            f"and its embedding has {table.shape[-1]}.",
            "Download it again, or choose another file of this model.",
        )


def _fingerprint(head: GgufHead) -> str:
    told = head.text(FINGERPRINT)
    is_one = len(told) == 32 and all(c in "0123456789abcdef" for c in told)
    return told if is_one else ""


def _entry(key: str, view: GgufView, name: str) -> TensorEntry:
    """Return the entry of one tensor: plain types as they lie, block types as fp32."""
    kind, tensor = view.tensor.kind, view.tensor
    dtype = PLAIN.get(kind.name, "fp32")
    size_bytes = element_count(view.shape) * ITEM_BYTES[dtype]
    if view.first % kind.block or element_count(view.shape) % kind.block:
        raise UnsupportedModel(
            f"{name} holds {tensor.name} as {kind.name}, whose blocks cannot be taken apart.",
            "Choose another file of this model.",
        )
    offset = tensor.offset + kind.size_bytes(view.first)
    other = _blocks(kind, offset)
    if view.turned:
        inner = other or Range(0, offset)
        other = Turned(inner, view.shape[1], view.shape[0], ITEM_BYTES[dtype])
    return TensorEntry(key, dtype, view.shape, offset, size_bytes, other=other)


def _blocks(kind: GgmlType, offset: int) -> Storage | None:
    if kind.name in PLAIN:
        return None
    return Blocks(0, offset, kind.block_bytes, kind.block, partial(dequantise, kind))


def _weights(found: dict[str, GgufView]) -> str:
    """Return the type that most elements of the matrices have, by the engine's name for it."""
    elements: Counter[str] = Counter()
    for key, view in found.items():
        if key.endswith(".weight") and len(view.shape) == 2:
            elements[view.tensor.kind.name] += element_count(view.shape)
    most = elements.most_common(1)
    return PLAIN.get(most[0][0], most[0][0]) if most else ""
