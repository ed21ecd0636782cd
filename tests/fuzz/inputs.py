"""The inputs of a fuzz run by number: the same number is the same input, on any machine."""

import random

from tests.fuzz.case import Case, Content
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.structured import structured

_FOLDERS = ("folder", "packed", "persona")


def case(reader: str, number: int) -> Case:
    """Return an input: number 0 and the next are the seeds themselves, then half and half."""
    valid = seeds(reader)
    if number < len(valid):
        return Case(valid[number], _main(reader, valid[number]), ("valid",))
    rng = random.Random(f"{reader} {number}")
    made = structured(reader, rng) if number % 2 else None
    if made is not None and rng.random() < 0.8:
        return made
    files: dict[str, Content] = dict(made.files if made else rng.choice(valid))
    name = rng.choice([name for name, data in files.items() if isinstance(data, bytes)])
    data = files[name]
    assert isinstance(data, bytes)
    files[name], kind = mutated(data, rng)
    return Case(files, _main(reader, files), (*(made.kinds if made else ()), kind))


def _main(reader: str, files: object) -> str:
    assert isinstance(files, dict)
    return "" if reader in _FOLDERS else next(iter(files))
