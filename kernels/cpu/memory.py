"""Memory for packed weights that Python owns: aligned, private, in large pages where there are any.

Knows the system's mappings; knows nothing of weights or of the library that reads them.
"""

import ctypes
import mmap

_HUGE_PAGE = 2 << 20
"""A multiple of every alignment that the library asks for, and what Linux backs by one page."""


class AlignedMemory:
    """Zeroed bytes that begin at a multiple of 2 MiB. Given back by ``close`` or when collected."""

    def __init__(self, size_bytes: int) -> None:
        """Reserve the memory; pages are taken when they are written. Raises MemoryError."""
        self.size_bytes = size_bytes
        room = size_bytes + _HUGE_PAGE
        try:
            if hasattr(mmap, "MAP_PRIVATE"):
                # Shared, which is Python's default, would be a file in memory: small pages only.
                self._map = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            else:
                self._map = mmap.mmap(-1, room)
        except (OSError, ValueError, OverflowError) as error:
            raise MemoryError(f"no memory for {size_bytes} bytes") from error
        begin = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._start = -begin % _HUGE_PAGE
        self.address = begin + self._start
        if hasattr(mmap, "MADV_HUGEPAGE") and size_bytes >= 4 * _HUGE_PAGE:
            try:
                self._map.madvise(mmap.MADV_HUGEPAGE)
            except OSError:  # a kernel without them: small pages serve as well
                return

    def view(self) -> memoryview:
        """Return the bytes, to be read into; release it (``with``) before ``close``."""
        return memoryview(self._map)[self._start : self._start + self.size_bytes]

    def close(self) -> None:
        """Give the memory back; whoever still uses its address must be gone."""
        self._map.close()
