"""GGUF files that are sound as containers and wrong in what they say."""

import struct

from tests.fuzz.case import Content
from tests.fuzz.mutate import Rng, number
from tests.fuzz.seeds import seeds


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def _fact(rng: Rng) -> bytes:
    key = rng.choice(
        ("general.alignment", "split.count", "rwkv7.wkv.head_size", "rwkv7.embedding_length",
         "rwkv7.attention.layer_norm_epsilon", "tokenizer.ggml.tokens", "tokenizer.ggml.model",
         "tokenizer.ggml.token_type", "general.type", "skein.fingerprint", "x")
    )  # fmt: skip
    kind = rng.choice((0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 13, 2**32 - 1))
    values = {
        0: b"\xff", 1: b"\x80", 4: struct.pack("<I", number(rng) % 2**32), 5: b"\xff" * 4,
        6: struct.pack("<f", rng.choice((float("inf"), float("nan"), -1.0, 0.5, 1e30))),
        7: b"\2", 8: _text(rng.choice((b"", b"rwkv", b"\xff\xfe", "𝕏".encode() * 5000))),
        9: _array(rng), 10: struct.pack("<Q", number(rng) % 2**64), 11: b"\xff" * 8,
        12: struct.pack("<d", rng.choice((float("inf"), float("nan"), -1.0, 1e300, 64.0))),
    }  # fmt: skip
    return _text(key.encode()) + struct.pack("<I", kind) + values.get(kind, b"")


def _array(rng: Rng) -> bytes:
    kind = rng.choice((0, 4, 5, 8, 8, 9, 12))
    count = rng.choice((0, 1, 5, 300))
    said = count if rng.random() < 0.7 else number(rng) % 2**64
    sizes = {0: 1, 4: 4, 5: 4, 12: 8}
    one = _text(b"\\x" + rng.randbytes(2)) if kind == 8 else b"\x01" * sizes.get(kind, 4)
    return struct.pack("<IQ", kind, said) + one * count


def _tensor(rng: Rng) -> bytes:
    name = rng.choice(
        ("token_embd.weight", "output.weight", "blk.0.time_mix_lerp_fused.weight", "y",
         "blk.0.time_mix_w1.weight", "blk.999999.time_mix_r_k.weight", "blk.0.attn_norm.bias")
    )  # fmt: skip
    sizes = [
        rng.choice((0, 1, 32, 64, 256, 320, 2**39)) for _ in range(rng.choice((0, 1, 2, 3, 4, 5)))
    ]
    said = len(sizes) if rng.random() < 0.9 else number(rng) % 2**32
    kind = rng.choice((0, 1, 2, 8, 12, 30, 31, 99))
    offset = rng.choice((0, 32, 33, 4096, number(rng) % 2**64))
    return _text(name.encode()) + struct.pack(f"<I{len(sizes)}QIQ", said, *sizes, kind, offset)


def gguf(rng: Rng) -> tuple[dict[str, Content], str]:
    facts = [_text(b"general.architecture") + struct.pack("<I", 8) + _text(b"rwkv7")]
    facts += [_fact(rng) for _ in range(rng.choice((0, 1, 3, 8)))]
    tensors = [_tensor(rng) for _ in range(rng.choice((0, 1, 3)))]
    counts = [len(tensors), len(facts)]
    if rng.random() < 0.2:
        counts[rng.randrange(2)] = number(rng) % 2**64
    head = b"GGUF" + struct.pack("<IQQ", rng.choice((2, 3, 3, 3, 1, 2**24)), *counts)
    return {"x.gguf": head + b"".join(facts + tensors) + bytes(4096)}, "gguf"


def gguf_more(rng: Rng) -> tuple[dict[str, Content], str]:
    """Put facts in front of those of a sound file."""
    data = rng.choice(seeds("gguf"))["x.gguf"]
    version, tensors, facts = struct.unpack_from("<IQQ", data, 4)
    more = [_fact(rng) for _ in range(rng.choice((1, 2)))]
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, facts + len(more))
    pad = -len(b"".join(more)) % 32
    more.append(_text(b"pad" + b"p" * (pad + 32 - 32)) + struct.pack("<I", 0) + b"\0")
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, facts + len(more))
    room = bytes(-len(b"".join(more)) % 32)
    return {"x.gguf": head + b"".join(more) + data[24:] + room}, "gguf facts"


def gguf_many(rng: Rng) -> tuple[dict[str, Content], str]:
    """A head of nothing but the smallest facts or tensors, or of one long text."""
    count = rng.choice((300, 300, 300, 3000, 20_000, 100_000))
    first = _text(b"general.architecture") + struct.pack("<I", 8) + _text(b"rwkv7")
    kind = rng.randrange(4)
    if kind == 0:
        body = b"".join(_text(b"%x" % i) + struct.pack("<IB", 0, 1) for i in range(count))
        head = struct.pack("<IQQ", 3, 0, count + 1) + first + body
    elif kind == 1:
        table = [_text(b"%x" % i) + struct.pack("<IQIQ", 1, 1, 0, 32 * i) for i in range(count)]
        head = struct.pack("<IQQ", 3, count, 1) + first + b"".join(table) + bytes(32 * count + 64)
    elif kind == 2:
        long = _text(b"x") + struct.pack("<I", 8) + _text("𝕏".encode() + b"\xff" * 40 * count)
        head = struct.pack("<IQQ", 3, 0, 2) + first + long
    else:
        strings = struct.pack("<IIQ", 9, 8, count) + bytes(8 * count)
        model = _text(b"tokenizer.ggml.model") + struct.pack("<I", 8) + _text(b"rwkv")
        head = (
            struct.pack("<IQQ", 3, 0, 3) + first + model + _text(b"tokenizer.ggml.tokens") + strings
        )
    return {"x.gguf": b"GGUF" + head + bytes(64)}, f"gguf many {kind}"
