"""LoRAs on their way into the weights: each piece of a tensor is changed while it is read.

Knows tensors and the files of LoRAs; knows nothing of devices or of what the weights mean.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.checkpoint import ModelShape
from engine.lora_files import LoraFile, LoraUse


@dataclass(slots=True)
class _Change:
    """What one LoRA does to the tensor that is being read.

    second [out, r], first [r, in]: add second @ first; whole [elements]: go that far towards it.
    """

    strength: float
    first: Tensor | None = None
    second: Tensor | None = None
    whole: Tensor | None = None

    def __call__(self, values: Tensor, start: int) -> Tensor:
        """Return values [n] fp32, which begin at element ``start`` of the tensor, changed."""
        end = start + values.numel()
        if self.whole is not None:
            return torch.lerp(values, self.whole[start:end], self.strength)
        assert self.first is not None
        assert self.second is not None
        columns = self.first.shape[1]
        top, bottom = start // columns, -(-end // columns)
        rows = (self.second[top:bottom] @ self.first).view(-1)
        return values + rows[start - top * columns : end - top * columns]


class LoraMerge:
    """Several LoRAs over one model, applied in their order. Holds one tensor's pairs at a time."""

    def __init__(self, uses: Sequence[LoraUse], shape: ModelShape, model_name: str) -> None:
        """Open the files; raises what ``LoraFile`` and ``LoraFile.require_fit`` raise."""
        self._current = ""
        self._changes: list[_Change] = []
        with ExitStack() as stack:
            self._files = [(stack.enter_context(LoraFile(use.path)), use.strength) for use in uses]
            for file, _ in self._files:
                file.require_fit(shape, model_name)
            self._open = stack.pop_all()

    def __enter__(self) -> "LoraMerge":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._changes.clear()
        self._open.close()

    def __contains__(self, name: str) -> bool:
        """Tell whether any of them changes this tensor."""
        return any(name in file.pairs or name in file.replacements for file, _ in self._files)

    def changed(self, name: str, values: Tensor, start: int) -> Tensor:
        """Return a piece of tensor ``name`` as it becomes, fp32 [n].

        values: [n] in any type, the elements from ``start`` on. What no LoRA changes is returned
        as it is. Computed in fp32 from the file's own values: W + strength * (alpha / r) * B A.
        """
        if name not in self:
            return values
        if name != self._current:
            self._changes = [
                change
                for file, strength in self._files
                for change in _changes(file, name, strength)
            ]
            self._current = name
        result = values.float()
        for change in self._changes:
            result = change(result, start)
        return result


def _changes(file: LoraFile, name: str, strength: float) -> list[_Change]:
    """Return what one file does to one tensor: first the whole in its place, then the pair."""
    made = []
    if (entry := file.replacements.get(name)) is not None:
        made.append(_Change(strength, whole=torch.from_numpy(file.read(entry)).view(-1)))
    if (pair := file.pairs.get(name)) is not None:
        first, second = (torch.from_numpy(file.read(e)) for e in (pair.first, pair.second))
        made.append(_Change(strength, first, second * (strength * file.scale(pair))))
    return made
