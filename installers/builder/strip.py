"""Symbols for debuggers, taken out of ELF files: 100 MB of torch.

Runs before anything patches run paths. Libraries that auditwheel has patched ("*.libs") are left
alone: strip and patchelf do not get along on the same file.
"""

import shutil
import subprocess
from pathlib import Path

from installers.builder.elf import elf_files, read_elf
from installers.builder.failure import BuildFailed


def strip(folder: Path) -> int:
    """Strip all that has symbols below a folder; return the bytes set free."""
    if shutil.which("strip") is None:
        raise BuildFailed("strip is missing: install binutils.")
    freed = 0
    for path in elf_files(folder):
        if path.parent.name.endswith(".libs") or not read_elf(path).has_symbols:
            continue
        before = path.stat().st_size
        beside = path.with_name(path.name + ".stripped")
        subprocess.run(["strip", "--strip-unneeded", "-o", beside, path], check=True)
        shutil.copymode(path, beside)
        beside.replace(path)
        freed += before - path.stat().st_size
    return freed
