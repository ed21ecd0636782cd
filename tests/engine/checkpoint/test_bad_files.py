"""Damaged and hostile files: one sentence, nothing run, nothing left open."""

import contextlib
import json
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoint import inspect, open_checkpoint
from engine.checkpoint.pickled import BadPickle, ForbiddenName, read_pickle
from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel
from tests.engine.checkpoint.files import (
    Weights,
    repack,
    safetensors_bytes,
    weights,
    write,
    write_archive,
    write_pth,
)

FORMS = ["pth", "safetensors"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sound")
    return {form: write(folder, form, weights()).read_bytes() for form in FORMS}


def refused(path: Path, content: bytes) -> EngineError:
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        inspect(path)
    assert path.name in caught.value.message
    return caught.value


# Truncated, overwritten, random


@pytest.mark.parametrize("form", FORMS)
def test_cut_anywhere(tmp_path: Path, form: str, sound: dict[str, bytes]):
    whole = sound[form]
    rng = random.Random(1)
    cuts = [1, 4, 7, 8, 9, 30, 100, *(rng.randrange(len(whole)) for _ in range(100))]
    for cut in [*cuts, *range(len(whole) - 40, len(whole))]:
        assert isinstance(refused(tmp_path / f"x.{form}", whole[:cut]), DamagedFile), cut


@pytest.mark.parametrize("form", FORMS)
def test_longer_than_it_should_be(tmp_path: Path, form: str, sound: dict[str, bytes]):
    if form == "safetensors":
        assert isinstance(refused(tmp_path / "x.st", sound[form] + b"\0"), DamagedFile)


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.getbasetemp() / "random.pth"
    for start in (b"", b"PK\x03\x04", b"\x80\x02", struct.pack("<Q", len(content)) + b"{"):
        refused(path, start + content)


@pytest.mark.parametrize("form", FORMS)
def test_bytes_overwritten_in_the_tables(tmp_path: Path, form: str, sound: dict[str, bytes]):
    """Any outcome is right except another exception: some flips only touch weights."""
    whole = sound[form]
    path = tmp_path / f"x.{form}"
    rng = random.Random(2)
    table = len(whole) - 12_000 if form == "pth" else 8
    for _ in range(150):
        spoilt = bytearray(whole)
        for _ in range(3):
            at = rng.choice([rng.randrange(64), min(table + rng.randrange(11_000), len(whole) - 1)])
            spoilt[at] = rng.randrange(256)
        path.write_bytes(spoilt)
        with contextlib.suppress(EngineError):
            inspect(path)


def test_a_file_that_shrinks_while_open(tmp_path: Path):
    path = write(tmp_path, "pth", weights())
    with open_checkpoint(path) as checkpoint:
        os.truncate(path, 1000)
        with pytest.raises(DamagedFile, match="shorter"):
            checkpoint.read("head.weight")


# Wrong tensors


def without(name: str) -> Callable[[Weights], Weights]:
    return lambda w: {n: t for n, t in w.items() if n != name}


def with_(
    name: str, *shape: int, dtype: torch.dtype = torch.bfloat16
) -> Callable[[Weights], Weights]:
    return lambda w: w | {name: torch.zeros(shape, dtype=dtype)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        (without("emb.weight"), DamagedFile, "emb.weight"),
        (without("head.weight"), DamagedFile, "head.weight"),
        (without("blocks.0.ln0.bias"), DamagedFile, "blocks.0.ln0.bias"),
        (without("blocks.0.att.r_k"), DamagedFile, "blocks.0.att.r_k"),
        (without("blocks.1.att.v1"), DamagedFile, "blocks.1.att.v1"),
        (without("blocks.1.ffn.x_k"), DamagedFile, "blocks.1.ffn.x_k"),
        (with_("blocks.7.ln1.weight", 128), DamagedFile, "blocks.2."),
        (with_("blocks.999999.ln1.weight", 128), DamagedFile, "1000000 layers"),
        (with_("blocks.1.att.new", 3), UnsupportedModel, "blocks.1.att.new"),
        (with_("blocks.1.ln0.weight", 128), UnsupportedModel, "blocks.1.ln0.weight"),
        (with_("vision.proj", 3), UnsupportedModel, "vision.proj"),
        (with_("blocks.01.ln1.weight", 128), UnsupportedModel, "blocks.01"),
        (with_("blocks.1.att.w1", 128, 17), DamagedFile, "[128, 17]"),
        (with_("blocks.1.att.w1", 16, 128), DamagedFile, "[16, 128]"),
        (with_("blocks.1.att.x_r", 1, 1, 64), DamagedFile, "[1, 1, 64]"),
        (with_("blocks.1.ffn.value.weight", 512, 128), DamagedFile, "[512, 128]"),
        (with_("blocks.0.att.r_k", 3, 50), DamagedFile, "r_k"),
        (with_("blocks.0.att.r_k", 0, 0), DamagedFile, "r_k"),
        (with_("emb.weight", 256), DamagedFile, "emb.weight"),
        (with_("emb.weight", 0, 128), DamagedFile, "emb.weight"),
        (with_("head.weight", 255, 128), DamagedFile, "head.weight"),
        (with_("ln_out.bias", 128, dtype=torch.int8), UnsupportedModel, "int8"),
        (with_("ln_out.bias", 128, dtype=torch.int64), UnsupportedModel, "int64"),
    ],
)
def test_wrong_tensors(tmp_path: Path, form: str, change: Callable, kind: type, word: str):
    path = write(tmp_path, form, change(weights()))
    with pytest.raises(kind) as caught:
        inspect(path)
    assert word in caught.value.message
    assert path.name in caught.value.message


