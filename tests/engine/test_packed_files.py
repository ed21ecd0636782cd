"""Packed weights on disk: whole or not there, of one version only, and never more than allowed."""

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
from engine.packed_files import (
    PackedFiles,
    PackedKey,
    PackedWriter,
    read_header,
    source_digest,
    source_stamp,
)

DATA = bytes(range(256)) * 4096  # a megabyte


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.pth"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def files(tmp_path: Path) -> PackedFiles:
    return PackedFiles(
        tmp_path / "packed", most_bytes=5 * len(DATA) // 2, least_bytes=1, delay_s=3600
    )


def key_of(source: Path, **changes: object) -> PackedKey:
    size_bytes, time_ns = source_stamp(source)
    digest = source_digest(source)
    key = PackedKey("f" * 32, size_bytes, time_ns, digest, "int8", 1, "0.1.0", len(DATA))
    return replace(key, **changes)


def write(files: PackedFiles, key: PackedKey, source: Path) -> Path:
    assert files.write(key, source, memoryview(DATA), lambda: False)
    path = files.find(key)
    assert path is not None
    return path


def content(files: PackedFiles, path: Path) -> bytes | None:
    target = bytearray(len(DATA))
    return bytes(target) if files.read(path, memoryview(target)) else None


def test_what_is_written_is_read(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    assert files.find(key) is None
    path = write(files, key, source)
    seen: list[tuple[int, int]] = []
    target = bytearray(len(DATA))
    assert files.read(path, memoryview(target), lambda done, total: seen.append((done, total)))
    assert bytes(target) == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert files.usage() == path.stat().st_size == 4096 + len(DATA)
    assert files.clear() == 4096 + len(DATA)
    assert files.usage() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "e" * 32},
        {"source_time_ns": 1},
        {"source_bytes": 1},
        {"source_digest": "0" * 64},
        {"weights": "q4"},
        {"layout": 2},
        {"release": "0.2.0"},
    ],
)
def test_another_key_finds_nothing(files: PackedFiles, source: Path, change: dict) -> None:
    key = key_of(source)
    path = write(files, key, source)
    other = replace(key, **change)
    assert files.find(other) is None
    path.rename(files.folder / other.file_name)  # nor under its own name
    assert files.find(other) is None


@pytest.mark.parametrize("left", [0, 7, 4096, 4096 + len(DATA) - 1])
def test_a_file_that_was_cut_short_is_gone(files: PackedFiles, source: Path, left: int) -> None:
    key = key_of(source)
    path = write(files, key, source)
    os.truncate(path, left)
    assert files.find(key) is None
    assert not path.exists()
    assert content(files, write(files, key, source)) == DATA


@pytest.mark.parametrize("place", [0, 9, 20, 100])
def test_a_damaged_header_is_noticed(files: PackedFiles, source: Path, place: int) -> None:
    key = key_of(source)
    path = write(files, key, source)
    damage(path, place, 1)
    assert files.find(key) is None
    assert not path.exists()


def test_extents_that_a_disk_lost_are_noticed(files: PackedFiles, source: Path) -> None:
    path = write(files, key_of(source), source)
    damage(path, 4096 + 200_000, 300_000)
    assert content(files, path) is None
    assert not path.exists()


