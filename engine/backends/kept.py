"""What the CPU engine packed, kept in the cache folder: mapped at the next load, written after one.

Knows which packed weights a model needs and when they may be kept; how they lie in files is
``engine.packed_files``.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from engine.packed_files import PackedFiles
from engine.packed_format import IsCancelled, PackedKey, Progress
from engine.packed_source import source_digest, source_stamp
from engine.packed_writer import PackedWriter

if TYPE_CHECKING:
    from engine.checkpoint import ModelInfo
    from kernels.cpu.library import Library, NativeModel
    from kernels.cpu.memory import MappedMemory


class KeptWeights:
    """The packed weights of one model in one type, if they are kept at all."""

    def __init__(
        self,
        files: PackedFiles | None,
        library: "Library",
        info: "ModelInfo",
        weights: str,
        packed_bytes: int,
        first_layer: int = 0,
    ) -> None:
        """files: None keeps nothing, and so does fp32: packing only puts it in another order.

        first_layer: above 0, of the end of the model from there on.
        """
        self._files = files if weights != "fp32" else None
        self._library, self._info = library, info
        self._weights = f"{weights} from layer {first_layer}" if first_layer else weights
        self._packed_bytes = packed_bytes
        self._key = self._find_key()
        self._writer: PackedWriter | None = None

    @property
    def is_writing(self) -> bool:
        """Whether they were packed now, and will be in a file."""
        return self._writer is not None

    def open(
        self, progress: Progress | None = None, cancelled: IsCancelled | None = None
    ) -> "MappedMemory | None":
        """Return what an earlier load packed, checked; None: it has to be packed now.

        Raises Cancelled.
        """
        if self._files is None or self._key is None:
            return None
        return self._files.open(self._key, progress, cancelled)

    def keep(self, model: "NativeModel") -> None:
        """Write what ``model`` holds, in the background, while it is in use.

        Not if the model's file was replaced since the load began: it may be half of each.
        """
        files, key = self._files, self._key
        if files is None or key is None or not files.wants(key) or key != self._find_key():
            return
        sources = _sources(self._info)
        self._writer = PackedWriter(
            lambda data, stopped, hurried: files.write(key, sources, data, stopped, hurried),
            *(model.data(), model, files.delay_s),
        )

    def settle(self) -> None:
        """Wait until nothing is written any more, which then goes as fast as it can."""
        if self._writer is not None:
            self._writer.finish()

    def stop(self) -> None:
        """Give the writing up, and wait until the weights are not read any more."""
        if self._writer is not None:
            self._writer.stop()

    def _find_key(self) -> PackedKey | None:
        if self._files is None:
            return None
        try:
            size_bytes, time_ns = source_stamp(_sources(self._info))
            digest = source_digest(_sources(self._info))
        except OSError:
            return None
        return PackedKey(
            *(self._info.fingerprint, size_bytes, time_ns, digest, self._weights),
            *(self._library.digest, _release(), self._packed_bytes),
        )


def _sources(info: "ModelInfo") -> tuple[Path, ...]:
    return info.files or (info.path,)


def _release() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("skein")
    except PackageNotFoundError:
        return ""
