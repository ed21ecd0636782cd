"""A real index of packages on 127.0.0.1 and tiny real wheels, for tests of GPU packs."""

import base64
import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from engine.gpu_pack.table import PackRow, Wheel
from engine.hub.meter import DownloadProgress
from tests.hub_server import HubHandler, HubServer

SELF_TEST = (
    sys.executable,
    "-I",
    "-c",
    "import json, sys; sys.path.insert(0, sys.argv[1]); import torch; "
    "print(json.dumps({'problem': '', 'torch': torch.__version__, 'place': torch.__file__}))",
)
"""The command that tries a tiny pack out: its torch is imported, by a real child."""
_SHELF = "index/wheels"


class IndexServer(HubServer):
    """An index with the hub's faults: "resolve" is its pages, "storage" its files.

    json: answer as PEP 691, else as PEP 503. hashes: tell the SHA-256 of files.
    """

    def __init__(self) -> None:
        self.json = True
        self.hashes = True
        self.handler = _IndexHandler
        super().__init__()

    @property
    def address(self) -> str:
        """What the setting of the index would be."""
        return f"{self.endpoint}/simple"

    def add_wheel(self, wheel: Wheel, data: bytes) -> None:
        """Offer a wheel."""
        self.add(_SHELF, wheel.file, data)

    def files(self, project: str) -> dict[str, bytes]:
        """The wheels of a project."""
        shelf = self.repos.get(_SHELF, {})
        return {f: d for f, d in shelf.items() if _normal(f.split("-")[0]) == project}


class _IndexHandler(HubHandler):
    @property
    def index(self) -> IndexServer:
        hub = self.hub
        assert isinstance(hub, IndexServer)
        return hub

    def resolve(self, path: str) -> None:
        """Answer with a project's page."""
        project = path.removeprefix("/simple/").strip("/")
        files = self.index.files(project)
        if not path.startswith("/simple/") or not files:
            self.send(404, b"not here")
        elif self.index.json:
            kind = "application/vnd.pypi.simple.v1+json"
            body = json.dumps({"meta": {"api-version": "1.0"}, "files": self._listed(files)})
            self.send(200, body.encode(), {"Content-Type": kind})
        else:
            links = "".join(self._link(name, data) for name, data in files.items())
            self.send(200, f"<html>{links}</html>".encode(), {"Content-Type": "text/html"})

    def _listed(self, files: Mapping[str, bytes]) -> list[dict[str, object]]:
        return [
            {
                "filename": name,
                "url": f"../../storage/{_SHELF}/{name}",
                "hashes": {"sha256": _sha256(data)} if self.index.hashes else {},
                "size": len(data),
            }
            for name, data in files.items()
        ]

    def _link(self, name: str, data: bytes) -> str:
        fragment = f"#sha256={_sha256(data)}" if self.index.hashes else ""
        address = f"/storage/{_SHELF}/{name.replace('+', '%2B')}{fragment}"
        return f'<a href="{address}">{name}</a>'


def make_wheel(
    name: str,
    version: str,
    files: Mapping[str, bytes],
    tag: str = "cp311-cp311-linux_x86_64",
    requires: Sequence[str] = (),
) -> tuple[Wheel, bytes]:
    """Return a real wheel with its RECORD: what a table pins, and its bytes."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    every = {**files, f"{info}/METADATA": meta.encode(), f"{info}/WHEEL": b"Wheel-Version: 1.0\n"}
    record = "".join(f"{path},sha256={_record_hash(d)},{len(d)}\n" for path, d in every.items())
    every[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return packed_wheel(name, version, every, tag)


def packed_wheel(
    name: str, version: str, files: Mapping[str, bytes], tag: str = "cp311-cp311-linux_x86_64"
) -> tuple[Wheel, bytes]:
    """Return these very files as a wheel, whatever they are called."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, (2026, 1, 2, 3, 4, 6))
            entry.external_attr = (0o100755 if "/bin/" in path else 0o100644) << 16
            archive.writestr(entry, data)
    data = buffer.getvalue()
    return Wheel(name, version, f"{name}-{version}-{tag}.whl", len(data), _sha256(data)), data


def tiny_torch(
    version: str = "2.13.0", build: str = "cu130", ballast: int = 300_000
) -> tuple[Wheel, bytes]:
    """Return a wheel of a small package named torch, with bytes that do not compress."""
    code = f"from torch.version import __version__\nmade_for = {build!r}\n"
    numbers = f"__version__ = '{version}+{build}'\ncuda = '13.0'\n"
    return make_wheel(
        "torch",
        version,
        {
            "torch/__init__.py": code.encode(),
            "torch/version.py": numbers.encode(),
            "torch/lib/libtorch.so": noise(ballast),
            "torch/bin/torch_shm_manager": b"#!/bin/sh\n",
            "torch/include/ATen/ATen.h": b"not needed",
            f"torch-{version}.data/purelib/functorch/__init__.py": b"",
        },
    )


def tiny_library(ballast: int = 200_000) -> tuple[Wheel, bytes]:
    """Return a wheel of a small package with one library in it."""
    files = {"nvidia/__init__.py": b"", "nvidia/cublas/lib/libcublas.so.13": noise(ballast)}
    return make_wheel("nvidia_cublas", "13.1.0", files, "py3-none-manylinux_2_27_x86_64")


def tiny_row(*wheels: Wheel, name: str = "cu130", torch: str = "2.13.0", **more: object) -> PackRow:
    """Return a row for the Python and system that run, whatever they are."""
    from engine.gpu_pack.choice import this_python, this_system

    values: dict[str, object] = {
        "name": name,
        "torch": torch,
        "python": this_python(),
        "system": this_system(),
        "capability_from": (7, 5),
        "capability_to": (12, 0),
        "driver_from": 580,
        "wheels": wheels,
        "installed_bytes": 2_000_000,
    }
    return PackRow(**(values | more))  # type: ignore[arg-type]


@contextmanager
def tiny_index() -> Iterator[tuple[IndexServer, PackRow]]:
    """Yield an index that has a tiny pack, and the pack's row."""
    made = [tiny_torch(), tiny_library()]
    with IndexServer() as server:
        for wheel, data in made:
            server.add_wheel(wheel, data)
        yield server, tiny_row(*(wheel for wheel, _data in made))


def noise(size: int) -> bytes:
    """Return bytes that do not compress, the same at every call."""
    blocks = (hashlib.sha256(str(i).encode()).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def phases(seen: list[DownloadProgress]) -> list[str]:
    """Return the phases that were reported, each once in a row."""
    return [p.phase for i, p in enumerate(seen) if i == 0 or seen[i - 1].phase != p.phase]


def ignore(_progress: DownloadProgress) -> None:
    """Take a report."""


Report = Callable[[DownloadProgress], None]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
