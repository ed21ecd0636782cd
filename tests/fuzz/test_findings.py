"""What the fuzzer found, each once, and what was found while it was written."""

import json
import math
import os
import sqlite3
import struct
import time
import tracemalloc
import warnings
from contextlib import closing
from pathlib import Path

import pytest
import torch

from engine.checkpoint import inspect
from engine.checkpoint.gguf import GgufArray, read_head
from engine.checkpoint.pickled import BadPickle, read_pickle
from engine.checkpoint.small_json import read_small_json
from engine.checkpoint.vocabularies import WORLD_ROWS, folder_vocabulary
from engine.errors import DamagedFile, EngineError, UnsafeFile
from engine.packed_files import _is_of_use
from engine.packed_format import PackedHeader
from engine.snapshot import load_snapshot
from engine.state_formats import import_state
from engine.store import DamagedStore, Store
from engine.tokenizer import _is_byte_level, load_tokenizer
from engine.vocabulary import parse_literal, read_vocabulary
from tests.fuzz.case import Case, Content, Link, Pipe, written
from tests.fuzz.readers import attempt
from tests.fuzz.seeds import (
    CHATS,
    packed_key,
    pth,
    seeds,
    weights,
)
from tests.fuzz.structured import split_header


def folder(tmp_path: Path, **more: Content) -> Path:
    files: dict[str, Content] = dict(seeds("folder")[4])
    return written(
        Case(files | {n.replace("__", "."): c for n, c in more.items()}, ""), tmp_path / "x"
    )


# .pth


def program(*sizes: int) -> bytes:
    """A tensor of these sizes in a pickle, each a number of 255 bytes if need be."""
    numbers = b"".join(b"\x8a\xff" + n.to_bytes(255, "little", signed=True) for n in sizes)
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ"
    view = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00"
    return b"\x80\x02" + view + b"(" + numbers + b"t(" + numbers + b"ttR."


@pytest.mark.parametrize("sizes", [(1 << 2000,) * 9, (1 << 63,), (-(1 << 64),), (1,) * 17])
def test_sizes_that_nothing_can_count(sizes: tuple[int, ...]):
    with pytest.raises(BadPickle):
        read_pickle(program(*sizes))


def test_a_member_at_a_place_beyond_64_bits(tmp_path: Path):
    data = pth(weights())
    at = data.rfind(b"PK\1\2")
    name_bytes, extra_bytes = struct.unpack_from("<HH", data, at + 28)
    head = bytearray(data[at : at + 46])
    extra = struct.pack("<HHQ", 1, 8, (1 << 64) - 64)
    struct.pack_into("<H", head, 30, len(extra))
    struct.pack_into("<I", head, 42, 2**32 - 1)
    after = at + 46 + name_bytes
    made = bytearray(data[:at] + head + data[at + 46 : after] + extra + data[after + extra_bytes :])
    end = made.rfind(b"PK\5\6")
    size = struct.unpack_from("<I", made, end + 12)[0]
    struct.pack_into("<I", made, end + 12, size + len(extra) - extra_bytes)
    (tmp_path / "x.pth").write_bytes(made)
    with pytest.raises(EngineError):
        inspect(tmp_path / "x.pth")


def test_a_message_can_be_printed_whatever_a_name_holds():
    error = DamagedFile("half \ud800 " + "x" * 100_000, "\udfff")
    assert "\\ud800" in error.message
    assert len((error.message + error.hint + str(error)).encode("utf-8")) < 6000


# GGUF


def gguf(*facts: tuple[bytes, int, bytes], tensors: int = 0) -> bytes:
    body = b"".join(
        struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value
        for key, kind, value in facts
    )
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, len(facts)) + body


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


ARCHITECTURE = (b"general.architecture", 8, text(b"rwkv7"))


