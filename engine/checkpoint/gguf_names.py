"""The tensors of an RWKV-7 GGUF file under BlinkDL's names, and the other way round.

Names and layouts are those of llama.cpp (architecture ``rwkv7``; ../shared/rwkv7.md, section 2):
the six token-shift mixes of a layer are one tensor, the low-rank pairs are turned, r_k is flat,
and layer 0 carries stand-ins for the v pair that nothing reads. Knows names and shapes only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.checkpoint.gguf import GgufHead, GgufTensor

MIXES = "rwkvag"
"""The order of the mixes in ``time_mix_lerp_fused``."""

FUSED = "time_mix_lerp_fused"

OUTSIDE = {
    "emb.weight": "token_embd.weight",
    "blocks.0.ln0.weight": "token_embd_norm.weight",
    "blocks.0.ln0.bias": "token_embd_norm.bias",
    "ln_out.weight": "output_norm.weight",
    "ln_out.bias": "output_norm.bias",
    "head.weight": "output.weight",
}
"""BlinkDL's name -> GGUF's, of what belongs to no layer (or to one alone)."""

PAIRS = frozenset(f"att.{letter}{i}" for letter in "wavg" for i in (1, 2))
"""The low-rank pairs, which lie turned in a GGUF file."""

INSIDE = {
    "ln1": "attn_norm",
    "ln2": "attn_norm_2",
    "att.ln_x": "time_mix_ln",
    "ffn.x_k": "channel_mix_lerp_k",
    "ffn.key": "channel_mix_key",
    "ffn.value": "channel_mix_value",
    **{f"att.{name}": f"time_mix_{name}" for name in ("k_k", "k_a", "r_k")},
    **{f"att.{name}": f"time_mix_{name}" for name in ("receptance", "key", "value", "output")},
    **{f"att.{c}{i}": f"time_mix_{c}{i}" for c in "wavg" for i in (0, 1, 2)},
}
"""The same inside of a layer, without ``.weight`` and ``.bias``."""

_OURS_OUTSIDE = {theirs: ours for ours, theirs in OUTSIDE.items()}
_OURS_INSIDE = {theirs: ours for ours, theirs in INSIDE.items()}
_IN_LAYER = re.compile(r"blk\.(0|[1-9]\d{0,5})\.(\w+)\.(weight|bias)", re.ASCII)
_WITH_ENDING = ("ln1", "ln2", "ln_x", "receptance", "key", "value", "output")
_LAYER_0_STAND_INS = frozenset(("att.v0", "att.v1", "att.v2"))


@dataclass(frozen=True, slots=True)
class GgufView:
    """A tensor under BlinkDL's name: ``shape`` elements from ``first`` on, maybe turned.

    turned: the file holds [columns, rows] of ``shape`` [rows, columns]; then ``first`` is 0.
    """

    tensor: GgufTensor
    shape: tuple[int, ...]
    first: int = 0
    turned: bool = False


def views(head: GgufHead) -> dict[str, GgufView]:
    """Return BlinkDL's name -> where it lies; unknown tensors keep their names."""
    found: dict[str, GgufView] = {}
    for tensor in head.tensors.values():
        found |= _views_of(tensor, head.number("rwkv7.wkv.head_size"))
    return found


def _views_of(tensor: GgufTensor, head_size: float | None) -> Iterator[tuple[str, GgufView]]:
    if tensor.name in _OURS_OUTSIDE:
        yield _OURS_OUTSIDE[tensor.name], GgufView(tensor, tensor.shape)
        return
    match = _IN_LAYER.fullmatch(tensor.name)
    layer, stem, ending = match.groups() if match else ("", "", "")
    if stem == FUSED:
        yield from _mixes(tensor, f"blocks.{layer}.att.x_")
        return
    ours = _OURS_INSIDE.get(stem, "")
    has_ending = ours.rpartition(".")[2] in _WITH_ENDING
    if not ours or (ending == "bias" and not has_ending):
        yield tensor.name, GgufView(tensor, tensor.shape)
        return
    if layer == "0" and ours in _LAYER_0_STAND_INS:
        return
    name = f"blocks.{layer}.{ours}"
    yield f"{name}.{ending}" if has_ending else name, _view(tensor, ours, head_size)


def _view(tensor: GgufTensor, ours: str, head_size: float | None) -> GgufView:
    if ours in PAIRS and len(tensor.shape) == 2:
        return GgufView(tensor, tensor.shape[::-1], turned=True)
    if ours == "att.r_k" and head_size and len(tensor.shape) == 1:
        size = int(head_size)
        if size > 0 and tensor.shape[0] % size == 0:
            return GgufView(tensor, (tensor.shape[0] // size, size))
    return GgufView(tensor, tensor.shape)


def _mixes(tensor: GgufTensor, prefix: str) -> Iterator[tuple[str, GgufView]]:
    width = tensor.shape[-1]
    if tensor.shape not in ((len(MIXES), 1, 1, width), (len(MIXES), width)):
        yield tensor.name, GgufView(tensor, tensor.shape)
        return
    for i, letter in enumerate(MIXES):
        yield prefix + letter, GgufView(tensor, (width,), i * width)


def gguf_name(name: str) -> str:
    """Return GGUF's name of a tensor other than the mixes. Raises KeyError for an unknown one."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, layer, rest = name.split(".", 2)
    stem, ending = rest, "weight"
    if rest.endswith((".weight", ".bias")):
        stem, _, ending = rest.rpartition(".")
    return f"blk.{layer}.{INSIDE[stem]}.{ending}"
