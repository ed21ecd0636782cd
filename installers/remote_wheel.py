"""A wheel on an index, looked into without downloading it: its facts and its unpacked size.

Knows ranges of a web file and the format of wheels; no packs.
"""

import io
import zipfile
import zlib
from contextlib import closing
from dataclasses import dataclass

from engine.errors import DownloadFailed
from engine.gpu_pack.wheel import info_folder, wanted_entries
from engine.hub.connection import Opened
from engine.hub.web import Web

_BLOCK_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Inside:
    """What a wheel holds: bytes of the archive, bytes of what is unpacked, its METADATA."""

    size_bytes: int
    unpacked_bytes: int
    metadata: str


def look_inside(web: Web, address: str, file: str) -> Inside:
    """Return what a wheel holds, after reading some hundred kilobytes of it.

    Raises DownloadFailed, also when the server knows no ranges or what it sends is no wheel.
    """
    remote = RemoteFile(web, address)
    try:
        with zipfile.ZipFile(remote) as archive:
            unpacked = sum(size for _place, size in wanted_entries(archive))
            metadata = archive.read(f"{info_folder(file)}/METADATA").decode("utf-8")
    except (zipfile.BadZipFile, zlib.error, KeyError, UnicodeDecodeError) as error:
        raise DownloadFailed(f"{address} is no wheel: {error}", kind="server") from error
    return Inside(remote.size_bytes, unpacked, metadata)


class RemoteFile(io.RawIOBase):
    """A file on a web server that can be read at any place; every block is fetched once."""

    def __init__(self, web: Web, address: str) -> None:
        super().__init__()
        self._web = web
        self._address = address
        self._at = 0
        self._blocks: dict[int, bytes] = {}
        with closing(web.read(address, 0)) as stream:  # type: ignore[type-var]
            opened = next(stream)
        if not isinstance(opened, Opened) or not opened.total:
            raise DownloadFailed(f"The server does not say how large {address} is.", kind="server")
        self.size_bytes = opened.total

    def seekable(self) -> bool:
        """It can be read at any place."""
        return True

    def readable(self) -> bool:
        """It can be read."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the place on, fewer only at the end."""
        end = self.size_bytes if size < 0 else min(self._at + size, self.size_bytes)
        data = bytearray()
        while self._at < end:
            number = self._at // _BLOCK_BYTES
            block = self._block(number, (end - 1) // _BLOCK_BYTES)
            piece = block[self._at - number * _BLOCK_BYTES :][: end - self._at]
            data += piece
            self._at += len(piece)
        return bytes(data)

    def _block(self, number: int, last: int) -> bytes:
        """Return one block; those up to ``last`` come in by the same request."""
        if number not in self._blocks:
            start = number * _BLOCK_BYTES
            wanted = min((last + 1) * _BLOCK_BYTES, self.size_bytes) - start
            data = self._fetch(start, wanted)
            for at in range(0, len(data), _BLOCK_BYTES):
                self._blocks[number + at // _BLOCK_BYTES] = data[at : at + _BLOCK_BYTES]
        return self._blocks[number]

    def _fetch(self, start: int, size: int) -> bytes:
        data = bytearray()
        with closing(self._web.read(self._address, start)) as stream:  # type: ignore[type-var]
            for piece in stream:
                if isinstance(piece, Opened):
                    if piece.start != start:
                        raise DownloadFailed("The server knows no ranges.", kind="server")
                else:
                    data += piece
                if len(data) >= size:
                    break
        if len(data) < size:  # or a reader would wait for the rest for ever
            raise DownloadFailed(f"The server sends too little of {self._address}.", kind="server")
        return bytes(data[:size])
