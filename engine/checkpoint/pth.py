"""Reads the table of a ``.pth``: the zip archive that ``torch.save`` writes since 2020.

Only the table of contents, ``data.pkl`` and the members' short headers are read, never the
weights. Knows archives, not which tensors a model needs.
"""

import os
import struct
import zipfile
import zlib
from dataclasses import replace
from typing import Any, BinaryIO

from engine.checkpoint.entries import ITEM_BYTES, FileTable, TensorEntry, cut_short, element_count
from engine.checkpoint.pickled import (
    LEGACY_MAGIC,
    BadPickle,
    ForbiddenName,
    Storage,
    TensorView,
    read_pickle,
)
from engine.checkpoint.storage import Range, Turned
from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel

PICKLE_LIMIT_BYTES = 16 << 20
"""Largest ``data.pkl`` of all; that of a 61-layer model has a fifth of a megabyte."""

_TURNED_LIMIT_BYTES = 64 << 20
"""Transposed matrices are read whole to turn them; the loras, which occur so, are far smaller."""

# What is read as objects takes many times its bytes, so it must be a small part of a file.
_SMALL_PICKLE_BYTES = 1 << 19
_SMALL_DIRECTORY_BYTES = 1 << 20

_UNSOUND = (ValueError, OSError, OverflowError, IndexError, struct.error)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_DOWNLOAD_AGAIN = "Download it again, or copy it again from where it came."


Wrappers = tuple[str, ...]


def read_pth(file: BinaryIO, name: str, file_bytes: int, wrappers: Wrappers = ()) -> FileTable:
    """Return the table of a zip ``.pth``.

    wrappers: names under which the table may be wrapped; then what is no tensor is passed over.
    Raises DamagedFile, UnsafeFile, or UnsupportedModel when it is no flat table of tensors.
    """
    archive = _open_archive(file, name, file_bytes)
    prefix, members = _members(archive, name)
    root = _root(file, name, members, prefix)
    views = tensors_of(root, name, wrappers)
    place = _Places(file, name, file_bytes, prefix, members)
    entries = {key: place.entry(key, view) for key, view in views.items()}
    place.check_overlaps()
    return FileTable("pth", entries)


def refuse_bare_pickle(data: bytes, name: str) -> EngineError:
    """Return the refusal of a file that is a pickle without an archive around it.

    data: its first bytes, as many as one cares to look at.
    """
    try:
        first = read_pickle(data)
    except ForbiddenName as error:
        return unsafe(name, error)
    except BadPickle:
        first = None
    if first == LEGACY_MAGIC:
        return UnsupportedModel(
            f"{name} was saved by a PyTorch of before 2020, in a format without a table.",
            "Convert it once with PyTorch: torch.save(torch.load(old), new).",
        )
    return DamagedFile(
        f"{name} is a bare Python pickle; a .pth checkpoint was expected.", _DOWNLOAD_AGAIN
    )


# The archive


class _Limited:
    """A file for ``zipfile`` that never reads more than a table of contents can need.

    Without it a forged directory size makes ``zipfile`` read the whole file into memory.
    """

    def __init__(self, file: BinaryIO, file_bytes: int) -> None:
        self._file = file
        self._file_bytes = file_bytes
        self._limit = max(_SMALL_DIRECTORY_BYTES, file_bytes >> 6)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._file_bytes - self._file.tell())
        wanted = left if size < 0 else min(size, left)
        if wanted > self._limit:
            raise zipfile.BadZipFile("directory too large")
        return b"".join(_pieces(self._file, wanted))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _pieces(file: BinaryIO, wanted: int) -> list[bytes]:
    pieces = []
    while wanted and (piece := file.read(wanted)):
        pieces.append(piece)
        wanted -= len(piece)
    return pieces


def _open_archive(file: BinaryIO, name: str, file_bytes: int) -> zipfile.ZipFile:
    limited: Any = _Limited(file, file_bytes)
    try:
        return zipfile.ZipFile(limited)
    except (zipfile.BadZipFile, NotImplementedError, *_UNSOUND) as error:
        raise DamagedFile(
            f"{name} is cut short or damaged: it begins as a PyTorch checkpoint, but the table "
            f"of contents at its end (byte {file_bytes:,}) is missing or broken.",
            _DOWNLOAD_AGAIN,
        ) from error


