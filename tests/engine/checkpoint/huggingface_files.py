"""Folders in the Hugging Face layouts, made of BlinkDL-named weights as their converters do it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

Weights = dict[str, Tensor]
LORA = {"1": "0.weight", "2": "2.weight", "0": "2.bias"}
PROJECTIONS = {"receptance": "r_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}
NORMS = {"ln0": "pre_norm", "ln1": "attn_norm", "ln2": "ffn_norm"}


def fla(weights: Weights) -> Weights:
    """Name and turn weights as flash-linear-attention has them; layer 0 has no v_lora."""
    named = {_fla_name(name): tensor for name, tensor in weights.items()}
    named = {name: t for name, t in named.items() if not name.startswith("model.layers.0.attn.v_l")}
    return {
        name: t.T.contiguous() if re.search(r"lora\.[02]\.weight$", name) else _squeezed(name, t)
        for name, t in named.items()
    }


def _fla_name(name: str) -> str:
    outside = {"emb": "model.embeddings", "ln_out": "model.norm", "head": "lm_head"}
    first, _, rest = name.partition(".")
    if first in outside:
        return f"{outside[first]}.{rest}"
    _, number, part, rest = name.split(".", 3)
    layer = f"model.layers.{number}."
    if part in NORMS:
        return f"{layer}{NORMS[part]}.{rest}"
    if part == "ffn":
        return f"{layer}ffn.{rest}"
    if lora := re.fullmatch(r"([wavg])([012])", rest):
        return f"{layer}attn.{lora[1]}_lora.lora.{LORA[lora[2]]}"
    stem, dot, kind = rest.partition(".")
    stem = {"ln_x": "g_norm", **PROJECTIONS}.get(stem, stem)
    return f"{layer}attn.{stem}{dot}{kind}"


def _squeezed(name: str, tensor: Tensor) -> Tensor:
    return tensor if ".attn.x_" in name else tensor.squeeze()


def fla_first(weights: Weights) -> Weights:
    """The first version of fla's layout: the six mixes of a layer in one tensor [6, D]."""
    named = fla(weights)
    layers = {name.split(".")[2] for name in named if name.startswith("model.layers.")}
    for i in layers:
        mixes = [named.pop(f"model.layers.{i}.attn.x_{c}").flatten() for c in "rwkvag"]
        named[f"model.layers.{i}.attn.x_x"] = torch.stack(mixes)
    return named


def transformers(weights: Weights) -> Weights:
    """Transformers' own Rwkv7ForCausalLM: BlinkDL's names behind a prefix, but the head's."""
    return {n if n == "head.weight" else f"model.{n}": t for n, t in weights.items()}


def transformers_other(weights: Weights) -> Weights:
    """The same with the other prefix that its converter had."""
    return {n if n == "head.weight" else f"rwkv7.{n}": t for n, t in weights.items()}


def early(weights: Weights) -> Weights:
    """The layout of the first files that called themselves Rwkv7ForCausalLM."""
    named = {}
    for name, tensor in weights.items():
        name = name.replace("blocks.0.ln0", "pre_ln").replace("blocks.", "layers.")
        name = name.replace(".att.", ".attention.").replace(".ffn.", ".feed_forward.")
        name = re.sub(r"^emb\.", "embeddings.", name)
        named[name if name == "head.weight" else f"model.{name}"] = tensor
    return named


LAYOUTS: dict[str, Callable[[Weights], Weights]] = {
    "fla": fla,
    "fla_first": fla_first,
    "transformers": transformers,
    "transformers_other": transformers_other,
    "early": early,
}


def config_of(weights: Weights) -> dict[str, object]:
    """What config.json says of them."""
    vocab, width = weights["emb.weight"].shape
    return {
        "model_type": "rwkv7",
        "architectures": ["RWKV7ForCausalLM"],
        "vocab_size": vocab,
        "hidden_size": width,
        "intermediate_size": weights["blocks.0.ffn.key.weight"].shape[0],
        "num_hidden_layers": sum(name.endswith(".ln1.weight") for name in weights),
        "head_dim": 64,
        "attn": None,
        "tie_word_embeddings": False,
    }


def write_folder(
    folder: Path, weights: Weights, layout: str = "fla", shards: int = 1, **config: object
) -> Path:
    """Write a folder; ``config`` replaces what its config.json says."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {name: t.contiguous() for name, t in LAYOUTS[layout](weights).items()}
    (folder / "config.json").write_text(json.dumps(config_of(weights) | config))
    if shards == 1:
        save_file(named, folder / "model.safetensors")
        return folder
    names = sorted(named)
    places = {name: f"model-{1 + i % shards:05}-of-{shards:05}.safetensors"
              for i, name in enumerate(names)}  # fmt: skip
    for file in set(places.values()):
        save_file({n: named[n] for n in names if places[n] == file}, folder / file)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
