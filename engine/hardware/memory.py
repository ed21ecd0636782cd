"""Main memory, as much of it as this process may use: a container's limit counts."""

import re
from pathlib import Path


def total_and_free(root: Path = Path("/")) -> tuple[int, int]:
    """Return (total, free) bytes of main memory; free counts what caches can give back."""
    import psutil

    memory = psutil.virtual_memory()
    return within_limits(memory.total, memory.available, container_limits(root))


def within_limits(total: int, free: int, limits: list[tuple[int, int]]) -> tuple[int, int]:
    """Return (total, free) under (limit, used) pairs; a limit above the machine is none."""
    for limit, used in limits:
        if 0 < limit < total:
            total, free = limit, min(free, max(0, limit - used))
    return total, free


def container_limits(root: Path = Path("/")) -> list[tuple[int, int]]:
    """Return (limit, used) bytes of this process's control groups and all above them.

    Linux only, versions 1 and 2; elsewhere, and without limits, an empty list. Used does not
    count file caches, which give way.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found += _walk(root / "sys/fs/cgroup", path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            found += _walk(base, path, "memory.limit_in_bytes", "memory.usage_in_bytes")
    return found


def _walk(base: Path, path: str, limit_file: str, used_file: str) -> list[tuple[int, int]]:
    """Collect the limits of the group at ``path`` and of every group above, up to ``base``.

    Inside a container the path may name folders that only the host sees: those are skipped.
    """
    group = base / path.strip("/")
    found = []
    for folder in (group, *group.parents):
        if not folder.is_relative_to(base):
            break
        limit = _number(folder / limit_file)
        if limit is not None:
            used = (_number(folder / used_file) or 0) - _inactive_file_bytes(folder)
            found.append((limit, max(0, used)))
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None  # not there, or the word "max"


def _inactive_file_bytes(folder: Path) -> int:
    try:
        text = (folder / "memory.stat").read_text()
    except OSError:
        return 0
    match = re.search(r"^(?:total_)?inactive_file (\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else 0
