"""Valid files of every kind, small and seeded, as the field's own writers make them."""

import hashlib
import io
import json
import sqlite3
import struct
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from safetensors.torch import save

from engine.archive import Place
from engine.packed_format import PackedHeader, PackedKey, checksum_of, header_bytes
from engine.sampling import SamplerState
from engine.snapshot import Snapshot, save_snapshot
from engine.state import State
from engine.state_formats import export_state
from engine.store import Store
from engine.vocabulary import format_vocabulary
from tests.engine.checkpoint.huggingface_files import write_folder
from tests.gguf_files import in_blocks, write_gguf
from tests.older import older_weights
from tests.tiny import tiny_weights

Files = dict[str, bytes]
WIDTH, VOCAB = 64, 320
CHATS = "chats.sqlite"
PACKED = bytes(range(256)) * 64


def weights(**options) -> dict[str, torch.Tensor]:  # type: ignore[no-untyped-def]
    """Return a model of 64 wide, of a quarter of a megabyte."""
    sizes = {"width": WIDTH, "vocab": VOCAB, "ranks": (8, 8, 8, 8), "dtype": torch.bfloat16}
    return tiny_weights(**(sizes | options))  # type: ignore[arg-type]


def pth(content: object, **how) -> bytes:  # type: ignore[no-untyped-def]
    """Return what torch.save writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **how)
    return buffer.getvalue()


def matrices() -> dict[str, torch.Tensor]:
    """Return a state as trainers keep it."""
    rng = torch.Generator().manual_seed(3)
    return {f"blocks.{i}.att.time_state": torch.randn(1, 64, 64, generator=rng) for i in (0, 1)}


def pairs(**more: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return a LoRA of two matrices."""
    return {
        "blocks.0.att.key.lora_A": torch.ones(4, WIDTH),
        "blocks.0.att.key.lora_B": torch.ones(WIDTH, 4),
        "blocks.1.ffn.key.lora_A": torch.ones(8, WIDTH).bfloat16(),
        "blocks.1.ffn.key.lora_B": torch.ones(4 * WIDTH, 8).bfloat16(),
        **more,
    }


