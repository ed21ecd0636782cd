"""The set-up script: what it looks at, what it decides, what it says when it cannot."""

import __future__

import ast
import os
import platform
import shutil
import subprocess
import sys
import venv
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


def test_an_older_python_is_told_what_it_needs(tmp_path: Path) -> None:
    """Even one that does not know how today's types are written."""
    script = Path(bootstrap.__file__)
    tree = ast.parse(script.read_text("utf-8"), feature_version=(3, 8))
    code = compile(tree, str(script), "exec", dont_inherit=True)
    assert code.co_flags & __future__.annotations.compiler_flag, "types are not looked at"
    pretend = "import runpy, sys; sys.version_info = (3, 9, 1); sys.argv = ['x', 'run']; "
    pretend += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    older = [path for n in range(8, 11) if (path := shutil.which(f"python3.{n}"))]
    real = [path for path in older if subprocess.call([path, "-c", ""], stderr=-3) == 0]
    commands = [[sys.executable, "-c", pretend], *([path, str(script), "run"] for path in real)]
    for command in commands:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert answer.returncode == 1, command
        assert "It needs Python 3.11 to 3.14, and this is" in answer.stderr


def test_an_environment_that_was_broken_off_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "venv"
    monkeypatch.setenv("SKEIN_VENV", str(folder))
    venv.create(folder, with_pip=False)  # what Debian leaves where python3-venv is missing
    pip = f"{folder}/lib/python3.11/site-packages/pip-24.0.dist-info"
    program(tmp_path, "python3", f'echo "$@" >>{tmp_path}/said; mkdir -p {pip}; : >{pip}/RECORD')
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert bootstrap._environment() == folder / "bin/python"
    assert bootstrap._environment() == folder / "bin/python"
    assert (tmp_path / "said").read_text() == f"-m venv {folder}\n", "once"


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for an environment's Python")
@pytest.mark.parametrize(
    ("system", "build", "is_fetched"),
    [
        ("Windows", "2.13.0", True),
        ("Windows", "2.13.0+cu130", False),
        ("Linux", "2.13.0+cpu", True),
        ("Linux", "2.13.0", False),
    ],
)
def test_the_build_for_cards_is_fetched_where_the_other_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, build: str, is_fetched: bool
) -> None:
    (tmp_path / "bin").mkdir()
    said = tmp_path / "said"
    program(tmp_path / "bin", "python", f'echo "$@" >>"{said}"\n[ "$1" != -c ] || echo {build}')
    monkeypatch.setattr(platform, "system", lambda: system)
    card = bootstrap.Card("NVIDIA GeForce RTX 4070", "550.54")
    bootstrap._install(tmp_path / "bin/python", "run", card, gpu=True)
    assert ("--torch-backend auto --reinstall-package torch" in said.read_text()) is is_fetched
