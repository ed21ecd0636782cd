"""GGUF files of RWKV-7 as the field writes them: by the package's own writer.

Tokens, names and layouts are llama.cpp's; nothing of the engine's writer is used.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import quants
from torch import Tensor

from engine.checkpoint.gguf_names import PAIRS, gguf_name
from engine.vocabulary import read_vocabulary, world_vocabulary_path

Quantise = Callable[[str, np.ndarray], tuple[np.ndarray, Kind]]
Arrays = dict[str, np.ndarray]


def theirs(weights: Mapping[str, Tensor]) -> Arrays:
    """Return the weights under llama.cpp's names in its layouts, fp32."""
    made: Arrays = {}
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    for name, tensor in weights.items():
        stem = name.split(".", 2)[-1]
        if stem.startswith("att.x_"):
            continue
        values = tensor.float().squeeze().numpy()
        values = values.T if stem in PAIRS else values
        made[gguf_name(name)] = values.reshape(-1) if stem == "att.r_k" else values
    for layer in range(layers):
        mixes = [weights[f"blocks.{layer}.att.x_{c}"].float().reshape(1, 1, -1) for c in "rwkvag"]
        made[f"blk.{layer}.time_mix_lerp_fused.weight"] = np.stack([m.numpy() for m in mixes])
    for i in range(3):  # stand-ins that nothing reads
        made[f"blk.0.time_mix_v{i}.weight"] = made[f"blk.0.time_mix_a{i}.weight"]
    return made


def in_blocks(kind: Kind) -> Quantise:
    """Return a quantisation of the large matrices to one type, vectors and pairs left as fp32."""
    block, _ = gguf.GGML_QUANT_SIZES[kind]

    def quantise(name: str, values: np.ndarray) -> tuple[np.ndarray, Kind]:
        if values.ndim != 2 or values.shape[1] % block or is_pair(name):
            return np.ascontiguousarray(values), Kind.F32
        return quants.quantize(np.ascontiguousarray(values), kind), kind

    return quantise


def is_pair(name: str) -> bool:
    """Tell whether a tensor of theirs is one of the low-rank pairs."""
    return any(f"time_mix_{c}{i}." in name for c in "wavg" for i in (1, 2))


def write_gguf(
    path: Path,
    weights: Mapping[str, Tensor],
    quantise: Quantise,
    *,
    architecture: str = "rwkv7",
    facts: Mapping[str, int | float | str] | None = None,
    tokens: list[bytes] | None = None,
) -> Path:
    """Write a file; ``facts`` come beside the usual ones, ``tokens`` instead of World's."""
    writer = gguf.GGUFWriter(path, architecture)
    width, rows = weights["emb.weight"].shape[1], weights["emb.weight"].shape[0]
    writer.add_embedding_length(width)
    writer.add_layer_norm_eps(1e-5)
    writer.add_wkv_head_size(64)
    for key, value in (facts or {}).items():
        add = {int: writer.add_uint32, float: writer.add_float32, str: writer.add_string}
        add[type(value)](key, value)  # type: ignore[operator]
    writer.add_tokenizer_model("rwkv")
    texts = world_tokens(rows) if tokens is None else tokens
    writer.add_token_list(texts)
    kinds = [gguf.TokenType.CONTROL, *[gguf.TokenType.NORMAL] * (len(texts) - 1)]
    writer.add_token_types(
        [
            gguf.TokenType.UNUSED if t.startswith(b"[PAD") else k
            for t, k in zip(texts, kinds, strict=True)
        ]
    )
    for name, values in theirs(weights).items():
        data, kind = quantise(name, values)
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def world_tokens(rows: int) -> list[bytes]:
    """Return as many World tokens as a model has rows, escaped as llama.cpp's converter does."""
    world = read_vocabulary(world_vocabulary_path())
    tokens = [repr(world[n])[2:-1].encode() if n in world else b"[PAD%d]" % n for n in range(rows)]
    return [b"<s>", *tokens[1:]]