@pytest.mark.parametrize("key", [b"split.count", b"rwkv7.wkv.head_size", b"rwkv7.embedding_length"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_facts_that_are_no_finite_numbers(tmp_path: Path, key: bytes, value: float):
    data = seeds("gguf")[0]["x.gguf"]
    version, tensors, facts = struct.unpack_from("<IQQ", data, 4)
    fact = text(key) + struct.pack("<Id", 12, value)
    padding = text(b"p" * (-(len(fact) + 13) % 32)) + struct.pack("<IB", 0, 1)
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, facts + 2)
    (tmp_path / "x.gguf").write_bytes(head + fact + padding + data[24:])
    try:
        inspect(tmp_path / "x.gguf")
    except EngineError as error:
        assert "twice" in error.message  # noqa: PT017 - it states the key already


def test_more_facts_and_longer_texts_than_models_have(tmp_path: Path):
    path = tmp_path / "x.gguf"
    path.write_bytes(gguf(*((b"%x" % i, 0, b"\1") for i in range(20_000))))
    with path.open("rb") as file, pytest.raises(DamagedFile, match="20,000 entries"):
        read_head(file, "x", path.stat().st_size)
    path.write_bytes(gguf(ARCHITECTURE, (b"x", 8, text(b"\xff" * (2 << 20)))) + bytes(64))
    with path.open("rb") as file:
        assert isinstance(read_head(file, "x", path.stat().st_size).facts["x"], GgufArray)


# Folders


@pytest.mark.parametrize("name", ["tokenizer__json", "vocab__json", "vocab__txt"])
@pytest.mark.parametrize("content", [Link("/dev/zero"), Pipe(), Link("/etc/passwd")], ids=repr)
def test_a_vocabulary_that_leads_elsewhere_is_not_opened(
    tmp_path: Path, name: str, content: Content
):
    path = folder(tmp_path, **{name: content})
    assert folder_vocabulary(path, WORLD_ROWS) == "world"
    with pytest.raises(EngineError):
        load_tokenizer(inspect(path))


def test_an_index_that_is_a_link_to_elsewhere(tmp_path: Path):
    (tmp_path / "other.json").write_text('{"weight_map": {"a": "model.safetensors"}}')
    path = folder(tmp_path, **{"model__safetensors__index__json": Link("../other.json")})
    with pytest.raises(UnsafeFile):
        inspect(path)


def test_vocabularies_of_half_characters_and_endless_numbers(tmp_path: Path):
    pieces = {"model": {"vocab": {"\ud800": 1}}}
    path = folder(tmp_path, tokenizer__json=json.dumps(pieces).encode(), vocab__json=b"[]")
    assert folder_vocabulary(path, WORLD_ROWS) in ("world", "tokenizer.json")
    path = folder(tmp_path, vocab__json=b'{"a": Infinity}')
    assert folder_vocabulary(path, WORLD_ROWS) == "world"
    (path / "vocab.json").write_text('{"a": 1e999}')
    with pytest.raises(DamagedFile):
        read_vocabulary(path / "vocab.json")


@pytest.mark.parametrize(
    "content",
    [
        "[" * 900 + "]" * 900,
        '{"a":' + "[" * 100 + "]" * 100 + "}",
        '{"a":[' + "1," * 30_000 + "1]}",
    ],
)
def test_json_deeper_or_fuller_than_needed(tmp_path: Path, content: str):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=r"deep|table|values"):
        read_small_json(tmp_path / "x.json", 1 << 20, 20_000)


# Vocabularies


@pytest.mark.parametrize(
    "literal",
    ["(" * 9000, "-" * 9000 + "1", "'\\q'", "b'\\u0041'", "'\\N{DASH}'", "'a' 'b'", "'''a'''"],
)
def test_literals_go_through_no_compiler(literal: str):
    with warnings.catch_warnings(), pytest.raises(ValueError):  # noqa: PT011 - any
        parse_literal(literal)


def test_an_id_of_thousands_of_millions(tmp_path: Path):
    words = seeds("vocabulary")[0]["vocabulary.txt"] + b"2000000000 'zz' 2\n"
    (tmp_path / "v.txt").write_bytes(words)
    with pytest.raises(DamagedFile, match="id"):
        read_vocabulary(tmp_path / "v.txt")


@pytest.mark.parametrize("content", [b'{"a" 1}', b"[]", b"\xff", b"[" * 100_000])
def test_what_the_library_of_tokenizers_takes_and_python_does_not(tmp_path: Path, content: bytes):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DamagedFile):
        _is_byte_level(tmp_path / "tokenizer.json")


# States and packed weights


def test_states_of_number_types_that_numpy_lacks(tmp_path: Path):
    header, data = split_header(seeds("state")[0]["x.state"])
    name = next(n for n in header if n.startswith("extra.logits"))
    header[name]["dtype"], header[name]["shape"] = "BF16", [100]
    raw = json.dumps(header).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    with pytest.raises(DamagedFile):
        load_snapshot(tmp_path / "x")