def _members(archive: zipfile.ZipFile, name: str) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """Return the archive's one folder ("archive/") and its members by full name."""
    members = {info.filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise DamagedFile(f"{name} is damaged: two parts of it have one name.", _DOWNLOAD_AGAIN)
    pickles = [n for n in members if n.count("/") <= 1 and n.split("/")[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise UnsupportedModel(
            f"{name} is a zip archive, but not a PyTorch checkpoint: it has no data.pkl.",
            "If it was packed to save space, unpack it and choose the .pth inside.",
        )
    prefix = pickles[0].removesuffix("data.pkl")
    if prefix + "constants.pkl" in members:
        raise UnsupportedModel(
            f"{name} is a TorchScript program, not a table of weights.",
            "Choose the .pth that the program was made from.",
        )
    return prefix, members


def _root(file: BinaryIO, name: str, members: dict[str, zipfile.ZipInfo], prefix: str) -> object:
    """Return what data.pkl holds."""
    order = members.get(prefix + "byteorder")
    if order is not None and _member(file, name, order) != b"little":
        raise UnsupportedModel(
            f"{name} was written on a big-endian machine.",
            "Save it again on an ordinary PC, or choose another file.",
        )
    try:
        return read_pickle(_member(file, name, members[prefix + "data.pkl"]))
    except ForbiddenName as error:
        raise unsafe(name, error) from None
    except BadPickle as error:
        raise damaged_pickle(name, error) from error


def damaged_pickle(name: str, error: BadPickle) -> DamagedFile:
    """Return the error for a list of tensors that is none."""
    return DamagedFile(
        f"{name} is damaged: its list of tensors (data.pkl) cannot be read, {error}.",
        _DOWNLOAD_AGAIN,
    )


def pickle_limit(file_bytes: int) -> int:
    """Return how large the list of tensors of a file of this size may be."""
    return min(PICKLE_LIMIT_BYTES, max(_SMALL_PICKLE_BYTES, file_bytes >> 5))


def _member(file: BinaryIO, name: str, info: zipfile.ZipInfo) -> bytes:
    """Return one small member's bytes, whole and with the right checksum."""
    limit = pickle_limit(file.seek(0, os.SEEK_END))
    if info.file_size > limit:
        raise DamagedFile(
            f"{name} is damaged or hostile: its part {info.filename[:80]} has {info.file_size:,} "
            f"bytes, and no model of this size needs more than {limit:,}."
        )
    file.seek(_data_offset(file, name, info))
    data = b"".join(_pieces(file, info.file_size))
    if zlib.crc32(data) != info.CRC:
        raise DamagedFile(
            f"{name} is damaged: the checksum of its part {info.filename} is wrong.",
            _DOWNLOAD_AGAIN,
        )
    return data


def _data_offset(file: BinaryIO, name: str, info: zipfile.ZipInfo) -> int:
    """Return where a stored member's bytes begin, from its own header in front of them."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise UnsupportedModel(
            f"{name} keeps {info.filename} compressed or encrypted, as PyTorch never does.",
            "Unpack and save it again with torch.save, or choose another file.",
        )
    inside = 0 <= info.header_offset < file.seek(0, os.SEEK_END)
    file.seek(info.header_offset if inside else 0, os.SEEK_SET if inside else os.SEEK_END)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) == _LOCAL_HEADER.size:
        magic, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        if magic == _LOCAL_MAGIC:
            return info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    raise DamagedFile(
        f"{name} is damaged: its table of contents points to {info.filename}, "
        f"which is not at byte {info.header_offset:,}.",
        _DOWNLOAD_AGAIN,
    )


def unsafe(name: str, error: ForbiddenName) -> UnsafeFile | UnsupportedModel:
    """Return the refusal of a file whose pickle names what is no tensor, or an odd kind of one."""
    if error.args[0].startswith("torch._utils._rebuild_"):  # of 8 bits, sparse, quantised
        return UnsupportedModel(
            f"{name} holds tensors in a number type or a form that is not read here; "
            "bf16, fp16 or fp32 was expected.",
            "Choose the 16-bit file of this model.",
        )
    return UnsafeFile(
        f"{name} wants to run code when it is opened (it asks for {error.args[0][:80]}).",
        "Do not use it. Choose a file that holds only weights, best from the model's author.",
    )


# The tensors


def tensors_of(root: object, name: str, wrappers: Wrappers = ()) -> dict[str, TensorView]:
    """Return the tensors by name; refuse what is not a flat dict of them."""
    if wrappers and isinstance(root, dict):
        inner = (root[key] for key in wrappers if isinstance(root.get(key), dict))
        root = {
            key: value
            for key, value in next(inner, root).items()
            if isinstance(key, str) and isinstance(value, TensorView)
        }
    if not isinstance(root, dict):
        kinds = {TensorView: "one tensor", list: "a list, as saved states do"}
        kind = kinds.get(type(root), "a single value")
        raise UnsupportedModel(
            f"{name} holds {kind}; a model is a table of named tensors.",
            "Choose the file with the model's weights.",
        )
    nested = [str(key) for key, value in root.items() if not isinstance(value, TensorView)]
    nested += [str(key) for key in root if not isinstance(key, str)]
    if nested:
        raise UnsupportedModel(
            f"{name} is a training checkpoint: besides tensors it holds {_quoted(nested)}.",
            "Save its model weights alone, for example torch.save(checkpoint['model'], file).",
        )
    if not root:
        raise DamagedFile(f"{name} holds no tensor at all.", _DOWNLOAD_AGAIN)
    return root


def _quoted(names: list[str]) -> str:
    shown = ", ".join(f"'{n[:40]}'" for n in names[:3])
    return shown + (", ..." if len(names) > 3 else "")


class _Places:
    """Finds each tensor's bytes; remembers the storages, which tensors may share."""

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        file_bytes: int,
        prefix: str,
        members: dict[str, zipfile.ZipInfo],
    ) -> None:
        self._file = file
        self._name = name
        self._file_bytes = file_bytes
        self._prefix = prefix
        self._members = members
        self._storages: dict[Storage, int] = {}

    def entry(self, key: str, view: TensorView) -> TensorEntry:
        """Return where tensor ``key`` lies."""
        storage, item_bytes = view.storage, ITEM_BYTES[view.storage.dtype]
        start = self._storages.get(storage)
        if start is None:
            start = self._storages[storage] = self._storage_offset(storage, item_bytes)
        return tensor_entry(self._name, key, view, start)

    def _storage_offset(self, storage: Storage, item_bytes: int) -> int:
        info = self._members.get(f"{self._prefix}data/{storage.key}")
        if info is None:
            raise DamagedFile(
                f"{self._name} is damaged: the data part {storage.key[:40]} that a tensor needs "
                "is missing.",
                _DOWNLOAD_AGAIN,
            )
        if info.file_size != storage.elements * item_bytes:
            raise DamagedFile(
                f"{self._name} is damaged: its part {info.filename} has {info.file_size:,} bytes, "
                f"expected {storage.elements:,} x {storage.dtype}.",
                _DOWNLOAD_AGAIN,
            )
        start = _data_offset(self._file, self._name, info)
        if start + info.file_size > self._file_bytes:
            raise cut_short(self._name, self._file_bytes, start + info.file_size)
        return start

    def check_overlaps(self) -> None:
        """Raise DamagedFile when two storages lie over each other: no writer does that."""
        ends = 0
        for start, storage in sorted((at, storage) for storage, at in self._storages.items()):
            if start < ends:
                raise DamagedFile(
                    f"{self._name} is damaged: two of its tensors lie over each other.",
                    _DOWNLOAD_AGAIN,
                )
            ends = start + storage.elements * ITEM_BYTES[storage.dtype]


def tensor_entry(name: str, key: str, view: TensorView, start: int) -> TensorEntry:
    """Return where a tensor lies whose storage begins at byte ``start``.

    Raises DamagedFile when it reaches beyond that, UnsupportedModel when it is scattered.
    """
    storage, item_bytes = view.storage, ITEM_BYTES[view.storage.dtype]
    count = element_count(view.shape)
    if view.offset < 0 or min(view.shape, default=0) < 0 or view.offset + count > storage.elements:
        raise DamagedFile(
            f"{name} is damaged: tensor {key[:80]} reaches beyond its data "
            f"({view.offset} + {count:,} of {storage.elements:,} elements).",
            _DOWNLOAD_AGAIN,
        )
    offset = start + view.offset * item_bytes
    entry = TensorEntry(key, storage.dtype, view.shape, offset, count * item_bytes)
    if _is_turned(view) and entry.size_bytes <= _TURNED_LIMIT_BYTES:
        columns, rows = view.shape
        return replace(entry, other=Turned(Range(0, offset), rows, columns, item_bytes))
    if not _is_contiguous(view):
        raise UnsupportedModel(
            f"{name} keeps tensor {key[:80]} in a scattered (non-contiguous) form.",
            "Save it again with PyTorch after calling .contiguous() on every tensor.",
        )
    return entry


def _is_turned(view: TensorView) -> bool:
    """Tell whether it is a matrix that was transposed and saved without being copied."""
    shape, strides = view.shape, view.strides
    return len(shape) == 2 and min(shape) > 1 and strides == (1, shape[0])


def _is_contiguous(view: TensorView) -> bool:
    """Tell whether the elements follow each other in row-major order."""
    expected = 1
    for size, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
        if size != 1 and stride != expected:
            return 0 in view.shape
        expected *= size
    return True
