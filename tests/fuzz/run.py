"""``python -m tests.fuzz.run --seconds 60 [--only gguf] [--number 1234]``: fuzz every reader.

Each input is read in a child process under a guard (``worker``). Prints per reader how many were
tried, how many of them were values, how many crashed, the slowest, and how far the largest went
beyond twice its size.
"""

import argparse
import io
import multiprocessing
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import wait

from tests.fuzz.readers import READERS
from tests.fuzz.worker import Outcome, serve

_HANGS_SECONDS = 20


@dataclass(slots=True)
class Tally:
    """What became of one reader's inputs."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[Outcome] = field(default_factory=list)
    slowest: Outcome | None = None
    largest: Outcome | None = None
    over_twice: int = 0
    """Inputs that took more than twice their size and what reading nothing takes."""

    def add(self, one: Outcome) -> None:
        """Count one."""
        self.tried += 1
        self.outcomes[one.outcome] += 1
        if one.crash:
            self.crashes.append(one)
        if self.slowest is None or one.seconds > self.slowest.seconds:
            self.slowest = one
        if self.largest is None or one.beyond_bytes > self.largest.beyond_bytes:
            self.largest = one
        self.over_twice += one.beyond_bytes > 0

    def __str__(self) -> str:
        assert self.slowest is not None
        assert self.largest is not None
        values = self.outcomes["value"]
        return (
            f"{self.tried:7,} inputs, {values:6,} values, {len(self.crashes)} crashes, "
            f"slowest {self.slowest.seconds:.2f} s (number {self.slowest.number}); memory over "
            f"{self.largest.empty_bytes / 1e6:.2f} MB + twice the file {self.over_twice:,} times, "
            f"most {self.largest.beyond_bytes / 1e6:.2f} MB for {self.largest.size_bytes / 1e6:.2f}"
            f" MB (number {self.largest.number})"
        )


class Child:
    """A worker process, begun anew when it dies or hangs."""

    def __init__(self, readers: list[str]) -> None:
        self._readers = readers
        self.task: tuple[str, int] | None = None
        self.since = 0.0
        self._begin()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._readers), daemon=True)
        self._process.start()
        theirs.close()
        self.pipe.recv()

    def give(self, reader: str, number: int) -> None:
        """Hand over an input."""
        self.task, self.since = (reader, number), time.monotonic()
        self.pipe.send(self.task)

    def answer(self) -> Outcome | None:
        """Return what became of it, if that is known by now."""
        assert self.task is not None
        try:
            if self.pipe.poll():
                self.task, found = None, self.pipe.recv()
                return found
        except (EOFError, ConnectionResetError):
            return self._lost("the process died")
        hangs = time.monotonic() - self.since > _HANGS_SECONDS
        return self._lost(f"no answer in {_HANGS_SECONDS} s") if hangs else None

    def _lost(self, why: str) -> Outcome:
        assert self.task is not None or why
        reader, number = self.task or ("?", -1)
        self.close()
        self._begin()
        self.task = None
        seconds = time.monotonic() - self.since
        return Outcome(reader, number, (), "crash", why, seconds, 0, 0)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def fuzz(
    readers: list[str], seconds: float, first: int, most: int, workers: int
) -> dict[str, Tally]:
    """Read inputs from number ``first`` on, of all readers in turn, until the time is over."""
    tallies = {reader: Tally() for reader in readers}
    numbers = ((reader, first + i) for i in range(most) for reader in readers)
    children = [Child(readers) for _ in range(workers)]
    until = time.monotonic() + seconds

    def give(child: Child) -> None:
        task = next(numbers, None) if time.monotonic() < until else None
        if task:
            child.give(*task)

    try:
        for child in children:
            give(child)
        while busy := [child for child in children if child.task]:
            wait([child.pipe for child in busy], timeout=1)
            for child in busy:
                if found := child.answer():
                    tallies[found.reader].add(found)
                    give(child)
    finally:
        for child in children:
            child.close()
    return tallies


def main() -> int:
    """Fuzz as the command line says; return 1 if anything crashed."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--only", action="append", choices=list(READERS))
    options.add_argument("--number", type=int, help="one input again")
    options.add_argument("--first", type=int, default=0, help="the first input's number")
    options.add_argument("--most", type=int, default=10**9, help="inputs of each reader")
    options.add_argument("--workers", type=int, default=2)
    said = options.parse_args()
    readers, first, most = said.only or list(READERS), said.first, said.most
    if said.number is not None:
        first, most, said.workers = said.number, 1, 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    tallies = fuzz(readers, said.seconds, first, most, said.workers)
    for tally in tallies.values():
        for crash in tally.crashes[:5]:
            again = f"--only {crash.reader} --number {crash.number}"
            print(f"--- {again} ({', '.join(crash.kinds)})\n{crash.crash}")
    for reader, tally in tallies.items():
        print(f"{reader:12}", tally if tally.tried else "nothing")
    print(f"{sum(t.tried for t in tallies.values()):,} inputs in all")
    return int(any(tally.crashes for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
