"""The names that RWKV-7 has in the Hugging Face layout, and what they are under BlinkDL's.

Three generations of that layout exist: flash-linear-attention's (projections renamed, each pair
of loras two linear layers, hence transposed), transformers' own Rwkv7ForCausalLM (BlinkDL's names
behind a prefix) and an early one that people still have (``attention``, ``feed_forward``). Sources:
utils/convert_from_rwkv7.py of fla-org/flash-linear-attention, convert_rwkv7_checkpoint_to_hf.py of
huggingface/transformers, gguf-py/gguf/tensor_mapping.py of ggml-org/llama.cpp.
Knows names and which tensors are turned, not files.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from engine.checkpoint.entries import ITEM_BYTES, TensorEntry, narrowed
from engine.checkpoint.storage import Turned
from engine.errors import DamagedFile, UnsupportedModel

_IS_RWKV7 = re.compile(
    r"(model|rwkv7)\.(layers|blocks)\.\d+\."
    r"((attn|attention|att)\.(r_k|r_proj|w_lora|x_r|x_x)\b|pre_norm\.)"
)
_PREFIX = re.compile(r"^(model|rwkv7)\.")
_LAYER = re.compile(r"^(?:layers|blocks)\.(\d{1,6})\.([^.]+)\.(.+)$", re.ASCII)
_LORA = re.compile(r"^([wavg])_lora\.lora\.(0\.weight|2\.weight|2\.bias)$")
_LORA_NUMBER = {"0.weight": 1, "2.weight": 2, "2.bias": 0}
_MIXES = "rwkvag"
_OUTSIDE = {
    "embeddings": "emb",
    "norm": "ln_out",
    "lm_head": "head",
    "pre_ln": "blocks.0.ln0",
}
_INSIDE = {
    "pre_norm": "ln0",
    "attn_norm": "ln1",
    "ffn_norm": "ln2",
    "attn": "att",
    "attention": "att",
    "feed_forward": "ffn",
}
_PROJECTIONS = {
    "r_proj": "receptance",
    "k_proj": "key",
    "v_proj": "value",
    "o_proj": "output",
    "g_norm": "ln_x",
}

Entries = Mapping[str, TensorEntry]


def has_huggingface_names(names: Collection[str]) -> bool:
    """Tell whether these are the tensors of an RWKV-7 in one of the layouts."""
    return "emb.weight" not in names and any(map(_IS_RWKV7.match, names))


def refuse_part(names: Collection[str], file_name: str) -> None:
    """Raise UnsupportedModel for one of several weight files, which is no model by itself."""
    plain = {_PREFIX.sub("", name).split(".")[0] for name in names}
    if not plain & {"emb", "embeddings"} or not plain & {"head", "lm_head"}:
        raise UnsupportedModel(
            f"{file_name} is one part of a model in the Hugging Face layout.",
            "Put all its parts and its config.json into one folder, and choose that.",
        )


def plain_entries(entries: Entries, file_name: str) -> dict[str, TensorEntry]:
    """Return the entries under BlinkDL's names and turned as his are; others keep their name.

    Raises DamagedFile when two tensors would have one name, or a lora is no matrix.
    """
    plain: dict[str, TensorEntry] = {}
    for entry in entries.values():
        for one in _translated(entry, file_name):
            if one.name in plain:
                raise DamagedFile(f"{file_name} is damaged: it holds {one.name} twice.")
            plain[one.name] = narrowed(one)
    return plain


def _translated(entry: TensorEntry, file_name: str) -> Iterator[TensorEntry]:
    """Yield what one tensor is: six of them if it is version 1 of fla's fused mixes."""
    name = _PREFIX.sub("", entry.name)
    layer = _LAYER.match(name)
    if layer is None:
        stem, dot, kind = name.partition(".")
        yield replace(entry, name=f"{_OUTSIDE.get(stem, stem)}{dot}{kind}")
        return
    number, part, rest = layer.groups()
    block = f"blocks.{number}.{_INSIDE.get(part, part)}."
    if rest == "x_x":
        yield from _mixes(entry, block, file_name)
    elif lora := _LORA.match(rest):
        which = _LORA_NUMBER[lora[2]]
        named = replace(entry, name=f"{block}{lora[1]}{which}")
        yield _turned(named, file_name) if which else named
    else:
        stem, dot, kind = rest.partition(".")
        renamed = _PROJECTIONS.get(stem, stem) if block.endswith(".att.") else stem
        yield replace(entry, name=f"{block}{renamed}{dot}{kind}")


def _turned(entry: TensorEntry, file_name: str) -> TensorEntry:
    if len(entry.shape) != 2:
        raise DamagedFile(f"{file_name} is damaged: the lora {entry.name} is no matrix.")
    entry = narrowed(entry)
    rows, columns = entry.shape
    turned = Turned(entry.storage, rows, columns, ITEM_BYTES[entry.dtype])
    return replace(entry, shape=(columns, rows), other=turned)


def _mixes(entry: TensorEntry, block: str, file_name: str) -> Iterator[TensorEntry]:
    """Cut [6, D] into x_r, x_w, x_k, x_v, x_a, x_g."""
    if entry.shape[:1] != (len(_MIXES),) or entry.other is not None:
        raise DamagedFile(
            f"{file_name} is damaged: {entry.name} has shape {list(entry.shape)}, [6, D] was "
            "expected."
        )
    size = entry.size_bytes // len(_MIXES)
    for i, letter in enumerate(_MIXES):
        yield replace(
            entry,
            name=f"{block}x_{letter}",
            shape=entry.shape[1:],
            offset=entry.offset + i * size,
            size_bytes=size,
        )
