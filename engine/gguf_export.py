"""A checkpoint as a GGUF file of architecture ``rwkv7``, for comparisons with llama.cpp.

Names and layouts as llama.cpp's own converter has them (../shared/rwkv7.md, section 2). Needs the
optional package ``gguf``; knows nothing of how the file is run. Quantised types are llama.cpp's
own work on the result (see ``bench_peers``).
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from engine.checkpoint import Checkpoint, ModelShape, open_checkpoint
from engine.errors import EngineError
from engine.vocabulary import read_vocabulary, world_vocabulary_path

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter  # pyright: ignore[reportMissingImports]
    from numpy.typing import NDArray

TYPES = ("F32", "F16", "BF16")
_CONTEXT = 1 << 20  # llama.cpp wants a number; the model has none
_MIXES = "rwkvag"  # the order in time_mix_lerp_fused
_OUTSIDE = {
    "emb.weight": "token_embd.weight",
    "blocks.0.ln0.weight": "token_embd_norm.weight",
    "blocks.0.ln0.bias": "token_embd_norm.bias",
    "ln_out.weight": "output_norm.weight",
    "ln_out.bias": "output_norm.bias",
    "head.weight": "output.weight",
}
_INSIDE = {
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


def export_gguf(source: Path, target: Path, weights: str) -> None:
    """Write the model ``source`` to ``target`` with its large matrices as F32, F16 or BF16.

    Raises EngineError without the package, and what opening a checkpoint raises.
    """
    try:
        import gguf  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise EngineError(
            "Writing a GGUF file needs the package “gguf”.", "Install it: pip install gguf"
        ) from error
    kind = gguf.GGMLQuantizationType[weights]
    with open_checkpoint(source) as checkpoint:
        writer = gguf.GGUFWriter(target, "rwkv7")
        _write_facts(writer, checkpoint.shape, weights, gguf)
        _write_vocabulary(writer, checkpoint, gguf)
        for name, values in _tensors(checkpoint):
            if _stays_fp32(name, values):
                writer.add_tensor(name, values)
            else:
                writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _write_facts(writer: "GGUFWriter", shape: ModelShape, weights: str, gguf: ModuleType) -> None:
    types = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_layer_norm_eps(1e-5)
    writer.add_wkv_head_size(shape.head_size)
    writer.add_decay_lora_rank(shape.ranks.w)
    writer.add_iclr_lora_rank(shape.ranks.a)
    writer.add_value_residual_mix_lora_rank(shape.ranks.v)
    writer.add_gate_lora_rank(shape.ranks.g)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_file_type(gguf.LlamaFileType[types[weights]])
    writer.add_head_count(0)  # asked for by the loader, used by nothing


def _write_vocabulary(writer: "GGUFWriter", checkpoint: Checkpoint, gguf: ModuleType) -> None:
    """Write as many tokens as the model has rows; what is no token of the vocabulary is unused."""
    own = checkpoint.info.path.parent / "vocabulary.txt"
    is_own = checkpoint.info.tokenizer == "vocabulary.txt"
    vocabulary = read_vocabulary(own if is_own else world_vocabulary_path())
    tokens, kinds = [b"<s>"], [gguf.TokenType.CONTROL]
    for token in range(1, checkpoint.shape.vocab):
        data = vocabulary.get(token)
        tokens.append(_escaped(data) if data else f"[PAD{token}]".encode())
        kinds.append(gguf.TokenType.NORMAL if data else gguf.TokenType.UNUSED)
    writer.add_tokenizer_model("rwkv")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)


def _escaped(data: bytes) -> bytes:
    """Return a token as llama.cpp reads it: all but plain letters and signs as \\xHH."""
    return b"".join(
        bytes((byte,)) if 32 <= byte < 127 and byte != ord("\\") else b"\\x%02x" % byte
        for byte in data
    )


def _stays_fp32(name: str, values: "NDArray[np.float32]") -> bool:
    small = ("time_mix_lerp_fused.weight", "time_mix_w1.weight", "time_mix_w2.weight")
    return values.ndim < 2 or name.endswith(small)


def _tensors(checkpoint: Checkpoint) -> "Iterator[tuple[str, NDArray[np.float32]]]":
    """Yield llama.cpp's names and values, loras transposed, in the order of the checkpoint."""
    import numpy as np

    mixes: list[NDArray[np.float32]] = []
    for name in checkpoint.entries:
        if name in _OUTSIDE:
            yield _OUTSIDE[name], _read(checkpoint, name)
            continue
        _, block, rest = name.split(".", 2)
        if rest.startswith("att.x_"):
            mixes.append(_read(checkpoint, name))
            if len(mixes) == len(_MIXES):
                by_letter = [_read(checkpoint, f"blocks.{block}.att.x_{c}") for c in _MIXES]
                fused = np.stack(by_letter).reshape(len(_MIXES), 1, 1, -1)
                yield f"blk.{block}.time_mix_lerp_fused.weight", fused
                mixes.clear()
            continue
        if block == "0" and rest in ("att.v0", "att.v1", "att.v2"):
            continue
        stem, kind = rest, "weight"
        if rest.endswith((".weight", ".bias")):
            stem, kind = rest.rsplit(".", 1)
        values = _read(checkpoint, name)
        if stem[:4] == "att." and stem[4:] in {f"{c}{i}" for c in "wavg" for i in (1, 2)}:
            values = np.ascontiguousarray(values.T)
        if stem == "att.r_k":
            values = values.reshape(-1)
        yield f"blk.{block}.{_INSIDE[stem]}.{kind}", values
        if block == "0" and stem in ("att.a0", "att.a1", "att.a2"):  # a stand-in, never read
            yield f"blk.0.time_mix_v{stem[-1]}.weight", values


def _read(checkpoint: Checkpoint, name: str) -> "NDArray[np.float32]":
    """Return one tensor as fp32, shaped as the checkpoint says."""
    import numpy as np

    entry = checkpoint.entries[name]
    data = bytearray(entry.size_bytes)
    checkpoint.read_into(name, memoryview(data), 0, entry.size_bytes)
    if entry.dtype == "bf16":
        wide = np.frombuffer(data, np.uint16).astype(np.uint32) << 16
        return wide.view(np.float32).reshape(entry.shape)
    kinds = {"fp32": np.float32, "fp16": np.float16, "fp64": np.float64}
    return np.frombuffer(data, kinds[entry.dtype]).astype(np.float32).reshape(entry.shape)
