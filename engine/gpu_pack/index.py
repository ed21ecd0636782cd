"""Where a wheel lies: an index of packages, asked by its simple API, as JSON or else as HTML.

Knows pages of an index; neither packs nor downloads.
"""

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from engine.errors import PackFailed
from engine.hub.web import Page, Web

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)
_MOST_BYTES = 32 * 2**20
INDEX_HINT = "Write the address of an index of Python packages in Settings."


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file of a project: name, address, SHA-256 ("" unknown) and bytes (0 unknown).

    yanked: whether its makers took it back.
    """

    file: str
    address: str
    sha256: str = ""
    size_bytes: int = 0
    yanked: bool = False


class PackageIndex:
    """One index by its address. Every question may block for seconds and raises engine errors."""

    def __init__(self, address: str, web: Web | None = None) -> None:
        self.address = address.strip().rstrip("/")
        if not _is_web(self.address):
            told = re.sub(r"//[^/]*@", "//", address)
            raise PackFailed(f"“{told}” is not a web address.", INDEX_HINT, "address")
        self.web = web or Web()

    def files(self, project: str) -> list[IndexFile]:
        """Return every file of a project, in the index' order.

        Raises DownloadFailed when the index cannot be asked or does not know the project,
        PackFailed when its answer is no page of an index.
        """
        page = self.web.page(f"{self.address}/{normalised(project)}/", _ACCEPT, _MOST_BYTES)
        try:
            return _of_json(page) if page.media_type.endswith("json") else _of_html(page)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise PackFailed(
                f"{urlsplit(self.address).hostname} does not answer like an index of packages.",
                INDEX_HINT,
                "address",
            ) from error


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def normalised(project: str) -> str:
    """Return a project's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", project).lower()


def _of_json(page: Page) -> list[IndexFile]:
    """Return the files of a PEP 691 answer."""
    found: list[IndexFile] = []
    for entry in json.loads(page.data)["files"]:
        sha256 = str(entry.get("hashes", {}).get("sha256", ""))
        size = entry.get("size")
        address = urljoin(page.address, entry["url"])
        found.append(
            IndexFile(
                str(entry["filename"]),
                address,
                sha256,
                size if type(size) is int else 0,
                entry.get("yanked", False) is not False,
            )
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
