"""The locks that trees are built from: whole, hashed, and made by the program beside them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from installers import lock
from installers.builder import wheels
from installers.builder.failure import BuildFailed
from installers.builder.target import NAMES, Target

PROJECT = Path(lock.__file__).parents[1]


def asked_for() -> dict[str, SpecifierSet]:
    """What pyproject.toml's dependencies ask for, by name."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    return {canonicalize_name(one.name): one.specifier for one in wanted}


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_has_all_that_is_asked_for_and_every_hash(name: str) -> None:
    text = Target(name).lock.read_text("utf-8")
    blocks = lock.packages(text)
    locked = dict(block.split()[0].split("==") for block in blocks)
    missing = asked_for().keys() - locked.keys()
    assert missing <= ({"torch"} if lock.UNPINNED in text else set())
    kept = asked_for().keys() & locked.keys()
    assert [n for n in kept if not asked_for()[n].contains(locked[n])] == [], "run lock.py again"
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert not any(re.match(lock._LEFT_OUT, block) for block in blocks)
    assert "://" not in text


def test_torch_on_linux_is_the_build_for_processors_alone() -> None:
    assert "\ntorch==2.13.0+cpu \\" in Target("linux-x86_64").lock.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "block", "is_pinned"),
    [
        ("linux-x86_64", "torch==2.13.0+cpu \\\n    --hash=sha256:aa\n", True),
        ("linux-aarch64", "torch==2.13.0 \\\n    --hash=sha256:aa\n", False),
        ("windows-x86_64", "torch==2.13.0 \\\n    --hash=sha256:aa\n", True),
        ("linux-aarch64", "torchish==1 \\\n    --hash=sha256:aa\n", True),
    ],
)
def test_another_build_of_torch_is_not_pinned(name: str, block: str, is_pinned: bool) -> None:
    made = lock.with_cpu_torch(block, Target(name))
    assert (made == block) is is_pinned
    assert is_pinned or (made.startswith(lock.UNPINNED) and "--torch-index" in made)


@pytest.mark.parametrize("text", [None, f"a==1\n{lock.UNPINNED}==2.13.0+cpu: ..\n"])
def test_a_lock_without_torch_is_not_installed(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "linux-aarch64.txt"
    if text is not None:
        path.write_text(text, "utf-8")
    python = Path(sys.executable)
    with pytest.raises(BuildFailed, match=r"linux-aarch64\.txt .*installers/lock\.py"):
        wheels.install(python, python, path, tmp_path / "skein.whl")


def test_blocks_are_cut_at_names() -> None:
    text = "# head\na==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\nb-c==2 \\\n    --hash=x\n"
    assert [block.split("==")[0] for block in lock.packages(text)] == ["a", "b-c"]


def test_without_uv_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("UV", "/nowhere/uv")
    assert lock.main(["linux-x86_64"]) == 2
    assert "pip install uv" in capsys.readouterr().err
    assert lock.main(["amiga"]) == 2
    assert "amiga is no target" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["lock.py", "build.py"])
def test_the_programs_start_by_their_path(program: str, tmp_path: Path) -> None:
    path = PROJECT / "installers" / program
    command = [sys.executable, str(path), "--help"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "usage" in answer.stdout.lower()