def test_a_scattered_view_is_refused_by_name(tmp_path: Path):
    scattered = weights()
    wide = scattered["blocks.0.att.w1"].repeat(1, 2)
    scattered["blocks.0.att.w1"] = wide[:, : wide.shape[1] // 2]
    path = write_pth(tmp_path / "x.pth", scattered)
    with pytest.raises(UnsupportedModel, match=r"blocks\.0\.att\.w1"):
        inspect(path)


# Hostile pickles


class Evil:
    """Makes a file when it is unpickled by Python."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"echo ran > {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("how", ["archive", "bare", "inside", "legacy"])
def test_code_in_a_pickle_never_runs(tmp_path: Path, protocol: int, how: str):
    proof, path = tmp_path / "proof", tmp_path / "x.pth"
    evil = pickle.dumps(Evil(proof), protocol)
    if how == "archive":
        write_archive(path, evil)
    elif how == "bare":
        path.write_bytes(evil)
    elif how == "legacy":
        torch.save(Evil(proof), path, pickle_protocol=2, _use_new_zipfile_serialization=False)
    else:
        torch.save(weights() | {"blocks.0.att.w0": Evil(proof)}, path)
    with pytest.raises(EngineError) as caught:
        inspect(path)
    assert not proof.exists()
    if how != "legacy":
        assert isinstance(caught.value, UnsafeFile)
        assert "system" in caught.value.message
        assert "x.pth" in caught.value.message


@pytest.mark.parametrize(
    "wanted", ["builtins.eval", "torch.load", "torch._utils._rebuild_sparse_tensor", "os.system"]
)
def test_unknown_names_are_unsafe(wanted: str):
    module, name = wanted.rsplit(".", 1)
    for program in (
        f"c{module}\n{name}\n.".encode(),
        f"(i{module}\n{name}\n.".encode(),
        b"\x8c%c%s\x8c%c%s\x93." % (len(module), module.encode(), len(name), name.encode()),
    ):
        with pytest.raises(ForbiddenName, match=wanted):
            read_pickle(program)


GLOBAL = b"ccollections\nOrderedDict\n"


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b".",
        b"N",
        b"}" + b"r\xff\xff\xff\xff" + b"K",  # a memo index of four thousand million
        b"B\xff\xff\xff\x7fabc.",
        b"X\xff\xff\xff\xffabc.",
        b"\x8d" + b"\xff" * 8 + b"abc.",
        b"h\x05.",
        b"j\x05\0\0\0.",
        b"}" + b")" + b"\x85" * 1000 + b"Ns.",  # a nest of tuples as a key
        b"]]e.",
        b"Nb.",
        b"\x85.",
        b"NR.",
        b"))R.",
        GLOBAL + b"(NtR.",
        GLOBAL + b")\x81.",  # NEWOBJ
        b"U\x07storageQ.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))tR.",
        b"ctorch\nFloatStorage\n)R.",
        b"c" + b"a" * 2000,
        b"c\xff\n\xff\n.",
        b"ca b\nc\n.",
        b"P\n.",
    ],
)
def test_programs_that_are_no_checkpoint(program: bytes):
    with pytest.raises(BadPickle):
        read_pickle(program)


@given(st.binary(max_size=100))
@settings(max_examples=300, deadline=None)
def test_random_programs(program: bytes):
    try:
        read_pickle(program + b".")
    except (BadPickle, ForbiddenName):
        pass


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_survive_every_protocol(protocol: int):
    value = {"a": [1, -2, 300, 70_000, 1 << 40, 0.5, None, True, ()], "b": {"ü": (1, (2,))}}
    assert read_pickle(pickle.dumps(value, protocol)) == value


# Hostile archives


def storage_program(elements: int, shape: str, strides: str, offset: int = 0) -> bytes:
    """Return data.pkl of one bf16 tensor "t" in the member "0"; shape and strides are programs."""
    storage = b"((U\x07storagectorch\nBFloat16Storage\nU\x010U\x03cpu" + long(elements) + b"tQ"
    storage = storage.replace(b"U\x07storage", b"X\x07\0\0\0storage")
    storage = storage.replace(b"U\x010U\x03cpu", b"X\x01\0\0\0000X\x03\0\0\0cpu")
    body = long(offset) + shape.encode("latin-1") + strides.encode("latin-1") + b"\x89)tR"
    return b"\x80\x02}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n" + storage + body + b"s."


def long(value: int) -> bytes:
    raw = value.to_bytes(16, "little", signed=True)
    return b"\x8a\x10" + raw


def sizes(*values: int) -> str:
    return ("(" + "".join(long(v).decode("latin-1") for v in values)) + "t"


@pytest.mark.parametrize(
    ("program", "word"),
    [
        (storage_program(4, sizes(5), sizes(1)), "beyond"),
        (storage_program(4, sizes(4), sizes(1), offset=1), "beyond"),
        (storage_program(4, sizes(4), sizes(1), offset=-4), "beyond"),
        (storage_program(4, sizes(-2, -2), sizes(1, 1)), "beyond"),
        (storage_program(4, sizes(1 << 60, 1 << 60), sizes(1, 1)), "beyond"),
        (storage_program(1 << 60, sizes(1 << 60), sizes(1)), "expected"),
        (storage_program(-4, sizes(4), sizes(1)), "expected"),
        (storage_program(2, sizes(2), sizes(1)), "expected"),  # fp32 data that say bf16
        (storage_program(4, sizes(2, 2), sizes(2, 2)), "contiguous"),
        (storage_program(4, sizes(2, 2), sizes(0, 0)), "contiguous"),
        (storage_program(4, sizes(2, 2), sizes(1)), "data.pkl"),
    ],
)
def test_impossible_tensors_in_an_archive(tmp_path: Path, program: bytes, word: str):
    path = write_archive(tmp_path / "x.pth", program, {"0": b"\0" * 8})
    with pytest.raises(EngineError, match=word):
        inspect(path)


def test_a_sound_handmade_archive_is_only_no_model(tmp_path: Path):
    program = storage_program(4, sizes(2, 2), sizes(2, 1))
    path = write_archive(tmp_path / "x.pth", program, {"0": b"\0" * 8})
    with pytest.raises(UnsupportedModel, match="none of its tensors"):
        inspect(path)


def test_a_missing_data_part(tmp_path: Path):
    path = write_archive(tmp_path / "x.pth", storage_program(4, sizes(4), sizes(1)))
    with pytest.raises(DamagedFile, match="missing"):
        inspect(path)


@pytest.mark.parametrize("part", ["data.pkl", "data/0"])
def test_compressed_parts(tmp_path: Path, part: str):
    source = write(tmp_path, "pth", weights())
    target = tmp_path / "bomb.pth"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            packed = name.endswith(part)
            how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            new.writestr(name, old.read(name), compress_type=how)
    with pytest.raises(UnsupportedModel, match="compressed"):
        inspect(target)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path):
    path = tmp_path / "x.pth"
    write_archive(path, b"\0" * (64 << 20), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DamagedFile, match="hostile"):
        inspect(path)


def test_a_wrong_checksum_of_the_tensor_list(tmp_path: Path, sound: dict[str, bytes]):
    spoilt = sound["pth"].replace(b"blocks.1.att.w0", b"blocks.1.att.w7", 1)
    assert "checksum" in refused(tmp_path / "x.pth", spoilt).message


def test_swapped_and_dropped_parts(tmp_path: Path):
    source = write(tmp_path, "pth", weights())
    half = repack(source, tmp_path / "a.pth", lambda n, d: d[:-2] if n.endswith("/data/3") else d)
    with pytest.raises(DamagedFile, match="expected"):
        inspect(half)
    gone = repack(source, tmp_path / "b.pth", lambda n, d: None if n.endswith("/data/3") else d)
    with pytest.raises(DamagedFile, match="missing"):
        inspect(gone)
    big = repack(source, tmp_path / "c.pth", lambda n, d: b"big" if n.endswith("byteorder") else d)
    with pytest.raises(UnsupportedModel, match="big-endian"):
        inspect(big)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"word/document.xml": b""}, "no data.pkl"),
        ({"a/data.pkl": b"}.", "b/data.pkl": b"}."}, "no data.pkl"),
        ({"a/data.pkl": b"}.", "a/constants.pkl": b"}."}, "TorchScript"),
        ({"a/data.pkl": b"}."}, "no tensor"),
        ({"a/data.pkl": b"garbage"}, "data.pkl"),
    ],
)
def test_other_archives(tmp_path: Path, members: dict[str, bytes], word: str):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(EngineError, match=word):
        inspect(path)


def test_a_forged_directory_size_is_not_read(tmp_path: Path):
    """A 100 MB hole whose end record claims that all of it is the table of contents."""
    path = tmp_path / "x.pth"
    size = 100 << 20
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(size)
        file.seek(size)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0))
    with pytest.raises(DamagedFile, match="table of contents"):
        inspect(path)


# Hostile safetensors headers


def entry(dtype: object = "BF16", shape: object = None, offsets: object = None) -> bytes:
    record = {"dtype": dtype, "shape": shape or [2], "data_offsets": offsets or [0, 4]}
    return json.dumps({"emb.weight": record}).encode()


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"{", b""),
        (b"{}", b""),
        (b'{"__metadata__":{}}', b""),
        (b'{"a":1}', b""),
        (b'{"a":{}}', b""),
        (b"{" + b'"a":[' * 100_000, b""),
        (b'{"\xff":1}', b""),
        (b'{"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,4]}}' % (b"9" * 5000), b"0000"),
        (entry(dtype="F32"), b"0000"),
        (entry(dtype="FOO"), b"0000"),
        (entry(dtype=5), b"0000"),
        (entry(dtype=["BF16"]), b"0000"),
        (entry(shape=[-2]), b"0000"),
        (entry(shape=[-1, -2]), b"0000"),
        (entry(shape=[2.0]), b"0000"),
        (entry(shape=[True, 2]), b"0000"),
        (entry(shape="2"), b"0000"),
        (entry(shape=[1] * 1000 + [2]), b"0000"),
        (entry(shape=[1 << 61, 4]), b"0000"),
        (entry(offsets=[0, 4, 8]), b"0000"),
        (entry(offsets=[4, 0]), b"0000"),
        (entry(offsets=[-4, 0]), b"0000"),
        (entry(offsets=[4, 8]), b"00000000"),
        (entry(offsets=[0, 1 << 70]), b"0000"),
        (entry(), b"000"),
        (entry(), b"00000"),
        (entry()[:-1] + b"," + entry()[1:], b"0000"),
    ],
)
def test_hostile_headers(tmp_path: Path, header: bytes, data: bytes):
    error = refused(tmp_path / "x.safetensors", safetensors_bytes(header, data))
    assert isinstance(error, DamagedFile)


def test_overlapping_tensors(tmp_path: Path):
    record = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}
    header = json.dumps({"emb.weight": record, "head.weight": record}).encode()
    refused(tmp_path / "x.st", safetensors_bytes(header, b"0000"))


def test_a_header_longer_than_the_file(tmp_path: Path):
    content = struct.pack("<Q", 90_000_000) + b'{"a":'
    assert "cut short" in refused(tmp_path / "x.st", content).message
    refused(tmp_path / "x.st", struct.pack("<Q", 1 << 60) + b'{"a":')


def test_tensors_of_eight_bits_are_no_attack(tmp_path: Path):
    torch.save({"emb.weight": torch.zeros(4, 4).to(torch.float8_e4m3fn)}, tmp_path / "x.pth")
    with pytest.raises(UnsupportedModel, match="number type"):
        inspect(tmp_path / "x.pth")
