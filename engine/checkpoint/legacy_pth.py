"""Reads the table of a file that ``torch.save`` wrote before 2020, without an archive around it.

Five pickles follow each other: a magic number, a version, facts of the machine, the tensors, the
storages' keys; then, in the keys' order, each storage: u64 elements, and its bytes
(``torch.serialization._legacy_save``). Trainers still write states so. Read as data, never run.
"""

import os
from typing import BinaryIO

from engine.checkpoint.entries import ITEM_BYTES, FileTable, cut_short
from engine.checkpoint.pickled import (
    LEGACY_MAGIC,
    BadPickle,
    ForbiddenName,
    Storage,
    TensorView,
    read_pickles,
)
from engine.checkpoint.pth import (
    Wrappers,
    damaged_pickle,
    pickle_limit,
    tensor_entry,
    tensors_of,
    unsafe,
)
from engine.errors import DamagedFile


def read_legacy_pth(file: BinaryIO, name: str, wrappers: Wrappers = ()) -> FileTable:
    """Return its table; wrappers: as ``read_pth``.

    Raises DamagedFile, UnsafeFile, UnsupportedModel.
    """
    file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(min(pickle_limit(file_bytes), file_bytes))
    try:
        (magic, _, _, root, keys), at = read_pickles(head, 5)
    except ForbiddenName as error:
        raise unsafe(name, error) from None
    except BadPickle as error:
        raise damaged_pickle(name, error) from error
    if magic != LEGACY_MAGIC or type(keys) is not list or not all(type(k) is str for k in keys):
        raise DamagedFile(f"{name} is a bare Python pickle, not a file of tensors.")
    views = tensors_of(root, name, wrappers)
    starts = _starts(file, name, file_bytes, at, keys, views)
    entries = {}
    for key, view in views.items():
        if view.storage not in starts:
            raise DamagedFile(f"{name} is damaged: the data of {key[:60]} is missing.")
        entries[key] = tensor_entry(name, key, view, starts[view.storage])
    return FileTable("pth", entries)


def _starts(
    file: BinaryIO,
    name: str,
    file_bytes: int,
    at: int,
    keys: list[str],
    views: dict[str, TensorView],
) -> dict[Storage, int]:
    """Return where each storage's bytes begin. Those that no tensor has cannot be passed over."""
    storages = {view.storage.key: view.storage for view in views.values()}
    starts = {}
    for key in dict.fromkeys(keys):
        storage = storages.get(key)
        if storage is None:
            break
        file.seek(at)
        said = int.from_bytes(file.read(8), "little")
        size = storage.elements * ITEM_BYTES[storage.dtype]
        if said != storage.elements:
            raise DamagedFile(f"{name} is damaged: a part of it has another length than it says.")
        if at + 8 + size > file_bytes:
            raise cut_short(name, file_bytes, at + 8 + size)
        starts[storage] = at + 8
        at += 8 + size
    return starts
