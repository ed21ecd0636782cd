"""The one door to a hub: every request goes through here, with huggingface-hub's public parts.

Knows addresses, tokens and answers; not what a model is. Sends no telemetry. Every method may
block for up to ``timeout_s`` without an answer, raises only engine errors, and never logs the
token.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError
from engine.hub.failures import translate

DEFAULT_ENDPOINT = "https://huggingface.co"
_APP = "skein"


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository: path inside it, bytes, and its SHA-256 ("" when not promised)."""

    path: str
    size_bytes: int
    sha256: str
    revision: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The first item of a stream: the byte that it starts at, and the length of the whole file."""

    start: int
    total: int | None


def endpoint_or_default(endpoint: str = "", environ: Mapping[str, str] | None = None) -> str:
    """Return the hub's address: the one given, else ``HF_ENDPOINT``, else the hub itself.

    Raises EngineError when that is no http address.
    """
    chosen = endpoint or (os.environ if environ is None else environ).get("HF_ENDPOINT", "")
    address = (chosen or DEFAULT_ENDPOINT).strip().rstrip("/")
    if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", address, re.I):
        raise EngineError(
            f"“{address}” is not the address of a hub.", "Write it as https://mirror.example."
        )
    return address


def use_proxy(address: str) -> None:
    """Send all requests of this process through a proxy; "" returns to the system's setting.

    huggingface-hub keeps one HTTP client per process, so this holds for all hubs at once.
    Raises EngineError when the address is none.
    """
    hub = hub_library()
    from huggingface_hub.utils import get_session

    standard = get_session()
    client, hooks = type(standard), dict(standard.event_hooks)  # the hooks know HF_HUB_OFFLINE

    def make() -> Any:  # noqa: ANN401
        return client(proxy=address or None, follow_redirects=True, timeout=None, event_hooks=hooks)

    try:
        make().close()
    except (ValueError, ImportError, RuntimeError) as error:
        raise EngineError(
            f"“{address}” is not a proxy that can be used.", "Write it as http://host:port."
        ) from error
    hub.set_client_factory(make)


class Hub:
    """A Hugging Face hub or a mirror of it.

    ``token`` is sent to the hub alone, never to the storage that it sends us on to.
    """

    def __init__(self, endpoint: str = "", token: str = "", timeout_s: float = 15.0) -> None:
        self.endpoint = endpoint_or_default(endpoint)
        self._token = token
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        return f"Hub({self.endpoint!r})"

    def files(self, repo: str, revision: str = "") -> list[HubFile]:
        """Return every file of a repository at one commit. Raises DownloadFailed, EngineError."""
        hub = hub_library()
        try:
            api = hub.HfApi(endpoint=self.endpoint, token=self._token or False, library_name=_APP)
            info = api.model_info(
                repo, revision=revision or None, files_metadata=True, timeout=self._timeout_s
            )
            return [_listed(sibling, info.sha or "main") for sibling in info.siblings or []]
        except Exception as error:
            raise translate(error, repo, self.endpoint) from error

    def search(self, author: str, text: str, limit: int = 100) -> list[str]:
        """Return an author's repositories whose name holds ``text``, last changed first.

        Asks the API directly: ``HfApi.list_models`` has no timeout and sleeps between retries.
        """
        from huggingface_hub.utils import get_session, hf_raise_for_status

        query = {"author": author, "search": text, "limit": str(limit), "sort": "lastModified"}
        try:
            answer = get_session().get(
                f"{self.endpoint}/api/models",
                params=query,
                headers=self._headers(),
                timeout=self._timeout_s,
            )
            hf_raise_for_status(answer)
            return [str(found["id"]) for found in answer.json()]
        except Exception as error:
            raise translate(error, author, self.endpoint) from error

    def file(self, repo: str, path: str, revision: str = "main") -> HubFile:
        """Return what the hub says about one file now, with the commit that it belongs to."""
        hub = hub_library()
        try:
            facts = hub.get_hf_file_metadata(
                self._address(repo, path, revision),
                token=self._token or False,
                timeout=self._timeout_s,
                library_name=_APP,
                endpoint=self.endpoint,
            )
        except Exception as error:
            raise translate(error, f"{repo}/{path}", self.endpoint) from error
        sha256 = facts.etag if facts.etag and _is_sha256(facts.etag) else ""
        return HubFile(path, facts.size or 0, sha256, facts.commit_hash or revision)

    def read(self, repo: str, path: str, revision: str, start: int) -> Iterator[Opened | bytes]:
        """Yield Opened, then the file's bytes from ``start`` on, in pieces as they arrive.

        A server that does not know ranges starts at 0 and says so in Opened. Raises
        DownloadFailed when the hub refuses or the connection breaks.
        """
        from huggingface_hub.utils import hf_raise_for_status

        url = self._address(repo, path, revision)
        try:
            yield from stream(url, self._headers(), start, self._timeout_s, hf_raise_for_status)
        except Exception as error:
            raise translate(error, f"{repo}/{path}", self.endpoint) from error

    def _address(self, repo: str, path: str, revision: str) -> str:
        return hub_library().hf_hub_url(repo, path, revision=revision, endpoint=self.endpoint)

    def _headers(self) -> dict[str, str]:
        hub_library()
        from huggingface_hub.utils import build_hf_headers

        return build_hf_headers(token=self._token or False, library_name=_APP)


def stream(
    url: str,
    headers: Mapping[str, str],
    start: int,
    timeout_s: float,
    check: Callable[[Any], object],
) -> Iterator[Opened | bytes]:
    """Yield Opened, then what lies at ``url`` from byte ``start`` on, in pieces as they arrive.

    ``check`` looks at the answer before and raises when it is a refusal; what the HTTP library
    raises comes through as it is.
    """
    hub_library()
    from huggingface_hub.utils import get_session

    asked = {**headers, "Accept-Encoding": "identity"}
    if start:
        asked["Range"] = f"bytes={start}-"
    with get_session().stream(
        "GET", url, headers=asked, timeout=timeout_s, follow_redirects=True
    ) as answer:
        check(answer)
        yield _opened(answer.status_code, answer.headers)
        yield from answer.iter_bytes()


def hub_library() -> Any:  # noqa: ANN401
    """Import huggingface-hub with telemetry off and without its progress bars."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import huggingface_hub

    return huggingface_hub


def _listed(sibling: Any, revision: str) -> HubFile:  # noqa: ANN401
    lfs = sibling.lfs
    sha256 = lfs.sha256 if lfs is not None and _is_sha256(lfs.sha256) else ""
    size = lfs.size if lfs is not None else sibling.size
    return HubFile(sibling.rfilename, size or 0, sha256, revision)


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)


def _opened(status: int, headers: Mapping[str, str]) -> Opened:
    length = headers.get("content-length", "")
    received = int(length) if length.isdigit() else None
    if status != 206:
        return Opened(0, received)
    span, _, total = headers.get("content-range", "").removeprefix("bytes ").partition("/")
    first = span.split("-")[0]
    start = int(first) if first.isdigit() else -1
    return Opened(start, int(total) if total.isdigit() else None)
