"""Every shell script of the repository, as ShellCheck reads it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


FOLDERS = (".ci", ".github", "app", "engine", "installers", "kernels", "resources", "tests")


def scripts() -> list[Path]:
    """What is a shell script by its name or its first line."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in paths if is_shell(path))


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(80)
    return path.suffix == ".sh" or first.startswith((b"#!/bin/sh", b"#!/usr/bin/env bash"))


def test_they_are_found():
    names = {path.relative_to(ROOT).as_posix() for path in scripts()}
    assert {".ci/run", "installers/linux/skein", "installers/macos/sign.sh"} <= names


@pytest.mark.parametrize("path", scripts(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_shellcheck(path: Path):
    answer = subprocess.run(["shellcheck", "-x", path.name], cwd=path.parent, capture_output=True)
    assert answer.returncode == 0, answer.stdout.decode()
