"""Files that take another's place, also where somebody looks into it at that moment."""

import os
from pathlib import Path

import pytest

from engine import files
from engine.files import rename, write_atomically
from engine.hub.partial import PartFile, Wanted


class Scanner:
    """Refuses renames as Windows does while a virus scanner or another reader has the file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
        self.left = refusals
        self._replace = os.replace
        monkeypatch.setattr(os, "replace", self)
        monkeypatch.setattr(files, "_PAUSES_S", (0.001,) * 3)

    def __call__(self, source: Path, target: Path) -> None:
        if self.left:
            self.left -= 1
            raise PermissionError(13, "Access is denied", str(source), 32, str(target))
        self._replace(source, target)


def test_who_only_just_looks_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state"
    write_atomically(path, b"old")
    Scanner(monkeypatch, 3)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_download_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    part = PartFile(tmp_path / "model.pth")
    part.begin(Wanted("somebody/some", "model.pth", "main", 5, ""))
    part.path.write_bytes(b"12345")
    Scanner(monkeypatch, 2)
    assert part.finish().read_bytes() == b"12345"


def test_who_stays_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state"
    write_atomically(path, b"old")
    Scanner(monkeypatch, 4)
    with pytest.raises(PermissionError):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [left.name for left in tmp_path.iterdir()] == ["state"]


def test_a_folder_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "file").write_bytes(b"x")
    Scanner(monkeypatch, 1)
    rename(tmp_path / "partial", tmp_path / "whole")
    assert (tmp_path / "whole" / "file").read_bytes() == b"x"


def test_nobody_is_waited_for_but_on_windows():
    assert bool(files._PAUSES_S) == (os.name == "nt")
