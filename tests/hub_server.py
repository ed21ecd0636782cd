"""A real hub on 127.0.0.1 for tests: real HTTP, what huggingface-hub asks for, and faults on order.

Speaks the model and search API, HEAD/GET resolve with the hub's headers, and redirects large files
to a storage address of another origin ("localhost"), as the hub does, with ranges there.
"""

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

_PIECE = 64 * 1024


@dataclass
class Faults:
    """What goes wrong. ``where`` is "api", "resolve" or "storage"; counts of -1 mean always."""

    status: int = 0  # answer with this status ...
    where: str = "resolve"  # ... there ...
    times: int = -1  # ... so often
    headers: dict[str, str] = field(default_factory=dict)  # with these headers
    broken_repos: Mapping[str, int] = field(default_factory=dict)  # repository: status of its API
    cut_after: int = 0  # break the connection after so many bytes of a file ...
    cuts: int = -1  # ... so often
    corrupt: bool = False  # send other bytes of the same length
    ignore_range: bool = False
    piece_delay_s: float = 0.0  # slow: wait after every 64 kB
    stall_after: int = 0  # send so many bytes, then nothing until ``release`` is set
    release: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    host: str
    headers: dict[str, str]


class HubServer:
    """``with HubServer() as hub: hub.add("owner/name", "file.pth", data)``; ``hub.endpoint``."""

    handler: type[BaseHTTPRequestHandler]

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.faults = Faults()
        self.requests: list[Request] = []
        self.gated: set[str] = set()
        self._server = _Server(("127.0.0.1", 0), self.handler)
        self._server.hub = self
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        """Stop answering; connections are refused from now on."""
        self.faults.release.set()
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, repo: str, path: str, data: bytes) -> str:
        """Offer a file; return its SHA-256."""
        self.repos.setdefault(repo, {})[path] = data
        return hashlib.sha256(data).hexdigest()

    def commit(self, repo: str) -> str:
        """The commit of a repository: changes with its files."""
        files = self.repos[repo]
        state = "".join(f"{path}{_sha256(data)}" for path, data in sorted(files.items()))
        return hashlib.sha1(f"{repo}{state}".encode()).hexdigest()

    def asked(self, method: str, part: str) -> list[Request]:
        """The requests so far whose path holds ``part``."""
        return [r for r in self.requests if r.method == method and part in r.path]

    def reset(self) -> None:
        """Forget faults and requests."""
        self.faults.release.set()
        self.faults = Faults()
        self.requests.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: HubServer

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lines: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._lines.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._lines.discard(request)
        super().close_request(request)

    def hang_up(self) -> None:
        """Break the connections that clients keep for their next request."""
        for line in list(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave in the middle are what many tests are about."""


class HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # type: ignore[assignment]

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def hub(self) -> HubServer:
        return self.server.hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(Request(self.command, path, headers.get("host", ""), headers))
        where = _where(path)
        if self._fail(where, path):
            return
        if where == "api":
            self._api(path)
        elif where == "storage":
            self._storage(path.removeprefix("/storage/"))
        else:
            self.resolve(path)

    def _fail(self, where: str, path: str) -> bool:
        faults = self.hub.faults
        broken = next((s for repo, s in faults.broken_repos.items() if repo in path), 0)
        if where == "api" and broken:
            self.send(broken, b"{}")
            return True
        if not faults.status or faults.where != where or faults.times == 0:
            return False
        faults.times -= 1
        self.send(faults.status, b'{"error": "as ordered"}', faults.headers)
        return True

    def _api(self, path: str) -> None:
        if path == "/api/models":
            self._json(self._search(parse_qs(urlsplit(self.path).query)))
            return
        repo = "/".join(path.removeprefix("/api/models/").split("/")[:2])
        files = self.hub.repos.get(repo)
        if files is None:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        self._json(
            {
                "id": repo,
                "sha": self.hub.commit(repo),
                "gated": repo in self.hub.gated,
                "siblings": [_sibling(name, data) for name, data in files.items()],
            }
        )

    def _search(self, query: dict[str, list[str]]) -> list[dict[str, str]]:
        author = query.get("author", [""])[0]
        text = query.get("search", [""])[0].lower()
        found = [r for r in self.hub.repos if r.startswith(f"{author}/") and text in r.lower()]
        return [{"id": repo} for repo in found[: int(query.get("limit", ["100"])[0])]]

    def resolve(self, path: str) -> None:
        repo, _, rest = path.strip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        data = self.hub.repos.get(repo, {}).get(name)
        if repo in self.hub.gated and not self.headers.get("authorization"):
            self.send(401, b"{}", {"X-Error-Code": "GatedRepo"})
        elif repo not in self.hub.repos:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", self.hub.commit(repo)):
            self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif data is None:
            self.send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        else:
            self._redirect(repo, name, data)

    def _redirect(self, repo: str, name: str, data: bytes) -> None:
        address = f"http://localhost:{self.hub.port}/storage/{quote(repo)}/{quote(name)}"
        headers = {
            "Location": address,
            "X-Repo-Commit": self.hub.commit(repo),
            "X-Linked-Size": str(len(data)),
            "X-Linked-ETag": f'"{_sha256(data)}"',
        }
        self.send(302, b"", headers)

    def _storage(self, path: str) -> None:
        owner, name, file = path.split("/", 2)
        data = self.hub.repos[f"{owner}/{name}"][file]
        if self.hub.faults.corrupt:
            data = bytes(byte ^ 1 for byte in data[:1000]) + data[1000:]
        start = self._range_start()
        if start >= len(data):
            self.send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "GET":
            self._body(memoryview(data)[start:])

    def _range_start(self) -> int:
        wanted = self.headers.get("range", "")
        if not wanted or self.hub.faults.ignore_range:
            return 0
        return int(wanted.removeprefix("bytes=").split("-")[0])

    def _body(self, data: memoryview) -> None:
        faults = self.hub.faults
        limit = self._limit()
        for begin in range(0, min(limit, len(data)), _PIECE):
            self.wfile.write(data[begin : min(begin + _PIECE, limit)])
            time.sleep(faults.piece_delay_s)
        if limit < len(data):
            self.wfile.flush()
            if faults.stall_after:
                faults.release.wait(20)
            self.close_connection = True

    def _limit(self) -> int:
        """How many bytes this connection may carry."""
        faults = self.hub.faults
        if faults.stall_after:
            return faults.stall_after
        if faults.cut_after and faults.cuts != 0:
            faults.cuts -= 1
            return faults.cut_after
        return 2**62

    def _json(self, value: Any) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


HubServer.handler = HubHandler


def _where(path: str) -> str:
    if path.startswith("/api/"):
        return "api"
    return "storage" if path.startswith("/storage/") else "resolve"


def _sibling(name: str, data: bytes) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": "0" * 40}
    if not name.endswith((".md", ".json")):
        sibling["lfs"] = {"size": len(data), "sha256": _sha256(data), "pointerSize": 134}
    return sibling


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
