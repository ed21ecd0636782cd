"""The archive of a version's folder that updates download: skein-<version>-<target>.tar.xz.

Files in the order of the manifest, without owners and with one time for all, so that the same tree
gives the same archive.
"""

import io
import json
import lzma
import tarfile
from pathlib import Path

from installers.builder.manifest import FILE_NAME

# A window of 64 MB finds what is alike in pyc and py; unpacking takes as much memory.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 << 20}]


def write_archive(tree: Path, to: Path, filters: list[dict[str, int]] | None = None) -> Path:
    """Pack ``tree`` into ``to`` with paths as in its manifest (the manifest first); return it.

    filters: lzma's, for tests that have no minutes.
    """
    content = json.loads((tree / FILE_NAME).read_text("utf-8"))
    beside = to.with_name(to.name + ".new")
    with (
        lzma.open(beside, "wb", filters=filters or _FILTERS) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        _add(archive, FILE_NAME, (tree / FILE_NAME).read_bytes(), executable=False)
        for file in content["files"]:
            data = (tree / file["path"]).read_bytes()
            _add(archive, file["path"], data, executable=file["executable"])
    beside.replace(to)
    return to


def _add(archive: tarfile.TarFile, name: str, data: bytes, *, executable: bool) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o755 if executable else 0o644
    archive.addfile(entry, io.BytesIO(data))