@pytest.mark.parametrize("place", [0, len(DATA) // 3, len(DATA) - 1])
def test_a_single_byte_that_changed_is_noticed(
    files: PackedFiles, source: Path, place: int
) -> None:
    path = write(files, key_of(source), source)
    damage(path, 4096 + place, 1)
    assert content(files, path) is None
    assert not path.exists()


def test_a_header_of_another_build_is_made_again(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    said = {"key": {**asdict(key)}, "source": str(source)}  # without a checksum
    text = json.dumps(said).encode()
    head = struct.pack("<8sI32s", b"SKEINPK1", len(text), hashlib.sha256(text).digest()) + text
    files.folder.mkdir()
    (files.folder / key.file_name).write_bytes(head.ljust(4096, b"\0") + DATA)
    assert files.find(key) is None
    assert content(files, write(files, key, source)) == DATA


def test_a_digest_sees_what_size_and_time_do_not(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    path.write_bytes(bytes(3_000_000))
    before = source_digest(path)
    path.write_bytes(b"\1" * 3_000_000)
    assert source_digest(path) != before


def test_a_foreign_file_is_no_harm(files: PackedFiles, source: Path) -> None:
    key = key_of(source)
    files.folder.mkdir()
    (files.folder / key.file_name).write_bytes(b"PK\x03\x04" * 5000)
    assert files.find(key) is None
    assert content(files, write(files, key, source)) == DATA


def test_reading_can_be_stopped(files: PackedFiles, source: Path) -> None:
    path = write(files, key_of(source), source)
    with pytest.raises(Cancelled):
        files.read(path, memoryview(bytearray(len(DATA))), cancelled=lambda: True)
    assert path.exists()


def test_a_stopped_write_leaves_nothing(files: PackedFiles, source: Path) -> None:
    assert not files.write(key_of(source), source, memoryview(DATA), lambda: True)
    assert not list(files.folder.iterdir())


def test_what_was_not_used_for_longest_goes_first(files: PackedFiles, source: Path) -> None:
    first, second, third = (key_of(source, fingerprint=letter * 32) for letter in "abc")
    old, used = write(files, first, source), write(files, second, source)
    os.utime(old, (1000, 1000))
    os.utime(used, (500, 500))
    assert content(files, used) == DATA
    write(files, third, source)
    assert (files.find(first), files.find(second)) == (None, used)
    assert files.usage() <= 5 * len(DATA) // 2


def test_what_is_of_no_use_any_more_goes_before(files: PackedFiles, source: Path) -> None:
    gone = source.with_name("gone.pth")
    gone.write_bytes(b"other")
    key = key_of(source)
    useless = [
        write(files, key_of(gone), gone),
        write(files, replace(key, layout=0), source),
    ]
    gone.unlink()
    write(files, key, source)
    assert not any(path.exists() for path in useless)


def test_models_of_other_sizes_are_not_kept(tmp_path: Path, source: Path) -> None:
    key = key_of(source)
    assert PackedFiles(tmp_path, most_bytes=len(DATA), least_bytes=len(DATA)).wants(key)
    assert not PackedFiles(tmp_path, least_bytes=len(DATA) + 1).wants(key)
    assert not PackedFiles(tmp_path, most_bytes=len(DATA) - 1, least_bytes=1).wants(key)


WRITER = """
import sys
from pathlib import Path
from engine.packed_files import PackedFiles, PackedKey
stamp = int(sys.argv[3]), int(sys.argv[4]), "digest"
key = PackedKey("f" * 32, *stamp, "int8", 1, "0.1.0", 64 << 20)
files = PackedFiles(Path(sys.argv[1]), least_bytes=1)
kept = files.write(key, Path(sys.argv[2]), memoryview(bytes(64 << 20)), lambda: print(flush=True))
print("kept" if kept else "not kept", len(list(files.folder.iterdir())))
"""


def start_writer(files: PackedFiles, source: Path, limit_bytes: int = 0) -> subprocess.Popen[str]:
    def limit() -> None:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    stamp = [str(number) for number in source_stamp(source)]
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
        writer.stdout.readline()
        writer.stdout.readline()
        writer.kill()
    (left,) = files.folder.iterdir()
    assert left.name.endswith(".part")
    key = key_of(source)
    assert files.find(key) is None
    assert content(files, write(files, key, source)) == DATA
    assert left.exists(), "another process may be writing it"
    long_ago = time.time() - 3600
    os.utime(left, (long_ago, long_ago))
    write(files, replace(key, weights="q4"), source)
    assert not left.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills and limits are POSIX here")
def test_a_disk_that_fills_up_is_no_error(files: PackedFiles, source: Path) -> None:
    with start_writer(files, source, limit_bytes=9 << 20) as writer:
        assert writer.stdout is not None
        assert writer.stdout.read().split() == ["not", "kept", "0"]
    assert writer.returncode == 0


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").write_text("")
    files = PackedFiles(tmp_path / "file" / "packed")
    assert not files.write(key_of(source), source, memoryview(DATA), lambda: False)
    assert (files.find(key_of(source)), files.usage(), files.clear()) == (None, 0, 0)


def test_the_writer_waits_until_others_are_done_and_stops_when_told(
    files: PackedFiles, source: Path
) -> None:
    key = key_of(source)
    data = memoryview(bytearray(DATA))
    PackedWriter(files, key, source, data, None).stop()
    assert files.find(key) is None
    files.delay_s = 0
    writer = PackedWriter(files, key, source, memoryview(DATA), None)
    writer.wait()
    writer.stop()
    assert files.find(key) is not None


def damage(path: Path, place: int, count: int) -> None:
    with path.open("rb+") as file:
        file.seek(place)
        changed = bytes(byte ^ 1 for byte in file.read(count))
        file.seek(place)
        file.write(changed)


def test_a_header_says_what_it_is_of(files: PackedFiles, source: Path) -> None:
    header = read_header(write(files, key_of(source), source))
    assert header is not None
    assert header["source"] == str(source)
    assert header["key"]["weights"] == "int8"
