"""The folder of compiled kernels: what a key stands for, what happens to damaged files."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.cuda.cubins import MAGIC, CubinCache, CubinKey

KEY = CubinKey("text", {"D": 128, "F": 512}, 90, (13, 0), 13000)


@pytest.fixture
def cache(tmp_path: Path) -> CubinCache:
    return CubinCache(tmp_path / "cubins")


def test_what_was_put_comes_back(cache: CubinCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, b"code")
    assert cache.get(KEY) == b"code"
    cache.drop(KEY)
    assert cache.get(KEY) is None


def test_the_order_of_macros_is_no_difference() -> None:
    assert replace(KEY, macros={"F": 512, "D": 128}).name == KEY.name


@pytest.mark.parametrize(
    "other",
    [
        {"text": "text "},
        {"macros": {"D": 128}},
        {"macros": {"D": "128", "F": 512}},
        {"macros": {"D": None, "F": 512}},
        {"architecture": 89},
        {"compiler": (13, 1)},
        {"driver": 13010},
    ],
)
def test_whatever_code_is_made_from_is_in_the_key(other: dict[str, object]) -> None:
    assert replace(KEY, **other).name != KEY.name  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("damage", [b"", b"x", MAGIC, MAGIC + bytes(40)])
def test_a_damaged_file_goes(cache: CubinCache, tmp_path: Path, damage: bytes) -> None:
    cache.put(KEY, b"code")
    path = tmp_path / "cubins" / KEY.name
    path.write_bytes(damage)
    assert cache.get(KEY) is None
    assert not path.exists()


def test_one_bit_is_damage(cache: CubinCache, tmp_path: Path) -> None:
    cache.put(KEY, b"code")
    path = tmp_path / "cubins" / KEY.name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert cache.get(KEY) is None


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    folder = tmp_path / "cubins"
    cache = CubinCache(folder, limit_bytes=350)
    keys = [replace(KEY, architecture=number) for number in (1, 2, 3)]
    for age, key in enumerate(keys[:2]):
        cache.put(key, bytes(100))
        os.utime(folder / key.name, ns=(age, age))
    cache.get(keys[0])  # so that the second is the longest unused
    cache.put(keys[2], bytes(100))
    assert [cache.get(key) is not None for key in keys] == [True, False, True]


def test_the_newest_stays_however_large(tmp_path: Path) -> None:
    cache = CubinCache(tmp_path, limit_bytes=10)
    cache.put(KEY, bytes(100))
    assert cache.get(KEY) == bytes(100)


def test_nothing_half_written_stays(cache: CubinCache, tmp_path: Path) -> None:
    cache.put(KEY, b"code")
    cache.put(KEY, b"code")
    assert [path.name for path in (tmp_path / "cubins").iterdir()] == [KEY.name]


def test_a_folder_that_cannot_be_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = CubinCache(tmp_path / "file")
    cache.put(KEY, b"code")
    assert cache.get(KEY) is None
    cache.drop(KEY)
