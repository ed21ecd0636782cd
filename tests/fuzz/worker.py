"""One child process of a fuzz run: reads inputs by number and says what became of each.

Measures what the promise is about: seconds of the processor, the peak of resident memory, files
left open, and whatever the guard refused.
"""

import ctypes
import gc
import importlib
import os
import pkgutil
import resource
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.case import written
from tests.fuzz.guard import Guard, Refused
from tests.fuzz.inputs import EMPTY, case
from tests.fuzz.readers import OWNERS, attempt

ALLOWED_BYTES = 8 << 20
"""What reading may take beside twice the input's size and what reading nothing takes."""
SMALL_BYTES = 1_000_000
ALLOWED_SECONDS = 1.0
"""For inputs below ``SMALL_BYTES``."""
_ADDRESS_BYTES = 2 << 30  # beside what the libraries have mapped when the run begins


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input. crash: "" or what is wrong with it."""

    reader: str
    number: int
    kinds: tuple[str, ...]
    outcome: str
    crash: str
    seconds: float
    grown_bytes: int
    size_bytes: int
    empty_bytes: int = 0
    """What reading an input that holds nothing takes."""

    @property
    def beyond_bytes(self) -> int:
        """What was taken beyond twice the input's size and what reading nothing takes."""
        return self.grown_bytes - self.empty_bytes - 2 * self.size_bytes


class Bench:
    """A process made ready: everything imported, nothing more may be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = Guard()
        self._libc = ctypes.CDLL(None)
        self._empty_bytes: dict[str, int] = {}

    def prepare(self, readers: list[str]) -> None:
        """Import what readers import late, read the valid inputs, then install the guard."""
        _import_all()
        for reader in readers:
            for number in range(3):
                self._read(reader, written(case(reader, number), self._folder / "x"))
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = taken + _ADDRESS_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        gc.collect()
        gc.freeze()  # what is there now need not be looked through for every input
        self._guard.install()
        for reader in readers:
            taken = [self.measure(reader, EMPTY).grown_bytes for _ in range(3)]
            self._empty_bytes[reader] = max(taken)

    def measure(self, reader: str, number: int) -> Outcome:
        """Read one input."""
        given = case(reader, number)
        path = written(given, self._folder / "x")
        gc.collect()
        self._libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before, open_before = _status("VmRSS"), len(os.listdir("/proc/self/fd"))
        began = time.process_time()
        outcome, crash = self._read(reader, path)
        seconds, grown = time.process_time() - began, _status("VmHWM") - before
        open_after = len(os.listdir("/proc/self/fd"))
        empty = self._empty_bytes.get(reader, grown)
        said = (outcome, crash, seconds, grown, given.size_bytes, empty)
        found = Outcome(reader, number, given.kinds, *said)
        return replace(found, crash=crash or self._broken(found, open_after - open_before))

    def _read(self, reader: str, path: Path) -> tuple[str, str]:
        try:
            with self._guard.armed(self._folder, owned=reader in OWNERS):
                return attempt(reader, path), ""
        except Refused:
            return "crash", f"not only read: {self._guard.found} {traceback.format_exc()[-1500:]}"
        except Exception:
            return "crash", traceback.format_exc()[-2500:]

    def _broken(self, found: Outcome, left_open: int) -> str:
        if self._guard.found:
            return f"not only read: {self._guard.found}"
        if left_open > 0:
            return f"{left_open} files were left open"
        if found.beyond_bytes > ALLOWED_BYTES:
            return f"{found.grown_bytes:,} bytes of memory for {found.size_bytes:,}"
        if found.size_bytes < SMALL_BYTES and found.seconds > ALLOWED_SECONDS:
            return f"{found.seconds:.2f} s for {found.size_bytes:,} bytes"
        return ""


def _import_all() -> None:
    import engine

    for module in pkgutil.walk_packages(engine.__path__, "engine."):
        if not module.name.startswith(("engine.__main__", "engine.cli")):
            importlib.import_module(module.name)
    for name in (
        "encodings.utf_16_le",
        "encodings.cp437",
        "encodings.latin_1",
        "encodings.idna",
        "gguf.quants",
        "tokenizers",
    ):
        importlib.import_module(name)


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    raise KeyError(key)


def serve(pipe: Connection, readers: list[str]) -> None:
    """Answer (reader, number) with an ``Outcome`` until None comes."""
    warnings.simplefilter("ignore")
    os.nice(10)
    devices = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devices, 0)
    room = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=room) as folder:
        bench = Bench(Path(folder))
        bench.prepare(readers)
        pipe.send(None)
        while (task := pipe.recv()) is not None:
            pipe.send(bench.measure(*task))
