"""Tiny installed trees for tests: real files, the real launcher, a manifest that is true.

Where CPython would lie is a script that runs the Python of the tests with the tree's own ``app``:
a few hundred bytes instead of 40 MB. ``make_root`` and ``add_version`` are all there is to know.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from installers.builder.manifest import Facts, write_manifest

LAUNCHER = Path(__file__).parents[2] / "installers" / "linux" / "skein"
SITE = "python/lib/python3.11/site-packages"
TARGET = "linux-x86_64"

_PYTHON = """#!/bin/sh
# Called with: -I -X utf8 -m app ARGS, as the launcher calls CPython.
here=$(cd "$(dirname "$0")" && pwd)
shift 5
exec "{python}" -I -X utf8 "$here/../lib/python3.11/site-packages/app/__main__.py" "$@"
"""

_APP = '''"""Says which version runs and what it was given."""
import sys
print("{version}", *sys.argv[1:], sep="|")
'''


def make_root(
    folder: Path,
    version: str = "0.1.0",
    files: Mapping[str, str | bytes] | None = None,
    *,
    channel: str = "run",
    target: str = TARGET,
) -> Path:
    """Make an installed ROOT of one version in ``folder`` (made if need be); return it.

    files: more of the version's files, by their path below versions/<version>; they may replace
    those that the kit brings, as ``{SITE}/app/__main__.py`` (prints "version|arguments").
    """
    folder.mkdir(parents=True, exist_ok=True)
    add_version(folder, version, files, target=target)
    (folder / "current").write_text(f"{version}\n", "utf-8")
    (folder / "channel").write_text(f"{channel}\n", "utf-8")
    shutil.copy(LAUNCHER, folder / "skein")
    return folder


def add_version(
    root: Path,
    version: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    target: str = TARGET,
) -> Path:
    """Lay a complete version into ``root``/versions without switching to it; return its folder."""
    return make_tree(root / "versions" / version, version, files, target=target)


def make_tree(
    tree: Path,
    version: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    target: str = TARGET,
) -> Path:
    """Make one version's folder, with its manifest, anywhere; return it."""
    python = _PYTHON.format(python=sys.executable)
    content: dict[str, str | bytes] = {
        "python/bin/python3.11": python,
        "python/bin/python3": python,
        f"{SITE}/app/__init__.py": "",
        f"{SITE}/app/__main__.py": _APP.format(version=version),
        f"{SITE}/torch/lib/libtorch_cpu.so": bytes(range(256)) * 64,
        "licences/INDEX.txt": "none\n",
        **(files or {}),
    }
    for name, what in content.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(what.encode() if isinstance(what, str) else what)
        path.chmod(0o755 if name.startswith("python/bin/") else 0o644)
    write_manifest(tree, Facts(version, target, "3.11.7", "2.13.0+cpu", "2.36"))
    return tree
