"""How much a thread gives way to the others of its process. Knows nothing of what it does."""

import contextlib
import os
import sys
import threading

COMPUTING = 4
"""For what fills every core while a window is drawn. As in kernels/cpu/pool.cpp."""
IDLE = 19
"""For what may take as long as it likes."""


def give_way(nice: int) -> None:
    """Let the calling thread, not the process, wait for others. Only Linux has that by number."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            if os.getpriority(os.PRIO_PROCESS, thread) < nice:
                os.setpriority(os.PRIO_PROCESS, thread, nice)
