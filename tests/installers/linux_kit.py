"""Tiny trees as Linux's packers take them, and how their installers are run."""

import os
import subprocess
import sys
from pathlib import Path

from installers.linux.self_extracting import build_run
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


def pack_two(folder: Path) -> dict[str, Path]:
    """Return two versions' installers."""
    return {
        version: build_run(
            make_tree(folder / version, version, big=os.urandom(300_000)),
            folder / "out",
            preset="1",
            python=PYTHON,
        )
        for version in ("0.1.0", "0.2.0")
    }


_CHANGED = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop(1))
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
from install import arrival, cli
CODE
sys.exit(cli.main())
"""


def run_changed(file: Path, home: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run a .run whose Python part executes ``code`` before its main: a place to interfere."""
    text = file.read_bytes()
    old = (
        b"'import sys; sys.path.insert(0, sys.argv.pop(1)); "
        b"from install.cli import main; sys.exit(main())'"
    )
    assert text.count(old) == 1
    script = file.with_name("changed.py")
    script.write_text(_CHANGED.replace("CODE", code), "utf-8")
    # The same length, so that the archives stay where the head says they are.
    new = f"'import sys; exec(open(\"{script.name}\").read())'".encode().ljust(len(old))
    changed = file.with_name("changed.run")
    changed.write_bytes(text.replace(old, new))
    home.mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", changed],
        env=environment(home),
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
