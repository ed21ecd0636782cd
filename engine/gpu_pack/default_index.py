"""The index that is asked when nobody named one: what this Python's pip would use.

Its address is in no file of the repository: it is read from pip's configuration, or from pip
itself, or, in a built copy that carries no pip, from what the build's pip said.
"""

import configparser
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from engine.errors import PackFailed
from engine.gpu_pack.index import INDEX_HINT

_PIP_S = 30
_log = logging.getLogger(__name__)


def default_address() -> str:
    """Return the address of the index. May take a second: pip is asked as a child process.

    Raises PackFailed (kind "address") when nobody knows one.
    """
    for ask in (configured_address, pip_address, built_in_address):
        if address := ask():
            return address
    raise PackFailed("Skein does not know where to fetch PyTorch from.", INDEX_HINT, "address")


def configured_address(environ: Mapping[str, str] | None = None) -> str:
    """Return the index that the user's configuration of pip names, or ""."""
    environ = os.environ if environ is None else environ
    found = environ.get("PIP_INDEX_URL", "")
    for path in () if found else _configurations(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text("utf-8-sig"))
            found = parser.get("global", "index-url", fallback="") or found
        except (OSError, ValueError, configparser.Error):
            continue
    return _web_address(found)


def pip_address() -> str:
    """Return the index that this Python's pip has built in, "" without a pip.

    Its configuration is left out: that of the machine that builds Skein is nobody else's.
    """
    for command in _pip_commands():
        text = _help_of(command)
        if found := re.search(r"--index-url\b.*?\(default\s+(https?://[^\s)]+)\)", text, re.S):
            return _web_address(found[1])
    return ""


def built_in_address() -> str:
    """Return what the build wrote into resources/release.json, or ""."""
    try:
        raw = json.loads(files("resources").joinpath("release.json").read_bytes())
        return _web_address(str(raw.get("pack_index", "")))
    except (OSError, ValueError, AttributeError):
        return ""


def _configurations(environ: Mapping[str, str]) -> list[Path]:
    """Return pip's files of settings, the one that counts most last."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    folders = [Path("/etc"), Path("/etc/xdg/pip"), home / ".pip", home / "pip"]
    folders.append(Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip")
    if sys.platform == "darwin":
        folders.append(home / "Library" / "Application Support" / "pip")
    if "APPDATA" in environ:
        folders.append(Path(environ["APPDATA"]) / "pip")
    named = [Path(environ["PIP_CONFIG_FILE"])] if environ.get("PIP_CONFIG_FILE") else []
    return [*(folder / name for folder in folders), *named]


def _web_address(text: str) -> str:
    """Return an address that can be asked; of several, or of a folder, none."""
    text = text.strip().rstrip("/")
    return text if re.fullmatch(r"https?://\S+", text) else ""


def _pip_commands() -> list[list[str]]:
    """Return how pip can be called: as a module, or out of the wheel that Python carries."""
    python = [sys.executable, "-X", "utf8"]
    commands = [[*python, "-m", "pip"]] if find_spec("pip") else []
    bundled = find_spec("ensurepip")
    if bundled and bundled.origin:
        wheels = sorted(Path(bundled.origin).parent.glob("_bundled/pip-*.whl"))
        commands += [[*python, str(wheel / "pip")] for wheel in wheels[-1:]]
    return commands


def _help_of(command: Sequence[str]) -> str:
    """Return what ``pip install --help`` says, its lines unbroken; "" when it fails."""
    try:
        answer = subprocess.run(
            [*command, "install", "--help"],
            env={name: text for name, text in os.environ.items() if name[:4].upper() != "PIP_"}
            | {"COLUMNS": "1000", "PIP_CONFIG_FILE": os.devnull},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PIP_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("pip could not be asked for its index: %s", error)
        return ""
    return answer.stdout
