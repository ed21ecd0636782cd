"""Which Skein this is, and which libraries. Knows no window."""

import tomllib
from importlib.metadata import PackageNotFoundError, version

from app.theme import RESOURCES


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution, "–" of one that is not there."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return _source_version() if distribution == "skein" else "–"


def _source_version() -> str:
    """Return the version of a source tree that was never installed."""
    try:
        text = (RESOURCES.parent / "pyproject.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["project"]["version"]
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "–"
