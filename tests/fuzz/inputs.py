"""The inputs of a fuzz run by number: the same number is the same input, on any machine."""

import random

from tests.fuzz.case import Case, Content
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import json_tokenizer, seeds
from tests.fuzz.structured import structured

EMPTY = -1
"""The input that holds nothing: what reading it takes is no input's doing."""
_NAMED = {"config.json": b'{"model_type": "rwkv7"}', "tokenizer.json": json_tokenizer()}
_FOLDERS = ("folder", "packed", "persona", "archive")


def case(reader: str, number: int) -> Case:
    """Return an input: number 0 and the next are the seeds themselves, then half and half."""
    valid = seeds(reader)
    if number == EMPTY:
        kept = _NAMED if reader == "folder" else {}
        files: dict[str, Content] = {name: kept.get(name, b"") for name in valid[0]}
        return Case(files, _main(reader, files), ("empty",))
    if number < len(valid):
        return Case(valid[number], _main(reader, valid[number]), ("valid",))
    rng = random.Random(f"{reader} {number}")
    made = structured(reader, rng) if number % 2 else None
    if made is not None and rng.random() < 0.8:
        return made
    files = dict(made.files if made else rng.choice(valid))
    name = rng.choice([name for name, data in files.items() if isinstance(data, bytes)])
    data = files[name]
    assert isinstance(data, bytes)
    files[name], kind = mutated(data, rng)
    return Case(files, _main(reader, files), (*(made.kinds if made else ()), kind))


def _main(reader: str, files: object) -> str:
    assert isinstance(files, dict)
    return "" if reader in _FOLDERS else next(iter(files))
