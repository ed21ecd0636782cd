"""The text of a package's licence where its wheel carries none: which standard text it is.

Knows what packages call their licences; nothing of what their wheels hold.
"""

import shutil
from pathlib import Path

_TEXTS = Path(__file__).parents[1] / "licences"
_PROJECT = Path(__file__).parents[2]

_WITH_OWNER = {
    "mit": "MIT.txt",
    "mit license": "MIT.txt",
    "bsd-3-clause": "BSD-3-Clause.txt",
}
"""Texts that begin with whose copyright it is: a file for each package."""

_FOR_ALL = {
    "apache-2.0": ("Apache-2.0.txt",),
    "apache license 2.0": ("Apache-2.0.txt",),
    "apache software license": ("Apache-2.0.txt",),
    "lgpl-3.0-only or gpl-2.0-only or gpl-3.0-only": ("LGPL-3.0.txt", "GPL-3.0.txt"),
}
"""Texts that are the same for all; the LGPL is what Skein takes where there is a choice."""

_SAYS_ELSEWHERE = {"nvidia-ml-py": "bsd-3-clause"}  # "BSD License", and in pynvml.py which one


def copy_shared(folder: Path) -> None:
    """Lay the texts that are the same for all into ``folder``."""
    for name in ("LGPL-3.0.txt", "GPL-3.0.txt"):
        shutil.copyfile(_TEXTS / name, folder / name)
    shutil.copyfile(_PROJECT / "LICENSE", folder / "Apache-2.0.txt")  # Skein's own is that text


def texts_for(name: str, licence: str, owner: str, folder: Path) -> tuple[str, ...]:
    """Return where in ``folder`` a package's licence can be read; nothing if it is not known.

    owner: who wrote the package, as it says itself.
    """
    called = _SAYS_ELSEWHERE.get(name.lower(), licence.lower())
    standard = _WITH_OWNER.get(called)
    if standard is None:
        return _FOR_ALL.get(called, ())
    if not owner:
        return ()
    to = folder / name / standard
    to.parent.mkdir(exist_ok=True)
    text = (_TEXTS / standard).read_text("utf-8")
    to.write_text(f"Copyright (c) {owner}\n\n{text}", "utf-8")
    return (to.relative_to(folder).as_posix(),)
