"""Files whose tables would become far larger in memory than they are on the disk."""

import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.checkpoint import inspect
from engine.errors import EngineError
from tests.engine.checkpoint.files import safetensors_bytes, write_archive

ALLOWED_BYTES = 8_000_000  # beside twice the file's size: what small files may take
PICKLE = 500_000  # what data.pkl may have in a small file


def header(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(safetensors_bytes(content))


def pickled(program: bytes) -> Callable[[Path], object]:
    return lambda path: write_archive(path, b"\x80\x02" + program + b".")


def members(count: int) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02}.")
            for i in range(count):
                archive.writestr(f"archive/data/{i}", b"")

    return write


ENTRY = b'"t%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
BOMBS = {
    "many tensors": header(b"{" + b"".join(ENTRY % i for i in range(17_000)) + b'"z":1}'),
    "nothing but lists": header(b'{"a":[' + b"[]," * 330_000 + b"[]]}"),
    "a long shape": header(b'{"a":{"dtype":"U8","shape":[' + b"1," * 490_000 + b"1]}}"),
    "a header of 16 MB": header(b'{"a":[' + b"99999," * 2_700_000 + b"1]}"),
    "dicts": pickled(b"}" * PICKLE),
    "lists": pickled(b"]" * PICKLE),
    "beginnings": pickled(b"(" * PICKLE),
    "tuples": pickled(b"NN" + b"N\x86" * (PICKLE // 2)),
    "ordered dicts": pickled(b"ccollections\nOrderedDict\nq\x00" + b"h\x00)R" * (PICKLE // 4)),
    "memory": pickled(b"".join(b"Nr" + struct.pack("<I", i) for i in range(PICKLE // 6))),
    "a pickle of 16 MB": pickled(b"}" * 16_000_000),
    "many members": members(8_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_and_time_stay_in_proportion(tmp_path: Path, bomb: str):
    path = tmp_path / "x.pth"
    BOMBS[bomb](path)
    with pytest.raises(EngineError):  # imports are not counted
        inspect(path)
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(EngineError):
            inspect(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * path.stat().st_size + ALLOWED_BYTES
    assert time.process_time() - began < 2.0  # twice the bound: tracing doubles it
