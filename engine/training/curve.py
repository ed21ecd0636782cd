"""A run's losses step by step, in a CSV file. Knows nothing of training, or of pictures."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from engine.errors import DamagedFile
from engine.files import write_atomically


@dataclass(frozen=True, slots=True)
class Point:
    """One step. loss: cross-entropy in nats per token; tokens: predicted up to here."""

    step: int
    phase: int
    tokens: int
    loss: float
    learning_rate: float
    gradient_norm: float


class CurveFile:
    """``curve.csv``: a head, then one line per step, written as they come."""

    def __init__(self, path: Path, *, steps: int = 0) -> None:
        """Open the file and keep the points of its first ``steps`` steps; others are dropped."""
        kept = [point for point in read_curve(path) if point.step <= steps] if steps else []
        head = [[entry.name for entry in fields(Point)]]
        rows = head + [_row(point) for point in kept]
        write_atomically(path, "".join(",".join(row) + "\n" for row in rows).encode())
        self._path = path

    def add(self, points: Iterable[Point]) -> None:
        """Append points; they are in the file when this returns."""
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(",".join(_row(point)) + "\n" for point in points)


def read_curve(path: Path) -> list[Point]:
    """Return the points of a CSV file; none when there is no such file. Raises DamagedFile.

    A last line that a kill cut short is left out.
    """
    if not path.exists():
        return []
    text = path.read_text("utf-8", "replace")
    whole = text[: text.rfind("\n") + 1]
    try:
        return [
            Point(
                int(row["step"]),
                int(row["phase"]),
                int(row["tokens"]),
                float(row["loss"]),
                float(row["learning_rate"]),
                float(row["gradient_norm"]),
            )
            for row in csv.DictReader(whole.splitlines())
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedFile(
            f"{path} is no loss curve.", "Move it away; the run goes on with a new one."
        ) from error


def smooth(values: Sequence[float]) -> list[float]:
    """Return the mean of each value and those shortly before it: a hundredth of them all."""
    width = max(len(values) // 100, 1)
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return [
        (sums[end] - sums[max(end - width, 0)]) / min(end, width) for end in range(1, len(sums))
    ]


def _row(point: Point) -> list[str]:
    return [repr(value) for value in astuple(point)]
