#!/usr/bin/env python3
"""Builds Skein's installed tree: a relocatable CPython with the project and all that it needs.

    python installers/build.py --target linux --out build/tree [--python DIR] [--version V]
        [--update-address URL --update-key HEX ...] [--no-archive]

OUT/skein becomes a complete ROOT (installers/README.md), and beside it
skein-<version>-<target>.tar.xz is what updates download. Standard library only; needs pip in
the Python that is copied, and on Linux strip (binutils) and patchelf.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from engine.gpu_pack.default_index import pip_address  # noqa: E402
from engine.manifest import safe_version  # noqa: E402
from installers.builder import (  # noqa: E402
    archive,
    bytecode,
    licences,
    manifest,
    older_glibc,
    prune,
    python_tree,
    strip,
    system_libraries,
    vc_runtime,
    wheels,
)
from installers.builder.elf import newest_glibc  # noqa: E402
from installers.builder.failure import BuildFailed  # noqa: E402
from installers.builder.smoke import smoke  # noqa: E402
from installers.builder.target import Target, chosen  # noqa: E402

LAUNCHER = PROJECT / "installers" / "linux" / "skein"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    target: Target
    python: Path
    out: Path
    version: str
    update_address: str
    update_keys: tuple[str, ...]
    with_archive: bool


def main(arguments: list[str] | None = None) -> int:
    """Build a tree; return 0, or 2 with a sentence."""
    try:
        build(_asked(arguments))
    except (BuildFailed, OSError, subprocess.CalledProcessError) as error:
        print(f"Not built. {error}", file=sys.stderr)
        return 2
    return 0


def _asked(arguments: list[str] | None) -> Wanted:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", required=True, choices=("linux", "windows", "macos"))
    parser.add_argument("--python", type=Path, default=Path(sys.base_prefix), metavar="DIR")
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "tree", metavar="DIR")
    parser.add_argument("--version", default="", help="else the one in pyproject.toml")
    parser.add_argument("--update-address", default="", metavar="URL")
    parser.add_argument("--update-key", action="append", default=[], metavar="HEX")
    parser.add_argument("--no-archive", action="store_true", help="only the tree")
    given = parser.parse_args(arguments)
    _require_usable_source(given.update_address, given.update_key)
    try:
        version = safe_version(given.version or project_version())
    except ValueError as error:
        raise BuildFailed(f"{error}: write it as 1.2.3 or 1.2.3rc1.") from error
    return Wanted(
        chosen(given.target),
        given.python.resolve(),
        given.out.resolve(),
        version,
        given.update_address,
        tuple(given.update_key),
        not given.no_archive,
    )


def _require_usable_source(address: str, keys: list[str]) -> None:
    """Raise BuildFailed unless a built copy could be updated from there, or is told of nothing."""
    if bool(address) != bool(keys):
        raise BuildFailed("--update-address and --update-key belong together: name both or none.")
    if address and not address.startswith("https://"):
        raise BuildFailed(f"--update-address is “{address}”: copies ask nothing but https://.")
    if not all(re.fullmatch("[0-9a-fA-F]{64}", key) for key in keys):
        raise BuildFailed(
            "--update-key is not 64 hexadecimal digits: copies would refuse every update. "
            "installers/release.py key makes a pair."
        )


def project_version() -> str:
    """Return the version in pyproject.toml."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def build(wanted: Wanted) -> Path:
    """Make the tree in a folder beside OUT/skein, test it, put it in place; return ROOT."""
    wanted.out.mkdir(parents=True, exist_ok=True)
    root = wanted.out / "skein.partial"
    shutil.rmtree(root, ignore_errors=True)
    tree = root / "versions" / wanted.version
    tree.mkdir(parents=True)
    facts = _fill(tree, wanted)
    for line in _timed("smoke test", lambda: smoke(wanted.target.python(tree / "python"))):
        print(f"    {line}", flush=True)
    _timed("manifest", lambda: manifest.write_manifest(tree, facts))
    _complete_root(root, wanted)
    final = _put_in_place(root, wanted.out / "skein")
    if wanted.with_archive:
        name = f"skein-{wanted.version}-{wanted.target.name}.tar.xz"
        tree = final / "versions" / wanted.version
        path = _timed("archive", lambda: archive.write_archive(tree, wanted.out / name))
        print(f"    {path.name}: {path.stat().st_size / 1e6:.1f} MB")
    return final


