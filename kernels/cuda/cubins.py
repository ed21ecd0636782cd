"""Compiled kernels in a folder, so that only a first start waits for the compiler.

A convenience: whatever is missing, damaged or cannot be written is compiled again. Knows bytes
and their keys; knows no compiler and no card.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"SKEINCUBIN1\n"
LIMIT_BYTES = 64 * 1024 * 1024
"""Some 200 models' kernels; the longest unused go first."""

_DIGEST_BYTES = 32
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CubinKey:
    """All that a cubin is made from. compiler: NVRTC's release. driver: the driver's number."""

    text: str
    macros: Mapping[str, int | str | None]
    architecture: int
    compiler: tuple[int, int]
    driver: int

    @property
    def name(self) -> str:
        """A file's name: the same for the same parts, in whatever order macros are named."""
        parts = (
            self.text,
            repr(sorted(self.macros.items())),
            f"{self.architecture} {self.compiler} {self.driver}",
        )
        lengths = ",".join(str(len(part)) for part in parts)  # no part can pass for another
        whole = "\0".join((lengths, *parts))
        return hashlib.sha256(whole.encode()).hexdigest()[:40] + ".cubin"


class CubinCache:
    """A folder of cubins. Several processes may use it at once."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def get(self, key: CubinKey) -> bytes | None:
        """Return what was kept under this key; None where it is missing or damaged."""
        path = self._folder / key.name
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # of a folder that may only be read
            os.utime(path)
        digest, cubin = content[len(MAGIC) :][:_DIGEST_BYTES], content[len(MAGIC) + _DIGEST_BYTES :]
        if content.startswith(MAGIC) and hashlib.sha256(cubin).digest() == digest:
            return cubin
        _log.warning("%s is damaged: its kernels are compiled again", path)
        self.drop(key)
        return None

    def put(self, key: CubinKey, cubin: bytes) -> None:
        """Keep a cubin, whole or not at all; then let the longest unused go."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._folder / key.name, MAGIC + hashlib.sha256(cubin).digest() + cubin)
            self._keep_within_limit(self._folder / key.name)
        except OSError as error:
            _log.warning("Compiled kernels cannot be kept in %s: %s", self._folder, error)

    def drop(self, key: CubinKey) -> None:
        """Forget what was kept under this key."""
        try:
            (self._folder / key.name).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be removed: %s", key.name, error)

    def _write(self, path: Path, content: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _keep_within_limit(self, newest: Path) -> None:
        files = []
        for path in (*self._folder.glob("*.cubin"), *self._folder.glob(".new-*")):
            try:
                files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
            except FileNotFoundError:  # another process was faster
                continue
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit_bytes:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size
