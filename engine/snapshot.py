"""A snapshot: all that is needed to go on with a reply exactly where it was, and its file.

Knows states, logits and samplers; knows nothing of chats or of where files belong.
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.errors import DamagedFile
from engine.sampling import SamplerState
from engine.state import State, StateFile, load_state, save_state

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class Snapshot:
    """A state on the CPU, with what follows from it. Shared once made: nobody changes it.

    logits: fp32 [V] after the last token read, None when they were not kept.
    sampler: of the reply that was being written, None between replies.
    """

    state: State
    logits: "NDArray[np.float32] | None" = None
    sampler: SamplerState | None = None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        logits = 0 if self.logits is None else self.logits.nbytes
        sampler = 0 if self.sampler is None else 16 * len(self.sampler.ids)
        return self.state.nbytes + logits + sampler


def save_snapshot(path: Path, snapshot: Snapshot, metadata: Mapping[str, str]) -> None:
    """Write a snapshot so that a kill at any moment leaves the old file or the new one.

    metadata: further words to keep, such as fingerprint and kind.
    Raises OSError when the disk is full or read-only.
    """
    extras: dict[str, Tensor] = {}
    words = {"created": datetime.now(UTC).isoformat(timespec="seconds"), **metadata}
    if snapshot.logits is not None:
        extras["logits"] = torch.from_numpy(snapshot.logits)
    if snapshot.sampler is not None:
        extras["sampler_ids"] = torch.from_numpy(snapshot.sampler.ids)
        extras["sampler_counts"] = torch.from_numpy(snapshot.sampler.counts)
        words["sampler_rng"] = snapshot.sampler.rng_json
    file = StateFile(snapshot.state, words, extras)
    save_state(path, snapshot.state, {**words, "checksum": _checksum(file)}, extras)


def load_snapshot(path: Path) -> tuple[Snapshot, dict[str, str]]:
    """Read a snapshot and its metadata.

    Raises DamagedFile when anything in it is not as it was written, FileNotFoundError when there
    is none. A plain state file of Skein (without a checksum) is read as well.
    """
    file = load_state(path)
    checksum = file.metadata.get("checksum")
    if not _fits_together(file.state) or (checksum and checksum != _checksum(file)):
        raise DamagedFile(
            f"{path.name} was changed or damaged since it was saved.",
            "The text can be read again to make a new one.",
        )
    logits = file.extras.get("logits")
    return (
        Snapshot(file.state, None if logits is None else logits.numpy(), _sampler(file)),
        file.metadata,
    )


def _sampler(file: StateFile) -> SamplerState | None:
    ids, counts = file.extras.get("sampler_ids"), file.extras.get("sampler_counts")
    if ids is None or counts is None or "sampler_rng" not in file.metadata:
        return None
    return SamplerState(ids.numpy(), counts.numpy(), file.metadata["sampler_rng"])


def _checksum(file: StateFile) -> str:
    """Return a CRC-32 of all arrays and words: disks flip bits, and a state has no other check."""
    words = {k: v for k, v in file.metadata.items() if k not in ("checksum", "format_version")}
    words["tokens_read"] = str(file.state.tokens_read)
    crc = zlib.crc32(json.dumps(words, sort_keys=True).encode())
    arrays = {**file.state.tensors(), **file.extras}
    for name in sorted(arrays):
        data = arrays[name].detach().cpu().contiguous().view(-1)
        if data.numel():
            crc = zlib.crc32(data.numpy().data.cast("B"), crc)
    return f"{crc:08x}"


def _fits_together(state: State) -> bool:
    """Tell whether the three arrays can be those of one model."""
    sizes = tuple(state.wkv.shape)
    shifts = tuple(state.att_shift.shape)
    if len(shifts) != 2 or math.prod(shifts) < 1 or tuple(state.ffn_shift.shape) != shifts:
        return False
    if len(sizes) == 3:  # RWKV-4
        return sizes == (shifts[0], 3, shifts[1])
    if len(sizes) != 4:
        return False
    layers, heads, rows, columns = sizes
    return rows == columns and (layers, heads * rows) == shifts
