"""Packed weights on disk: whole or not there, of one version only, and never more than allowed."""

import ctypes
import hashlib
import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from engine.errors import Cancelled
from engine.packed_files import PackedFiles
from engine.packed_format import HEADER_BYTES, IsCancelled, PackedKey, parse_header, read_header
from engine.packed_source import source_digest, source_stamp
from engine.packed_writer import PackedWriter
from kernels.cpu.memory import MappedMemory

DATA = bytes(range(256)) * 4096  # a megabyte
WHOLE = HEADER_BYTES + len(DATA)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def files(tmp_path: Path) -> PackedFiles:
    return PackedFiles(tmp_path / "packed", most_bytes=5 * len(DATA) // 2, least_bytes=1)


def key_of(source: Path, **changes: object) -> PackedKey:
    size_bytes, time_ns = source_stamp([source])
    digest = source_digest([source])
    key = PackedKey("f" * 32, size_bytes, time_ns, digest, "int8", "e" * 64, "0.1.0", len(DATA))
    return replace(key, **changes)


def write(files: PackedFiles, key: PackedKey, source: Path) -> Path:
    assert files.write(key, [source], memoryview(DATA), lambda: False)
    path = files.find(key)
    assert path is not None
    return path


def bytes_of(memory: MappedMemory) -> bytes:
    return ctypes.string_at(memory.address, memory.size_bytes)


def content(files: PackedFiles, key: PackedKey) -> bytes | None:
    memory = files.open(key)
    if memory is None:
        return None
    with memory:
        return bytes_of(memory)


def damage(path: Path, place: int, count: int) -> None:
    with path.open("rb+") as file:
        file.seek(place)
        changed = bytes(byte ^ 1 for byte in file.read(count))
        file.seek(place)
        file.write(changed)


def test_what_is_written_is_read(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    assert files.find(key) is None
    assert content(files, key) is None
    path = write(files, key, source)
    seen: list[tuple[int, int]] = []
    memory = files.open(key, lambda done, total: seen.append((done, total)))
    assert memory is not None
    with memory:
        assert memory.address % 64 == 0
        assert bytes_of(memory) == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert files.usage() == path.stat().st_size == WHOLE
    assert files.clear() == WHOLE
    assert files.usage() == 0


def test_what_is_mapped_stays_when_its_file_is_gone_or_replaced(
    files: PackedFiles, source: Path
) -> None:
    key = key_of(source)
    path = write(files, key, source)
    memory = files.open(key)
    assert memory is not None
    with memory:
        if sys.platform != "win32":  # which neither deletes nor replaces it meanwhile
            assert files.clear() == WHOLE
            write(files, key, source)
        assert bytes_of(memory) == DATA
    files.clear()
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_closing_leaves_no_mapping_and_no_handle(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    path = write(files, key, source)

    def held() -> tuple[bool, bool]:
        handles = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        return str(path) in Path("/proc/self/maps").read_text(), str(path) in handles

    memory = files.open(key)
    assert memory is not None
    assert held()[0]
    memory.close()
    memory.close()
    assert held() == (False, False)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "e" * 32},
        {"source_time_ns": 1},
        {"source_bytes": 1},
        {"source_digest": "0" * 64},
        {"weights": "q4"},
        {"engine": "0" * 64},
        {"release": "0.2.0"},
    ],
)
def test_another_key_finds_nothing(files: PackedFiles, source: Path, change: dict) -> None:
    key = key_of(source)
    path = write(files, key, source)
    other = replace(key, **change)
    assert content(files, other) is None
    path.rename(files.folder / other.file_name)  # nor under its own name
    assert files.find(other) is None
    assert content(files, other) is None


@pytest.mark.parametrize("left", [0, 7, HEADER_BYTES - 1, HEADER_BYTES, WHOLE - 1])
def test_a_file_that_was_cut_short_is_gone(files: PackedFiles, source: Path, left: int) -> None:
    key = key_of(source)
    path = write(files, key, source)
    os.truncate(path, left)
    assert files.find(key) is None
    assert content(files, key) is None
    assert not path.exists()
    write(files, key, source)
    assert content(files, key) == DATA


@pytest.mark.parametrize("place", [0, 9, 20, 100])
def test_a_damaged_header_is_noticed(files: PackedFiles, source: Path, place: int) -> None:
    key = key_of(source)
    path = write(files, key, source)
    damage(path, place, 1)
    assert content(files, key) is None
    assert not path.exists()


