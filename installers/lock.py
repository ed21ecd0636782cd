#!/usr/bin/env python3
"""Writes installers/locks/<target>.txt: every package of a tree, with version and SHA-256.

    python installers/lock.py [TARGET ...] [--torch-index ADDRESS]

Runs ``uv pip compile`` over pyproject.toml, once for each target. torch is the CPU build wherever
there is one: on Linux a "+cpu" wheel, which the default index does not have. Where pip's own
configuration knows such a wheel (find-links), its SHA-256 is pinned; else ``--torch-index`` names
an index that has it (the release workflow does); without either the lock says so, and a build for
that target refuses. Standard library only; uv must be in PATH or be named by UV.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from installers.builder.failure import BuildFailed  # noqa: E402
from installers.builder.target import NAMES, Target  # noqa: E402
from installers.builder.wheels import UNPINNED  # noqa: E402

TORCH = "2.13.0"

_PLATFORMS = {
    "linux-x86_64": "x86_64-manylinux_2_34",
    "linux-aarch64": "aarch64-manylinux_2_39",
    "windows-x86_64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
}

_LEFT_OUT = (
    # torch's default Linux build asks for CUDA; a tree has the CPU build, and packs bring the rest
    r"nvidia-(?!ml-py)|cuda-|triton==|"
    # torch: for its compiler only, which Skein does not use
    r"setuptools==|networkx==|"
    # huggingface-hub: a transfer protocol of its own; Skein downloads by plain HTTP, and resumes
    r"hf-xet==|"
    # gguf: to read models straight from a server, which Skein does not
    r"requests==|urllib3==|charset-normalizer=="
)
"""Packages that others ask for and nothing in a tree imports, 28 MB: the smoke test proves it."""

_HEAD = """\
# Packages of a tree for {target}: written by installers/lock.py, read by installers/build.py.
# pip install --no-deps --require-hashes --only-binary :all: -r {target}.txt
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the locks that are asked for; return an exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--torch-index", default="", help="an index with torch's CPU wheels")
    options = parser.parse_args(arguments)
    try:
        for name in options.targets or NAMES:
            if name not in NAMES:
                raise BuildFailed(f"{name} is no target; known are {', '.join(NAMES)}.")
            write_lock(Target(name), options.torch_index)
    except BuildFailed as error:
        print(f"Not locked. {error}", file=sys.stderr)
        return 2
    return 0


def write_lock(target: Target, torch_index: str) -> None:
    """Resolve one target and write its file."""
    blocks = [b for b in packages(resolve(target, torch_index)) if not re.match(_LEFT_OUT, b)]
    text = _HEAD.format(target=target.name) + "".join(with_cpu_torch(b, target) for b in blocks)
    target.lock.parent.mkdir(exist_ok=True)
    target.lock.write_text(text, "utf-8")
    told = " (torch is not pinned)" if UNPINNED in text else ""
    print(f"{target.lock.name}: {len(blocks)} packages{told}")


def packages(text: str) -> list[str]:
    """Cut what uv wrote into blocks, one package with its hashes each."""
    return re.findall(r"(?m)^[A-Za-z0-9].*\n(?:    .*\n?)*", text)


def with_cpu_torch(block: str, target: Target) -> str:
    """Return a package's block; that of torch only if it is the CPU build."""
    build = "+cpu" if target.system == "linux" else ""
    if not block.startswith("torch=="):
        return block
    if block.split()[0] == f"torch=={TORCH}{build}":
        return block
    return (
        f"{UNPINNED}=={TORCH}{build}: the index that was asked does not have it.\n"
        f"# installers/lock.py {target.name} --torch-index ADDRESS pins it.\n"
    )


def resolve(target: Target, torch_index: str) -> str:
    """Return what uv answers: "name==version \\" and its hashes, line by line."""
    words = [os.environ.get("UV", "uv"), "pip", "compile", str(PROJECT / "pyproject.toml")]
    words += ["--no-header", "--no-annotate", "--generate-hashes", "--quiet", "--no-progress"]
    words += ["--python-version", "3.11", "--python-platform", _PLATFORMS[target.name]]
    for place in os.environ.get("PIP_FIND_LINKS", "").split():
        words += ["--find-links", place]
    if torch_index:
        words += ["--extra-index-url", torch_index, "--index-strategy", "unsafe-best-match"]
    environ = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    try:
        answer = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    except FileNotFoundError as error:
        raise BuildFailed("uv is missing: pip install uv, or name it by UV.") from error
    if answer.returncode != 0:
        raise BuildFailed(f"uv found no packages for {target.name}: {answer.stderr.strip()}")
    return answer.stdout


if __name__ == "__main__":
    sys.exit(main())