def _fill(tree: Path, wanted: Wanted) -> manifest.Facts:
    """Make all files of a version but its manifest."""
    target, python = wanted.target, tree / "python"
    site = target.site(python)
    own_python = target.python(python)
    version = _timed("Python", lambda: python_tree.copy_python(wanted.python, python, target))
    if target.system == "linux":
        _timed("strip Python", lambda: strip.strip(python))
    source = target.python(wanted.python)
    wheel = _timed("wheel", lambda: wheels.project_wheel(source, tree.parent.parent / "wheel"))
    _timed("packages", lambda: wheels.install(source, own_python, target.lock, wheel))
    shutil.rmtree(wheel.parent)
    wheels.tidy(python, site)
    torch = wheels.torch_version(own_python)
    _timed("prune", lambda: prune.prune(site))
    copied: list[Path] = []
    if target.system == "linux":
        _timed("strip", lambda: strip.strip(site))
        libraries = _timed("libraries", lambda: system_libraries.copy_libraries(python))
        (tree / "system_libraries.txt").write_text("\n".join(libraries.left) + "\n", "utf-8")
        copied = list(libraries.copied.values())
    if target.system == "windows":
        brought = _timed("C++ runtime", lambda: vc_runtime.bring_runtime(python))
        print(f"    {', '.join(f'{name} {number}' for name, number in brought.items())}")
    _write_release(site / "resources" / "release.json", wanted)
    without = licences.gather(tree, site, target.library(python), copied)
    print(f"    no licence text is known: {', '.join(without) or 'none'}", flush=True)
    licences.tidy(site)
    _write_start(site, target)
    _timed("compile", lambda: bytecode.compile_all(own_python, python))
    _timed("drop byte code", lambda: bytecode.keep_what_is_used(own_python, site))
    glibc = _bound_to_older(python) if target.system == "linux" else ""
    return manifest.Facts(wanted.version, target.name, version, torch, glibc)


def _bound_to_older(python: Path) -> str:
    """Let the tree start where glibc is old; return the version that it needs."""
    changed = _timed("older glibc", lambda: older_glibc.bind_to_older(python))
    print(f"    {', '.join(changed) or 'nothing'} bound to older versions", flush=True)
    return newest_glibc(python)


def _write_release(path: Path, wanted: Wanted) -> None:
    """Say in the tree where updates come from, whose signature counts, and where pip, which is
    not in the tree, would have looked for wheels: GPU packs come from there."""
    content = {
        "update_address": wanted.update_address,
        "update_keys": list(wanted.update_keys),
        "pack_index": pip_address(),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _write_start(site: Path, target: Target) -> None:
    """Lay what each of the tree's Pythons runs first, on the systems that need something."""
    start = PROJECT / "installers" / target.system / "sitecustomize.py"
    if start.is_file():
        shutil.copyfile(start, site / "sitecustomize.py")


def _complete_root(root: Path, wanted: Wanted) -> None:
    (root / "current").write_text(wanted.version + "\n", "utf-8")
    (root / "channel").write_text("tree\n", "utf-8")
    if wanted.target.system != "windows":
        shutil.copy(LAUNCHER, root / "skein")


def _put_in_place(root: Path, final: Path) -> Path:
    """Replace what an earlier build left."""
    old = final.with_name(final.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    root.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return final


def _timed(what: str, step: Callable[[], Result]) -> Result:
    """Run a step and print how long it took."""
    print(f"{what} ...", flush=True)
    start = time.monotonic()
    result = step()
    print(f"    {time.monotonic() - start:.1f} s", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