def test_one_matrix_for_all_layers(tmp_path: Path):
    one = torch.zeros(1, 64, 64)
    (tmp_path / "x").write_bytes(pth({f"blocks.{i}.att.time_state": one for i in range(500)}))
    with pytest.raises(DamagedFile):
        import_state(tmp_path / "x")


def test_a_legacy_state_that_claims_terabytes(tmp_path: Path):
    data = next(f["x.state"] for f in seeds("state") if f["x.state"][:2] == b"\x80\x02")
    at = data.index(struct.pack("<Q", 4096))
    (tmp_path / "x").write_bytes(data[:at] + struct.pack("<Q", 1 << 40) + data[at + 8 :])
    with pytest.raises(DamagedFile):
        import_state(tmp_path / "x")


@pytest.mark.parametrize("source", ["\0", "\ud800", "x" * 9000])
def test_packed_weights_of_a_source_that_is_no_name(source: str):
    assert not _is_of_use(PackedHeader(packed_key(), (source,), ""), packed_key())


# Kept states and chats


def chats(tmp_path: Path, *statements: str) -> Path:
    path = written(Case(dict(seeds("archive")[0]), ""), tmp_path / "x")
    with closing(sqlite3.connect(path / CHATS, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
    return path


@pytest.mark.parametrize("absolute", [False, True])
def test_a_row_that_names_a_file_elsewhere_neither_reads_nor_deletes_it(
    tmp_path: Path, absolute: bool
):
    letter = tmp_path / "letter.txt"
    letter.write_text("mine")
    named = str(letter) if absolute else "../../letter.txt"
    path = chats(tmp_path, f"UPDATE checkpoint SET file='{named}', size_bytes=1 << 40")
    assert attempt("archive", path) == "value"
    assert letter.read_text() == "mine"
    with closing(sqlite3.connect(path / CHATS)) as database:
        assert database.execute("SELECT count(*) FROM checkpoint").fetchone()[0] == 0


def test_messages_that_follow_each_other_in_a_circle(tmp_path: Path):
    path = chats(tmp_path, "UPDATE node SET parent=2 WHERE id=1")
    store = Store.open(path / CHATS)
    try:
        assert [node.id for node in store.path_to(2)] == [1, 2]
        assert store.leaf_below(1) == 2
        store.restore_node(store.delete_node(1))
        assert store.leaf_below(2) == 2
    finally:
        store.close()


@pytest.mark.parametrize("change", ["tokens=x'010203'", f"stats='{'[' * 5000}'"])
def test_columns_that_hold_no_tokens_and_no_json(tmp_path: Path, change: str):
    store = Store.open(chats(tmp_path, f"UPDATE node SET {change}") / CHATS)
    try:
        node = store.node(2)
        assert (node.text, node.tokens if "tokens" in change else node.stats) == (
            "A reply",
            () if "tokens" in change else {},
        )
    finally:
        store.close()


def test_chats_of_a_format_below_nothing_are_kept_aside(tmp_path: Path):
    path = chats(tmp_path, "PRAGMA user_version=-1")
    store = Store.open(path / CHATS)
    try:
        assert "damaged" in store.notice
        assert len(list(path.glob("chats.damaged-*.sqlite"))) == 1
    finally:
        store.close()


def test_a_schema_that_is_no_text_is_damage(tmp_path: Path):
    path = chats(tmp_path)
    data = (path / CHATS).read_bytes()
    place = data.index(b"tablenodenode") + len("table")
    made = data[:place] + b"\xac" + data[place + 1 :]
    (path / CHATS).write_bytes(made.replace(b"CREATE TABLE node (", b"CREATE TABLE node ;"))
    with pytest.raises(DamagedStore):
        Store(path / CHATS)


# Heads of gigabytes, in files that take no room


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.st", struct.pack("<Q", 2_900_000_000) + b"{"),
        ("x.st", struct.pack("<Q", 99_000_000) + b"{"),
        ("x.gguf", gguf((b"x", 8, struct.pack("<Q", 2_900_000_000)), tensors=1)),
        ("x.gguf", gguf((b"x", 9, struct.pack("<IQ", 8, 300_000_000)), tensors=1)),
        ("x.pth", b"PK\3\4" + bytes(60)),
    ],
    ids=["st header", "st header of 99 MB", "gguf text", "gguf array", "pth"],
)
def test_heads_of_gigabytes(tmp_path: Path, name: str, start: bytes):
    path = tmp_path / name
    path.write_bytes(start)
    os.truncate(path, 3_000_000_000)
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(EngineError):
            inspect(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 400_000_000
    assert time.process_time() - began < 4
