"""What the installer says: each sentence in three languages, and how sizes are written."""

import os


class Refused(Exception):
    """Why it is not done: one sentence or two, for the user; what to do is in them."""


def tell(english: str, chinese: str, japanese: str) -> str:
    """Return the one of three sentences that the user's locale asks for."""
    locale = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    if locale.startswith("zh"):
        return chinese
    return japanese if locale.startswith("ja") else english


def size_words(size_bytes: int) -> str:
    """Return a size as people read it: 12 kB, 3.4 MB, 1.2 GB."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if unit == "MB" and size < 10 else f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