def _saved(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write(path)
        return path.read_bytes()


def _tree(write: Callable[[Path], object]) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "x"
        write(root)
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _pth() -> list[Files]:
    tuned = weights() | matrices()
    turned = {n: t.T if n.endswith("w1") else t for n, t in weights().items()}
    older = [older_weights(g, vocab=VOCAB, dtype=torch.bfloat16) for g in ("4", "5.2", "6")]
    whole = [weights(), tuned, weights(deep=4), turned, *older]
    return [{"x.pth": pth(content)} for content in whole] + [
        {"x.pth": pth(weights(dtype=torch.float64))},
        {"x.pth": pth(weights(), _use_new_zipfile_serialization=False)},
        {"x.pth": pth({"model": weights()})},
    ]


def _safetensors() -> list[Files]:
    turned = {
        n: t.T.contiguous() if n[-2:-1] in "wag" and n[-1] in "12" else t
        for n, t in weights().items()
    }
    return [{"x.st": save(content, {"format": "pt"})} for content in (weights(), turned)]


def small_vocabulary() -> dict[int, bytes]:
    """Return a vocabulary of all single bytes and a few more."""
    more = (b"ab", "é".encode(), b"\xff\xfe", b"'", b'"\\', b"\n\n")
    return dict(enumerate((*(bytes((n,)) for n in range(256)), *more), start=1))


def _gguf() -> list[Files]:
    made = []
    for kind in (Kind.F16, Kind.Q8_0, Kind.Q4_0):
        model = weights(dtype=torch.float32)
        made.append({"x.gguf": _saved(lambda p, k=kind, m=model: write_gguf(p, m, in_blocks(k)))})
    words = small_vocabulary()
    tokens = [b"<s>", *(repr(words[n])[2:-1].encode() for n in words)]
    own = weights(vocab=len(tokens), dtype=torch.float32)
    quantise = in_blocks(Kind.Q8_0)
    made.append({"x.gguf": _saved(lambda p: write_gguf(p, own, quantise, tokens=tokens))})
    return made


def json_tokenizer() -> bytes:
    """Return a small tokenizer.json of byte-level pieces."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = pre_tokenizers.ByteLevel.alphabet()
    made = Tokenizer(models.BPE({c: n for n, c in enumerate(sorted(letters))}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made.to_str().encode()


def letters_vocabulary() -> bytes:
    """Return a vocab.json of transformers' Rwkv7Tokenizer."""
    words = small_vocabulary()
    return json.dumps({words[n].decode("latin-1"): n for n in words}).encode()


def _folder() -> list[Files]:
    sharded = _tree(lambda p: write_folder(p, weights(), "fla", shards=3))
    trees = [
        _tree(lambda p: write_folder(p, weights(), "fla")),
        sharded,
        _tree(lambda p: write_folder(p, weights(), "transformers")),
        {"config.json": b'{"model_type":"rwkv7"}', "pytorch_model.bin": pth(weights())},
    ]
    kinds = {
        "tokenizer.json": json_tokenizer(),
        "vocab.json": letters_vocabulary(),
        "vocab.txt": format_vocabulary(small_vocabulary()),
        "rwkv_vocab_v20230424.txt": format_vocabulary(small_vocabulary()),
    }
    return [trees[0] | {name: data} for name, data in kinds.items()] + trees


def _lora() -> list[Files]:
    alpha = torch.tensor([16.0])
    whole = pairs(lora_alpha=alpha, **{"blocks.0.ln1.weight": torch.ones(WIDTH)})
    peft = {f"base_model.model.{n}.weight": t for n, t in pairs().items()}
    turned = {n: t.T.contiguous().T for n, t in pairs().items()}
    return [{"x.pth": pth(content)} for content in (pairs(), whole, peft, turned)] + [
        {"x.safetensors": save(pairs())}
    ]


def snapshot() -> Snapshot:
    """Return a state of two layers with logits and a sampler."""
    rng = torch.Generator().manual_seed(5)
    state = State(
        torch.randn(2, 64, generator=rng),
        torch.randn(2, 1, 64, 64, generator=rng),
        torch.randn(2, 64, generator=rng),
        7,
    )
    drawn = SamplerState(np.arange(3), np.ones(3, np.float32), '{"seed": 1}')
    return Snapshot(state, torch.randn(50, generator=rng).numpy(), drawn)


def _own_state() -> bytes:
    words = {"kind": "persona", "name": "Ada", "fingerprint": "f" * 32}
    return _saved(lambda p: save_snapshot(p, snapshot(), words))


def _state() -> list[Files]:
    state = snapshot().state
    web = _saved(lambda p: export_state(p, state, "web-rwkv"))
    legacy = pth(matrices(), _use_new_zipfile_serialization=False)
    content = [_own_state(), pth(matrices()), web, legacy, pth({"state_dict": matrices()})]
    return [{"x.state": data} for data in content]


def packed_key() -> PackedKey:
    """Return the key that the packed seed was written under."""
    return PackedKey("f" * 32, 7, 1, "d" * 64, "int8", "e" * 64, "0.1.0", len(PACKED))


def _packed() -> list[Files]:
    key = packed_key()
    header = PackedHeader(key, ("/nowhere/x.pth",), checksum_of(memoryview(PACKED)))
    return [{key.file_name: header_bytes(header) + PACKED}]


def packed_header(said: object) -> bytes:
    """Return the first page with any JSON in it and the right digest."""
    text = json.dumps(said).encode()
    digest = hashlib.sha256(text).digest()
    return (struct.pack("<8sI32s", b"SKEINPK2", len(text), digest) + text).ljust(16384, b"\0")


def packed_said() -> dict[str, object]:
    """Return what the header of the packed seed says."""
    return {"key": asdict(packed_key()), "sources": ["/nowhere/x.pth"], "checksum": "0" * 64}


def _persona() -> list[Files]:
    return [{"personas/ada-00000000.safetensors": _own_state(), "checkpoint": _own_state()}]


def place() -> Place:
    """Return where the archive's seed keeps its state."""
    return Place(2, "k" * 64, "f" * 32)


def _chats(path: Path) -> None:
    """Write a chat of a question and a reply with its state; the same bytes each time."""
    state = path / "states" / f"checkpoint-{'a' * 32}.safetensors"
    state.parent.mkdir(parents=True)
    words = {"kind": "checkpoint", "node": "2", "key": place().key, "position": "3"}
    save_snapshot(state, snapshot(), words | {"fingerprint": place().fingerprint})
    store = Store(path / CHATS)
    chat = store.create_conversation("A word", {"think": "off"}).id
    question = store.add_node(chat, None, "user", "Some words, 几个字")
    store.add_node(chat, question.id, "assistant", "A reply", status="writing")
    store.update_node(2, tokens=(1, 2, 3), stats={"seconds": 1.5})
    store.checkpoints.add(*place()[:2], 3, place().fingerprint, state.name, state.stat().st_size)
    store.close()
    with closing(sqlite3.connect(path / CHATS, isolation_level=None)) as database:
        database.execute("UPDATE conversation SET created=1, updated=1")
        database.execute("UPDATE node SET created=1")
        database.execute("UPDATE checkpoint SET last_used=1")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _archive() -> list[Files]:
    tree = _tree(_chats)
    return [{name: tree[name] for name in (CHATS, f"states/checkpoint-{'a' * 32}.safetensors")}]


def _vocabulary() -> list[Files]:
    return [
        {"vocabulary.txt": format_vocabulary(small_vocabulary())},
        {"vocab.json": letters_vocabulary()},
        {"tokenizer.json": json_tokenizer()},
    ]


_MAKERS: dict[str, Callable[[], list[Files]]] = {
    "pth": _pth,
    "safetensors": _safetensors,
    "folder": _folder,
    "gguf": _gguf,
    "lora": _lora,
    "state": _state,
    "packed": _packed,
    "persona": _persona,
    "vocabulary": _vocabulary,
    "archive": _archive,
}


@cache
def seeds(reader: str) -> list[Files]:
    """Return the valid inputs of a reader."""
    return _MAKERS[reader]()
