"""Byte code: made for all, kept for what is used of the large packages.

Byte code that is never checked against its source halves what a start reads. Of torch, sympy and
their like two thirds of the modules are never imported by Skein: theirs would be 45 MB; as source
they are still there. What is used is seen by running Skein's ways (bytecode_program.py) and asking.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from installers.builder.clean_environment import clean_environment
from installers.builder.failure import BuildFailed

LARGE = (
    *("torch", "torchgen", "sympy", "mpmath", "numpy", "huggingface_hub", "pygments", "pydantic"),
    *("fsspec", "jinja2"),
)
_NEWER = r"[\\/]py31[2-9]_[^\\/]*$"
"""Files of torch's tests in the language of Python 3.12; folders above may be called anything."""
_PROGRAM = Path(__file__).with_name("bytecode_program.py")


def compile_all(python: Path, folder: Path) -> None:
    """Compile every source below a folder. Raises BuildFailed when compileall does."""
    words = ["-I", "-m", "compileall", "-f", "-q", "-j2", "--invalidation-mode", "unchecked-hash"]
    answer = subprocess.run(
        [str(python), *words, "-s", str(folder), "-x", _NEWER, str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if answer.returncode != 0:
        raise BuildFailed(f"compileall failed: {answer.stdout}{answer.stderr}")


def keep_what_is_used(python: Path, site: Path) -> int:
    """Delete byte code of the large packages' other modules; return the bytes set free."""
    used = _used(python)
    freed = 0
    for name in LARGE:
        for path in (site / name).rglob("*.pyc"):
            if path.resolve() not in used:
                freed += path.stat().st_size
                path.unlink()
    return freed


def _used(python: Path) -> set[Path]:
    """Return the byte code files that Skein's ways load."""
    with tempfile.TemporaryDirectory() as folder:
        environ = clean_environment(Path(folder), os.environ)
        command = [str(python), "-I", "-B", "-X", "utf8", str(_PROGRAM), folder]
        answer = subprocess.run(
            command, env=environ, cwd=folder, capture_output=True, text=True, check=False,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    if answer.returncode != 0:
        raise BuildFailed(f"Skein's ways could not be walked: {answer.stderr.strip()}")
    return {Path(name).resolve() for name in json.loads(answer.stdout.splitlines()[-1])}