def test_extents_that_a_disk_lost_are_noticed(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    path = write(files, key, source)
    damage(path, HEADER_BYTES + 200_000, 300_000)
    assert content(files, key) is None
    assert not path.exists()


@pytest.mark.parametrize("place", [0, len(DATA) // 3, len(DATA) - 1])
def test_a_single_byte_that_changed_is_noticed(
    files: PackedFiles, source: Path, place: int
) -> None:
    key = key_of(source)
    path = write(files, key, source)
    damage(path, HEADER_BYTES + place, 1)
    assert content(files, key) is None
    assert not path.exists()


def test_pieces_that_changed_places_are_noticed(tmp_path: Path, source: Path) -> None:
    piece = 16 << 20
    data = b"a" * piece + b"b" * piece
    files, key = PackedFiles(tmp_path / "packed"), key_of(source, packed_bytes=2 * piece)
    assert files.write(key, [source], memoryview(data), lambda: False)
    path = files.find(key)
    assert path is not None
    with path.open("rb+") as file:
        file.seek(HEADER_BYTES)
        file.write(b"b" * piece + b"a" * piece)
    assert files.open(key) is None


@pytest.mark.parametrize(
    "said",
    [
        [],
        "[" * 5000,
        {},
        {"key": 1, "sources": [], "checksum": ""},
        {"key": {}, "sources": [], "checksum": ""},
        {"change": {"checksum": None}},
        {"change": {"sources": [1]}},
        {"key change": {"packed_bytes": -1}},
        {"key change": {"packed_bytes": "1"}},
        {"key change": {"engine": None}},
    ],
)
def test_a_header_that_is_none_is_made_again(
    files: PackedFiles, source: Path, said: object
) -> None:
    key = key_of(source)
    text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
    if isinstance(said, dict) and "change" in said:
        whole = {"key": asdict(key), "sources": [str(source)], "checksum": "0"}
        text = json.dumps({**whole, **said["change"]}).encode()
    if isinstance(said, dict) and "key change" in said:
        whole = {"key": {**asdict(key), **said["key change"]}, "sources": [], "checksum": "0"}
        text = json.dumps(whole).encode()
    head = struct.pack("<8sI32s", b"SKEINPK2", len(text), hashlib.sha256(text).digest()) + text
    files.folder.mkdir()
    (files.folder / key.file_name).write_bytes(head.ljust(HEADER_BYTES, b"\0") + DATA)
    assert parse_header(head, WHOLE) is None
    assert content(files, key) is None
    write(files, key, source)
    assert content(files, key) == DATA


def test_a_digest_sees_what_size_and_time_do_not(tmp_path: Path) -> None:
    path, other = tmp_path / "large.pth", tmp_path / "small.pth"
    other.write_bytes(b"same")
    path.write_bytes(bytes(3_000_000))
    before = source_digest([other, path])
    path.write_bytes(b"\1" * 3_000_000)
    assert source_digest([other, path]) != before
    assert source_stamp([other, path])[0] == 3_000_004


def test_a_foreign_file_is_no_harm(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    files.folder.mkdir()
    (files.folder / key.file_name).write_bytes(b"PK\x03\x04" * 5000)
    assert content(files, key) is None
    write(files, key, source)
    assert content(files, key) == DATA


def test_reading_can_be_stopped(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    path = write(files, key, source)
    with pytest.raises(Cancelled):
        files.open(key, cancelled=lambda: True)
    assert path.exists()


def test_a_stopped_write_leaves_nothing(files: PackedFiles, source: Path) -> None:
    assert not files.write(key_of(source), [source], memoryview(DATA), lambda: True)
    assert not list(files.folder.iterdir())


def test_what_was_not_used_for_longest_goes_first(files: PackedFiles, source: Path) -> None:
    first, second, third = (key_of(source, fingerprint=letter * 32) for letter in "abc")
    old, used = write(files, first, source), write(files, second, source)
    os.utime(old, (1000, 1000))
    os.utime(used, (500, 500))
    assert content(files, second) == DATA
    write(files, third, source)
    assert (files.find(first), files.find(second)) == (None, used)
    assert files.usage() <= 5 * len(DATA) // 2


def test_less_room_is_obeyed_at_once(files: PackedFiles, source: Path) -> None:
    old, new = (key_of(source, fingerprint=letter * 32) for letter in "ab")
    os.utime(write(files, old, source), (1000, 1000))
    write(files, new, source)
    assert files.prune() == 0
    assert PackedFiles(files.folder, most_bytes=WHOLE).prune() == WHOLE
    assert (files.find(old), content(files, new)) == (None, DATA)
    assert PackedFiles(files.folder, most_bytes=0).prune() == WHOLE
    assert files.usage() == 0


def test_what_is_of_no_use_any_more_goes_before(files: PackedFiles, source: Path) -> None:
    gone = source.with_name("gone.pth")
    gone.write_bytes(b"other")
    key = key_of(source)
    useless = [
        write(files, key_of(gone), gone),
        write(files, replace(key, engine="0" * 64), source),
    ]
    gone.unlink()
    write(files, key, source)
    assert not any(path.exists() for path in useless)


def test_models_of_other_sizes_are_not_kept(tmp_path: Path, source: Path) -> None:
    key = key_of(source)
    assert PackedFiles(tmp_path, most_bytes=WHOLE, least_bytes=len(DATA)).wants(key)
    assert not PackedFiles(tmp_path, least_bytes=len(DATA) + 1).wants(key)
    assert not PackedFiles(tmp_path, most_bytes=WHOLE - 1, least_bytes=1).wants(key)


WRITER = """
import sys
from pathlib import Path
from engine.packed_files import PackedFiles
from engine.packed_format import PackedKey
stamp = int(sys.argv[3]), int(sys.argv[4]), "digest"
key = PackedKey("f" * 32, *stamp, "int8", "e" * 64, "0.1.0", 64 << 20)
files = PackedFiles(Path(sys.argv[1]), least_bytes=1)
data = memoryview(bytes(64 << 20))
kept = files.write(key, [Path(sys.argv[2])], data, lambda: print("on", flush=True))
print("kept" if kept else "not kept", len(list(files.folder.iterdir())))
"""


def start_writer(files: PackedFiles, source: Path, limit_bytes: int = 0) -> subprocess.Popen[str]:
    def limit() -> None:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    stamp = [str(number) for number in source_stamp([source])]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(files.folder), str(source), *stamp],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=limit if limit_bytes else None,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kills and limits are POSIX here")
def test_killed_in_the_middle_nothing_is_found_and_the_rest_is_swept(
    files: PackedFiles, source: Path
) -> None:
    with start_writer(files, source) as writer:
        assert writer.stdout is not None
        for _ in range(6):  # four pieces are summed, then it writes
            writer.stdout.readline()
        writer.kill()
    (left,) = files.folder.iterdir()
    assert left.name.endswith(".part")
    key = key_of(source)
    assert files.find(key) is None
    write(files, key, source)
    assert content(files, key) == DATA
    assert left.exists(), "another process may be writing it"
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    write(files, replace(key, weights="q4"), source)
    assert not left.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills and limits are POSIX here")
def test_a_disk_that_fills_up_is_no_error(files: PackedFiles, source: Path) -> None:
    with start_writer(files, source, limit_bytes=9 << 20) as writer:
        assert writer.stdout is not None
        assert writer.stdout.read().split()[-3:] == ["not", "kept", "0"]
    assert writer.returncode == 0


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").write_text("")
    files = PackedFiles(tmp_path / "file" / "packed")
    key = key_of(source)
    assert not files.write(key, [source], memoryview(DATA), lambda: False)
    assert (files.find(key), content(files, key), files.usage(), files.clear()) == (
        None,
        None,
        0,
        0,
    )


def test_a_folder_that_is_read_only_serves_what_it_has(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    path = write(files, key, source)
    path.chmod(0o444)
    files.folder.chmod(0o555)
    try:
        assert content(files, key) == DATA
        # Whether it can be kept is up to who runs this (root may); that it cannot is no error.
        files.write(replace(key, weights="q4"), [source], memoryview(DATA), lambda: False)
        assert content(files, key) == DATA
    finally:
        files.folder.chmod(0o755)


def test_the_writer_waits_until_others_are_done_and_stops_when_told() -> None:
    written: list[bytes] = []

    def keep(data: memoryview, stopped: object, hurried: object) -> None:
        written.append(bytes(data))

    PackedWriter(keep, memoryview(bytearray(b"a")), None, 3600).stop()
    assert not written
    writer = PackedWriter(keep, memoryview(b"b"), None, 3600)
    writer.finish()
    writer.stop()
    assert written == [b"b"]


def test_who_has_to_wait_for_the_writer_hurries_it() -> None:
    seen: list[bool] = []

    def keep(_data: memoryview, _stopped: IsCancelled, hurried: IsCancelled) -> None:
        seen.append(hurried())

    PackedWriter(keep, memoryview(b""), None, 9).finish()
    assert seen == [True]


def test_a_header_says_what_it_is_of(files: PackedFiles, source: Path) -> None:
    header = read_header(write(files, key_of(source), source))
    assert header is not None
    assert header.sources == (str(source),)
    assert header.key.weights == "int8"
