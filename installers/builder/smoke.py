"""The finished tree, started with nothing of the build machine's Python around it.

Three processes of the tree's own Python, with a home folder of their own: every module is imported
and a window is drawn offscreen; Gosling answers and its state is saved; another process reads on
from that state and must draw the same words. Fails by BuildFailed with what the process said.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from installers.builder.clean_environment import clean_environment
from installers.builder.failure import BuildFailed

_PROGRAM = Path(__file__).with_name("smoke_program.py")
_LIMIT_S = 300


def smoke(python: Path) -> list[str]:
    """Run all steps with a tree's interpreter; return a line of each."""
    with tempfile.TemporaryDirectory(prefix="skein smoke ü 中 ") as folder:
        return [_step(python, step, Path(folder)) for step in ("window", "answer", "resume")]


def _step(python: Path, step: str, folder: Path) -> str:
    environ = clean_environment(folder, os.environ)
    command = [str(python), "-I", "-B", "-X", "utf8", str(_PROGRAM), step, str(folder)]
    try:
        answer = subprocess.run(
            command, env=environ, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S,
            check=False, encoding="utf-8",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"The smoke test's “{step}” did not end in {_LIMIT_S} s.") from error
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip()
        raise BuildFailed(f"The smoke test's “{step}” failed ({answer.returncode}): {said}")
    return f"{step}: {answer.stdout.strip()}"
