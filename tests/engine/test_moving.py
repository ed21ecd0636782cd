"""A folder that moves loses nothing, whatever happens on the way."""

from pathlib import Path

import pytest

from engine.errors import Cancelled, EngineError
from engine.moving import move_files, remove


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.pth").write_bytes(b"a" * 5000)
    (folder / "sub" / "中文.pth").write_bytes(b"b" * 3000)
    return folder


def test_files_are_copied_then_removed(source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "elsewhere"
    originals = move_files(source, target, lambda done, total: seen.append((done, total)))
    assert (target / "sub" / "中文.pth").read_bytes() == b"b" * 3000
    assert len(originals) == 2
    assert all(path.exists() for path in originals)
    assert seen[-1] == (8000, 8000)
    remove(originals)
    assert not any(path.exists() for path in originals)


def test_another_file_of_that_name_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "a.pth").write_bytes(b"other")
    with pytest.raises(EngineError, match="another file"):
        move_files(source, target)
    assert (target / "a.pth").read_bytes() == b"other"
    assert (source / "a.pth").exists()


def test_stopping_keeps_the_originals_and_no_half_file(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    with pytest.raises(Cancelled):
        move_files(source, target, stopped=lambda: True)
    assert (source / "a.pth").exists()
    assert not [path for path in target.rglob("*") if path.is_file()]


def test_a_folder_does_not_move_into_itself(source: Path) -> None:
    with pytest.raises(EngineError, match="inside"):
        move_files(source, source / "deeper")
