"""The set-up script: what it looks at, what it decides, what it says when it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from installers import bootstrap


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("arguments", "ours", "passed_on"),
    [
        (["run"], ["run"], []),
        (["test", "--", "-k", "x"], ["test"], ["-k", "x"]),
        (["run", "--gpu", "--"], ["run", "--gpu"], []),
    ],
)
def test_arguments_are_cut_at_two_dashes(
    arguments: list[str], ours: list[str], passed_on: list[str]
) -> None:
    assert bootstrap._cut(arguments) == (ours, passed_on)


@pytest.mark.skipif(os.name == "nt", reason="shell scripts stand in for nvidia-smi")
@pytest.mark.parametrize(
    ("answer", "card"),
    [
        (
            "echo 'NVIDIA GeForce RTX 4070, 550.54'",
            bootstrap.Card("NVIDIA GeForce RTX 4070", "550.54"),
        ),
        ("exit 9", None),
        ("echo 'No devices were found'", None),
    ],
)
def test_the_card_is_what_its_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, card: bootstrap.Card | None
) -> None:
    program(tmp_path, "nvidia-smi", answer)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert bootstrap.find_card() == card


def test_no_driver_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.find_card() is None


def test_the_installed_torch_is_seen() -> None:
    import importlib.metadata

    build = bootstrap._torch_build(Path(sys.executable))
    assert build == importlib.metadata.version("torch")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lacks libraries of the system")
def test_a_missing_library_is_said_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Path(sys.executable)
    bootstrap._require_qt(python, window=False)
    monkeypatch.setattr(
        bootstrap, "_QT_CHECK", "print('libxcb-cursor.so.0: no such file'); raise SystemExit(1)"
    )
    program(tmp_path, "dnf", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupFailed, match=r"libxcb-cursor[\s\S]*dnf install"):
        bootstrap._require_qt(python, window=True)


def test_a_wrong_use_is_told_in_one_line() -> None:
    script = Path(bootstrap.__file__)
    answer = subprocess.run(
        [sys.executable, str(script), "dance"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "dance" in answer.stderr
    assert "Traceback" not in answer.stderr
