"""Files built where glibc is newer than 2.34, bound to what glibc 2.34 has.

A program asks for each function in the version that was current where it was linked. For the
functions named here the newer version computes the same, so asking for the older one is no loss,
and the Python of a machine with glibc 2.36 starts where glibc is 2.34. Anything else that is newer
stops the build: what was promised to users is checked here.
"""

import struct
from pathlib import Path

from installers.builder.elf import VersionNeed, elf_files, newest_glibc, symbols_of, version_needs
from installers.builder.failure import BuildFailed

OLDEST = "2.34"

# glibc 2.35 gave hypot a version without the old hook for errors (_LIB_VERSION), which nothing of
# ours sets: sysdeps/x86_64 and aarch64 keep the older one under their first version.
_SAME_IN_OLDER = {("libm.so.6", "GLIBC_2.35"): frozenset({"hypot"})}
_FIRST_VERSIONS = ("GLIBC_2.2.5", "GLIBC_2.17")


def bind_to_older(folder: Path) -> list[str]:
    """Bind the files below to older versions of functions that are the same; name the files.

    Raises BuildFailed when a file needs another function that is newer than OLDEST.
    """
    changed = [path.name for path in elf_files(folder) if _bind(path)]
    newest = newest_glibc(folder)
    if _number(newest) > _number(OLDEST):
        raise BuildFailed(
            f"A file in {folder} needs glibc {newest}, and {OLDEST} is promised: build on a system "
            "with an older glibc, or with a Python made for one (--python)."
        )
    return changed


def _bind(path: Path) -> bool:
    needs = version_needs(path)
    newer = [need for need in needs if (need.library, need.version) in _SAME_IN_OLDER]
    for need in newer:
        other = symbols_of(path, need) - _SAME_IN_OLDER[need.library, need.version]
        if other:
            names = ", ".join(sorted(other))
            raise BuildFailed(f"{path} needs {names} of {need.version}; {OLDEST} has no such.")
        _rename(path, need, _first_version(path, needs, need.library))
    return bool(newer)


def _first_version(path: Path, needs: list[VersionNeed], library: str) -> VersionNeed:
    """Return the entry of the library's first version: its name has to be in the file already."""
    for need in needs:
        if need.library == library and need.version in _FIRST_VERSIONS:
            return need
    raise BuildFailed(f"{path} needs nothing of the first version of {library}; it stays as it is.")


def _rename(path: Path, need: VersionNeed, to: VersionNeed) -> None:
    """Write the other version's hash and name into the entry (Elf64_Vernaux: hash at 0, name 8)."""
    with path.open("r+b") as file:
        file.seek(to.offset)
        digest = file.read(4)
        file.seek(need.offset)
        file.write(digest)
        file.seek(need.offset + 8)
        file.write(struct.pack("<I", to.name))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)
