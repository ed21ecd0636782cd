"""Files of any web server, by the same client, proxy and certificates as those of the hub.

Knows addresses and answers. Sends no token and nothing about the user. A name and a password in
an address go to that very server alone, and into no log.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from engine.errors import DownloadFailed, EngineError
from engine.hub.connection import Opened, hub_library, stream
from engine.hub.failures import no_connection, refusal, translate

_HEADERS = {"User-Agent": "skein"}
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Page:
    """A short answer: its bytes, its media type, and the address that it came from at last."""

    data: bytes
    media_type: str
    address: str


class Web:
    """Web servers; every method may block for up to ``timeout_s`` without an answer.

    https_only: refuse addresses without encryption, also when sent on to one; those of this very
    machine (127.0.0.1, localhost) are allowed to who begins there.
    """

    def __init__(self, timeout_s: float = 15.0, *, https_only: bool = False) -> None:
        self._timeout_s = timeout_s
        self._https_only = https_only
        self._logins: dict[tuple[str, str], str] = {}

    def page(self, address: str, accept: str, most_bytes: int) -> Page:
        """Return what lies at an address. Raises DownloadFailed, also when it is larger.

        The login of an address counts for all that is asked of its server later.
        """
        headers, seen = {**_HEADERS, "Accept": accept}, _Seen()
        data = bytearray()
        for piece in self._read(address, 0, headers, seen):
            if isinstance(piece, bytes):
                data += piece
                if len(data) > most_bytes:
                    raise DownloadFailed(
                        f"{_host(address)} sent more than {most_bytes} bytes for {_name(address)}.",
                        "Choose another address in Settings.",
                        kind="server",
                    )
        return Page(bytes(data), seen.media_type, seen.address)

    def read(self, address: str, start: int) -> Iterator[Opened | bytes]:
        """Yield Opened, then the bytes from ``start`` on. Raises DownloadFailed."""
        return self._read(address, start, _HEADERS, _Seen())

    def _read(
        self, address: str, start: int, headers: Mapping[str, str], seen: "_Seen"
    ) -> Iterator[Opened | bytes]:
        def check(answer: Any) -> None:  # noqa: ANN401
            seen.note(answer)
            if self._https_only:
                _require_encrypted(address, [str(hop.url) for hop in (*answer.history, answer)])
            if not answer.is_success:
                raise refusal(
                    answer.status_code, answer.headers, _name(address), _host(seen.address)
                )

        address, headers = self._with_login(address, headers)
        if self._https_only:
            _require_encrypted(address, [])
        _forget_cookies()
        try:
            yield from stream(address, headers, start, self._timeout_s, check)
        except EngineError:
            raise
        except Exception as error:
            raise _translated(error, address) from error

    def _with_login(
        self, address: str, headers: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        """Return the address without a login, and the headers with the one for its server.

        The HTTP library logs addresses as they are; it sends this header on to no other server.
        """
        plain, login = without_login(address)
        parts = urlsplit(plain)
        server = parts.scheme, parts.netloc
        if login:
            self._logins[server] = "Basic " + base64.b64encode(login.encode()).decode()
        if server not in self._logins:
            return plain, headers
        return plain, {**headers, "Authorization": self._logins[server]}


def without_login(address: str) -> tuple[str, str]:
    """Return an address without name and password, and these ("name:password") or "".

    Raises ValueError when it is no address.
    """
    parts = urlsplit(address)
    login, found, server = parts.netloc.rpartition("@")
    if not found:
        return address, ""
    name, _, password = login.partition(":")
    plain = urlunsplit(parts._replace(netloc=server))
    return plain, f"{unquote(name)}:{unquote(password)}"


def _forget_cookies() -> None:
    """Keep no cookie from one question to the next: nobody shall know us again."""
    hub_library()
    from huggingface_hub.utils import get_session

    get_session().cookies.clear()


def _require_encrypted(address: str, hops: Sequence[str]) -> None:
    """Raise DownloadFailed (kind "insecure") unless all addresses are https, or of this machine."""
    allowed = ("https",) if urlsplit(address).scheme == "https" else ("https", "http")
    for hop in (address, *hops):
        parts = urlsplit(hop)
        if parts.scheme == "https" and parts.hostname:
            continue
        if parts.scheme not in allowed or parts.hostname not in _THIS_MACHINE:
            raise DownloadFailed(
                f"{_host(hop)[:200]} is asked without encryption, so nothing was taken from there.",
                "Only addresses that begin with https:// are used for updates.",
                kind="insecure",
            )


class _Seen:
    """What the answer's head said."""

    def __init__(self) -> None:
        self.media_type = ""
        self.address = ""

    def note(self, answer: Any) -> None:  # noqa: ANN401
        self.media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.address = str(answer.url)


def _translated(error: Exception, address: str) -> EngineError:
    """Return the failure to raise; an environment that forbids the network says so."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return translate(error, _name(address), address)
    return no_connection(error, _host(address))


def _host(address: str) -> str:
    return urlsplit(address).netloc.rpartition("@")[2] or address


def _name(address: str) -> str:
    return urlsplit(address).path.rstrip("/").rpartition("/")[2] or _host(address)
