"""A pack from an index to the disk: whole, verified and tried out, or not there.

Knows wheels, one folder and one index; not why this pack was chosen, nor what the window shows.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.folders import Folders
from engine.gpu_pack.packs import Pack
from engine.gpu_pack.table import PackRow
from engine.hub import disk
from engine.hub.meter import DownloadProgress
from engine.settings import Settings

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class PackInstall:
    """The install of one pack; ``run`` may be called again and again and goes on where it was.

    packs_folder: ``Folders.packs``. address: of the index; "" = that of the row, else of this
    Python's pip. self_test: the command that tries a folder out, given as its last argument.
    """

    def __init__(
        self,
        row: PackRow,
        packs_folder: Path,
        address: str = "",
        *,
        margin_bytes: int = disk.MARGIN_BYTES,
        free_bytes: Callable[[Path], int] | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
        self_test: Sequence[str] = (),
    ) -> None:
        self.row = row
        self.packs_folder = packs_folder

    def run(self, progress: Callable[[DownloadProgress], None], stop: threading.Event) -> Pack:
        """Return the pack that the next start uses. Phases, in this order: looking, downloading,
        verifying, unpacking, testing, switching; bytes count in all but looking and testing.

        ``stop`` pauses within a fraction of a second (PackFailed, kind "stopped"). On any failure
        what was used before is still used, and what was received is kept unless its hash is
        wrong. Of a pack that is here already only what is damaged is fetched: Repair. Raises
        PackFailed.
        """
        raise NotImplementedError

    @property
    def received(self) -> int:
        """Bytes of wheels that earlier runs left here, of ``row.download_bytes``."""
        return 0

    @property
    def needed_bytes(self) -> int:
        """What must be free on the disk for the rest of the install, with the margin."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove what was received (Cancel). Not while ``run`` is at work."""
        raise NotImplementedError


def make_install(row: PackRow, folders: Folders, settings: Settings) -> PackInstall:
    """Return the install that the settings choose: index address and proxy.

    Raises PackFailed (kind "offline") when the settings forbid the network.
    """
    raise NotImplementedError
