"""Tells other models and other files apart by their tensors' names, and says what to do instead.

Knows names only. What it does not recognise goes on to the strict check in ``names``.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from engine.errors import UnsupportedModel

_CHOOSE_RWKV7 = "Choose an RWKV-7 model instead; the Models page lists them."
_CHOOSE_PLAIN = "Choose a plain RWKV-7 (x070) file of this model instead."
_CHOOSE_BASE = "Load the model it was made for, then import this file as a state."


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of file that is not run: how it is named, what to do, how it is recognised.

    ``sentence`` completes "FILE ...". ``kind`` is that of ``UnsupportedModel``.
    """

    sentence: str
    hint: str
    matches: Callable[[Collection[str]], bool]
    kind: str = ""


def refuse_variant(names: Collection[str], file_name: str) -> None:
    """Raise UnsupportedModel when the names are those of a known kind that is not run."""
    for variant in _VARIANTS:
        if variant.matches(names):
            sentence = f"{file_name} {variant.sentence}."
            raise UnsupportedModel(sentence, variant.hint, variant.kind)


def _any(pattern: str) -> Callable[[Collection[str]], bool]:
    """Return a test: some name contains the pattern."""
    search = re.compile(pattern).search
    return lambda names: any(search(name) for name in names)


_STATE_NAMES = r"\.time_state$|^wkv$|^state(\.|$)"

# The first that matches wins, so the more particular ones stand first.
_VARIANTS = (
    Variant(
        "is a LoRA, not a model: it holds only changes to one",
        "Load the model it was trained on, with this file as its LoRA: `--lora FILE`.",
        _any(r"\.?lora_[AB](\.|$)|\.bone$|\.disha$"),
        "lora",
    ),
    Variant(
        "is a saved state, not a model",
        _CHOOSE_BASE,
        lambda names: "emb.weight" not in names and _any(_STATE_NAMES)(names),
        "state",
    ),
    Variant(
        "is a training checkpoint, not a model: its tensors are wrapped in a trainer's names",
        "Export the model's weights from the trainer (names as in the released .pth files).",
        _any(r"^(module|_forward_module|model|state_dict|optimizer)\.(blocks|emb|state)\b|exp_avg"),
    ),
    Variant(
        "is an RWKV-8 preview (ROSA)",
        _CHOOSE_PLAIN,
        _any(r"\brosa|\.rosa"),
    ),
    Variant(
        "is an RWKV-8 preview (Heron: the ffn.enn tensors)",
        _CHOOSE_PLAIN,
        _any(r"\.ffn\.enn\b"),
    ),
    Variant(
        "is RWKV-7b (it keeps a growing attention cache: the qkv tensors)",
        _CHOOSE_PLAIN,
        _any(r"^blocks\.\d+\.qkv\."),
    ),
    Variant(
        "is an ARWKV hybrid (RWKV-7 attention inside a Transformer)",
        _CHOOSE_RWKV7,
        lambda names: _any(r"r_k$|w_lora")(names) and _any(r"mlp\.gate_proj")(names),
    ),
    Variant(
        "is an older RWKV (4 to 6) in the Hugging Face layout",
        _CHOOSE_RWKV7,
        _any(r"^(rwkv|model)\.(blocks|layers)\.\d+\.attention\.time_"),
    ),
    Variant(
        "is a Transformer model, not RWKV",
        _CHOOSE_RWKV7,
        _any(
            r"self_attn\.|attention\.(self|query|dense)|\.attn\.(c_attn|qkv_proj|q_proj)|"
            r"^(transformer|gpt_neox|bert|decoder|encoder)\."
        ),
    ),
    Variant(
        "holds no RWKV-7 model: none of its tensors has a name of one",
        _CHOOSE_RWKV7,
        lambda names: not _any(r"^(blocks\.\d+\.|emb\.weight$)")(names),
    ),
)
