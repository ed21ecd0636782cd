"""The environment of a tree's programs during a build: a home of their own, nothing of this one.

Knows what each system must tell a program so that it works at all; starts nothing.
"""

import os
from collections.abc import Mapping
from pathlib import Path

_KEPT = ("TMPDIR",)
_KEPT_ON_WINDOWS = (
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "PROGRAMFILES"),
    *("PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS"),
)


def clean_environment(
    home: Path, given: Mapping[str, str], *, is_windows: bool = os.name == "nt"
) -> dict[str, str]:
    """Return variables for a program whose user has ``home``, and that reaches no hub."""
    kept = _KEPT_ON_WINDOWS if is_windows else _KEPT
    environ = {name: given[name] for name in kept if name in given}
    if is_windows:  # there a home folder is asked for by this name, and "~" without it is an error
        environ |= {name: str(home) for name in ("USERPROFILE", "APPDATA", "LOCALAPPDATA")}
        environ["PATH"] = "{0}\\System32;{0}".format(given.get("SYSTEMROOT", "C:\\Windows"))
    else:
        environ |= {"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    environ |= {"SKEIN_HOME": str(home / "skein"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    return environ | {"QT_QPA_PLATFORM": "offscreen"}
