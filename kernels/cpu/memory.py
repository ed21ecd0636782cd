"""A file's bytes as memory: read-only, the same pages for every process that maps it.

Knows the system's mappings; knows nothing of weights or of the library that reads them.
"""

import mmap
import os
from types import TracebackType


class MappedMemory:
    """Bytes of a file from ``start`` on. Given back by ``close`` or when it is collected.

    Pages are the system's own copy of the file: it keeps them as long as there is room for them,
    and drops them without writing. While it is mapped, Windows neither deletes nor replaces it;
    elsewhere the bytes stay what they were when the file is replaced or deleted. A file that is
    made shorter in place ends the program that reads behind its end.
    """

    def __init__(self, handle: int, start: int, size_bytes: int) -> None:
        """Map an open file, which may be closed then. start: a multiple of the library's alignment.

        Raises OSError where the system or the place of the file has no mappings, or the file is
        shorter than ``start + size_bytes``.
        """
        self.size_bytes = size_bytes
        whole = start + size_bytes
        if os.fstat(handle).st_size < whole:
            raise OSError(f"the file is shorter than {whole} bytes")
        try:
            if hasattr(mmap, "MAP_SHARED"):
                # All pages at once: without, each run of them would wait for its first reader.
                flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
                self._map = mmap.mmap(handle, whole, flags=flags, prot=mmap.PROT_READ)
            else:
                self._map = mmap.mmap(handle, whole, access=mmap.ACCESS_READ)
        except (ValueError, OverflowError) as error:
            raise OSError(str(error)) from error
        if not hasattr(mmap, "MAP_POPULATE") and hasattr(mmap, "MADV_WILLNEED"):
            self._map.madvise(mmap.MADV_WILLNEED)
        import numpy as np  # here: who looks for cards imports this module and need not wait

        self.address = np.frombuffer(self._map, np.uint8).ctypes.data + start

    def __enter__(self) -> "MappedMemory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmap it; whoever still uses its address must be gone. A second time does nothing."""
        self._map.close()
