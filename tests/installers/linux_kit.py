"""Tiny trees as Linux's packers take them, and how their installers are run."""

import os
import subprocess
import sys
from pathlib import Path

from installers.linux.tree import Tree
from tests.installers.tree_kit import make_root

PYTHON = Path(sys.executable)
_PYTHON = f"""#!/bin/sh
# CPython's stand-in: the Python of the tests, with the tree's own app for -m app.
here=$(cd "$(dirname "$0")" && pwd)
[ "${{4:-}}" != -m ] || {{
  shift 5
  set -- "$here/../lib/python3.11/site-packages/app/__main__.py" "$@"
}}
exec "{sys.executable}" -I -S "$@"
"""


def make_tree(folder: Path, version: str = "0.1.0", **files: bytes) -> Tree:
    """Make a tree whose Python runs scripts, too; files: more of them, below licences/."""
    return Tree(
        make_root(
            folder,
            version,
            {
                "python/bin/python3": _PYTHON,
                "python/bin/python3.11": _PYTHON,
                **{f"licences/{name}": content for name, content in files.items()},
            },
            channel="tree",
        )
    )


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return a plain environment of a user whose home is ``home``."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **more}


def run_installer(
    file: Path, home: Path, *arguments: str | Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a .run, or a script beside an installed one, as that user."""
    home.mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", str(file), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(home, **environ),
        stdin=subprocess.DEVNULL,
        check=False,
    )
