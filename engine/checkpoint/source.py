"""What a path stands for: one model file, or a folder in the Hugging Face layout.

Knows which reader reads what; the tensors are checked by who opens it.
"""

from dataclasses import replace
from pathlib import Path

from engine.checkpoint.entries import FileTable, narrowed
from engine.checkpoint.huggingface import folder_of, read_folder
from engine.checkpoint.huggingface_names import (
    has_huggingface_names,
    plain_entries,
    refuse_part,
)
from engine.checkpoint.sniff import check_is_file, read_table
from engine.checkpoint.storage import SourceFiles, unreadable


def open_source(path: Path) -> tuple[Path, FileTable, SourceFiles]:
    """Return what the path stands for, its table, and its files, which the caller closes.

    Raises DamagedFile, UnsafeFile, UnsupportedModel; nothing is left open then.
    """
    try:
        folder = folder_of(path)
        if folder is not None:
            table = _plain(read_folder(folder), folder.name)
            return folder, table, SourceFiles(table.files)
        check_is_file(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(path.name, error) from error
    return path, *_open_file(path)


def _open_file(path: Path) -> tuple[FileTable, SourceFiles]:
    files = SourceFiles([path])
    try:
        table = read_table(files.file(0), path.name, files.size_bytes(0))
        if has_huggingface_names(table.entries):
            refuse_part(table.entries, path.name)
        table = _plain(table, path.name)
    except OSError as error:
        files.close()
        raise unreadable(path.name, error) from error
    except BaseException:
        files.close()
        raise
    if table.files:
        files.close()
        files = SourceFiles(table.files)
    return table, files


def _plain(table: FileTable, name: str) -> FileTable:
    """Return the table under BlinkDL's names and without fp64."""
    entries = table.entries
    if has_huggingface_names(entries):
        entries = plain_entries(entries, name)
    return replace(table, entries={key: narrowed(entry) for key, entry in entries.items()})
