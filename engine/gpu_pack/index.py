"""Where a wheel lies: an index of packages, asked by its simple API, as JSON or else as HTML.

Knows pages of an index; neither packs nor downloads. The default address is in no file of ours:
it is what the pip of this Python would use.
"""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from engine.errors import PackFailed
from engine.hub.web import Page, Web

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)
_MOST_BYTES = 32 * 2**20
_PIP_S = 30
_INDEX_HINT = "Write the address of an index of Python packages in Settings."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file of a project: name, address, SHA-256 ("" unknown) and bytes (0 unknown)."""

    file: str
    address: str
    sha256: str = ""
    size_bytes: int = 0


class PackageIndex:
    """One index by its address. Every question may block for seconds and raises engine errors."""

    def __init__(self, address: str, web: Web | None = None) -> None:
        self.address = address.strip().rstrip("/")
        if urlsplit(self.address).scheme not in ("http", "https"):
            raise PackFailed(f"“{address}” is not a web address.", _INDEX_HINT, "address")
        self.web = web or Web()

    def files(self, project: str) -> list[IndexFile]:
        """Return every file of a project, in the index' order.

        Raises DownloadFailed when the index cannot be asked or does not know the project,
        PackFailed when its answer is no page of an index.
        """
        page = self.web.page(f"{self.address}/{normalised(project)}/", _ACCEPT, _MOST_BYTES)
        try:
            return _of_json(page) if page.media_type.endswith("json") else _of_html(page)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PackFailed(
                f"{urlsplit(self.address).hostname} does not answer like an index of packages.",
                _INDEX_HINT,
                "address",
            ) from error


def normalised(project: str) -> str:
    """Return a project's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", project).lower()


def pip_address() -> str:
    """Return the index that this Python's pip would use, by its configuration or built in.

    Takes half a second: pip is asked as a child process. Raises PackFailed (kind "address") when
    this Python has no pip.
    """
    for command in _pip_commands():
        text = _help_of(command)
        if found := re.search(r"--index-url\b.*?\(default\s+(https?://[^\s)]+)\)", text, re.S):
            return found[1].rstrip("/")
    raise PackFailed("Skein does not know where to fetch PyTorch from.", _INDEX_HINT, "address")


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
            env={**os.environ, "COLUMNS": "1000", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
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


def _of_json(page: Page) -> list[IndexFile]:
    """Return the files of a PEP 691 answer."""
    found: list[IndexFile] = []
    for entry in json.loads(page.data)["files"]:
        sha256 = str(entry.get("hashes", {}).get("sha256", ""))
        size = entry.get("size")
        address = urljoin(page.address, entry["url"])
        found.append(
            IndexFile(str(entry["filename"]), address, sha256, size if type(size) is int else 0)
        )
    return found


def _of_html(page: Page) -> list[IndexFile]:
    """Return the files of a PEP 503 answer: links, the hash in the fragment."""
    links = _Links()
    links.feed(page.data.decode("utf-8", "replace"))
    base = urljoin(page.address, links.base)
    found: list[IndexFile] = []
    for link in links.found:
        address, fragment = urldefrag(urljoin(base, link))
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        if name.endswith((".whl", ".tar.gz", ".zip")):
            sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
            found.append(IndexFile(name, address, sha256))
    if not found and b"<" not in page.data:
        raise ValueError("neither JSON nor HTML")
    return found


class _Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one link."""
        address = dict(attrs).get("href") or ""
        if tag == "a" and address:
            self.found.append(address)
        elif tag == "base":
            self.base = address
