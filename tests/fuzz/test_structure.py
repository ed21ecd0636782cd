"""Files that are sound as containers and lie in what they say: a value or one sentence, no crash.

Quick and always the same, for the suite; ``python -m tests.fuzz.run`` goes on for as long as asked.
"""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.case import Case, Content, Link, Pipe, written
from tests.fuzz.inputs import case
from tests.fuzz.readers import READERS, attempt
from tests.fuzz.seeds import packed_header, packed_key, seeds
from tests.fuzz.structured import PICKLE_PIECES, repacked, split_header

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
quickly = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
rarely = settings(quickly, max_examples=12)  # a whole folder is written each time
SIZES = st.one_of(
    st.integers(-3, 300), st.sampled_from((2**31, 2**32, 2**62, 2**63, 2**64 - 1, 2**200))
)
NAMES = st.one_of(
    st.sampled_from(("emb.weight", "blocks.0.att.time_state", "blocks.0.att.key.lora_A", "wkv")),
    st.text(max_size=20),
)
JSON = st.recursive(
    st.none() | st.booleans() | SIZES | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(("F32", "BF16", "F16", "I64", "F64", "F8_E4M3", "?")) | JSON,
        "shape": st.lists(SIZES, max_size=5) | JSON,
        "data_offsets": st.lists(SIZES, min_size=2, max_size=2) | JSON,
    }
)


def read(folder: Path, reader: str, files: dict[str, Content], main: str) -> str:
    return attempt(reader, written(Case(files, main), folder / "x"))


def safetensors(header: object) -> bytes:
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw


@pytest.mark.parametrize("reader", READERS)
def test_what_is_sound_is_a_value(tmp_path: Path, reader: str):
    outcomes = {
        attempt(reader, written(case(reader, number), tmp_path / "x"))
        for number in range(len(seeds(reader)))
    }
    assert "value" in outcomes


@given(header=st.dictionaries(NAMES, ENTRIES | JSON, max_size=4), data=st.binary(max_size=64))
@quickly
def test_headers(tmp_path: Path, header: dict, data: bytes):
    for reader in ("safetensors", "lora", "state"):
        read(tmp_path, reader, {"x.st": safetensors(header) + data}, "x.st")


@given(name=NAMES, changed=ENTRIES, words=st.dictionaries(st.text(max_size=9), JSON, max_size=3))
@quickly
def test_one_lie_among_truths(tmp_path: Path, name: str, changed: dict, words: dict):
    for reader in ("safetensors", "state"):
        header, data = split_header(next(iter(seeds(reader)[0].values())))
        header[name] = header.get(name, {}) | changed
        lied = safetensors(header | {"__metadata__": words}) + data
        read(tmp_path, reader, {"x.st": lied}, "x.st")


@given(
    program=st.lists(st.sampled_from(PICKLE_PIECES) | st.binary(max_size=3), max_size=30),
    at=st.floats(0, 1),
)
@quickly
def test_pickles(tmp_path: Path, program: list[bytes], at: float):
    def change(member: str, old: bytes) -> bytes:
        place = int(at * len(old))
        return old[:place] + b"".join(program) + old[place:] if member.endswith(".pkl") else old

    for reader in ("pth", "lora", "state"):
        whole = next(f for f in seeds(reader) if next(iter(f.values()))[:2] == b"PK")
        name, data = next(iter(whole.items()))
        read(tmp_path, reader, {name: repacked(data, change)}, name)


U64 = st.integers(0, 2**64 - 1) | st.integers(0, 40)


@given(
    counts=st.tuples(U64, U64),
    facts=st.lists(st.tuples(st.binary(max_size=12), st.integers(0, 14), st.binary(max_size=24))),
    tensors=st.lists(st.tuples(st.binary(max_size=12), st.lists(U64, max_size=5), U64), max_size=3),
)
@quickly
def test_gguf_heads(tmp_path: Path, counts: tuple, facts: list, tensors: list):
    architecture = (b"general.architecture", 8, struct.pack("<Q", 5) + b"rwkv7")
    body = b"".join(
        struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value
        for key, kind, value in [architecture, *facts]
    )
    for name, sizes, offset in tensors:
        body += struct.pack("<Q", len(name)) + name
        body += struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 8, offset)
    true = (len(tensors), len(facts) + 1)
    for said in (true, counts):
        data = b"GGUF" + struct.pack("<IQQ", 3, *said) + body + bytes(64)
        read(tmp_path, "gguf", {"x.gguf": data}, "x.gguf")


@given(config=st.dictionaries(st.sampled_from(("model_type", "attn", "norm_eps", "x")), JSON))
@rarely
def test_configurations(tmp_path: Path, config: dict):
    files: dict[str, Content] = dict(seeds("folder")[0])
    said = json.loads(files["config.json"])  # type: ignore[arg-type]
    files["config.json"] = json.dumps(said | config).encode()
    read(tmp_path, "folder", files, "")


@given(where=st.text(max_size=12) | st.sampled_from(("../x", "/etc/passwd", "..", "a\\b")))
@rarely
def test_places_that_an_index_names(tmp_path: Path, where: str):
    files: dict[str, Content] = dict(seeds("folder")[0])
    index = {"weight_map": {"emb.weight": where, "head.weight": "model.safetensors"}}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    read(tmp_path, "folder", files, "")


@pytest.mark.parametrize("to", [Link("/dev/zero"), Link("."), Link("../x"), Pipe()], ids=repr)
@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "vocab.json", "vocab.txt"]
)
def test_what_is_no_file(tmp_path: Path, name: str, to: Content):
    files: dict[str, Content] = dict(seeds("folder")[2])
    read(tmp_path, "folder", files | {name: to}, "")


@given(said=JSON, key=st.dictionaries(st.sampled_from(("engine", "packed_bytes")), JSON))
@quickly
def test_packed_headers(tmp_path: Path, said: object, key: dict):
    name, data = next(iter(seeds("packed")[0].items()))
    whole = json.loads(data[44:16384].rstrip(b"\0"))
    for header in (said, whole | {"sources": said}, whole | {"key": whole["key"] | key}):
        read(tmp_path, "packed", {name: packed_header(header)[:16384] + data[16384:]}, "")
    assert name == packed_key().file_name


@given(lines=st.lists(st.tuples(SIZES, st.text(max_size=12), SIZES), max_size=4))
@quickly
def test_lines_of_a_vocabulary(tmp_path: Path, lines: list):
    more = "".join(f"{a} {text} {b}\n{a} {text!r} {len(text)}\n" for a, text, b in lines)
    data = seeds("vocabulary")[0]["vocabulary.txt"] + more.encode("utf-8", "surrogatepass")
    read(tmp_path, "vocabulary", {"vocabulary.txt": data}, "vocabulary.txt")


@pytest.mark.parametrize("reader", READERS)
def test_the_first_inputs_of_the_long_run(tmp_path: Path, reader: str):
    for number in random.Random(1).sample(range(100, 10_000), 12):
        attempt(reader, written(case(reader, number), tmp_path / "x"))


def test_nothing_is_executed_and_nothing_grows(tmp_path: Path):
    """The long run, shortly: in a process of its own, since its guard cannot be taken off."""
    root = Path(__file__).parents[2]
    program = [sys.executable, "-m", "tests.fuzz.run", "--most", "12", "--workers", "1"]
    done = subprocess.run(
        [*program, "--first", "40"], cwd=root, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "120 inputs in all" in done.stdout
