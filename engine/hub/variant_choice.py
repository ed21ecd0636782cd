"""Which file of a model suits a machine: the files differ in bits and in format, not in words.

Knows names and sizes, and in which type the machine's plan computes; neither disks nor downloads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.hub.remote_model import RemoteModel
from engine.strategy import NATIVE_WEIGHTS

if TYPE_CHECKING:
    from engine.plan import Plan

Reason = Literal["", "whole", "eight_bits", "fewer_bits"]
_EIGHT = 8
_FORMATS = ("pth", "safetensors", "gguf", "folder")
"""Of equals the plainest is taken: one file, and the author's own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The file to take, and why: "whole" (nothing was rounded after training), "eight_bits"
    (half the download, and this machine computes in no more), "fewer_bits" (there is no better
    one); "" where there is nothing to choose."""

    model: RemoteModel
    reason: Reason


def choose_variant(variants: Sequence[RemoteModel], plan: "Plan | None") -> Choice:
    """Return the file of the newest release to take; variants are a family's, newest first.

    A file of 8 bits is taken where the plan computes in int8 or q4 on every device: what 16 bits
    would hold is rounded at loading anyway. Fewer than 8 bits are taken only where a release has
    nothing else.
    """
    first = variants[0]
    same = [m for m in variants if m.supported == first.supported and _release(m, first)]
    if len(same) == 1:
        return Choice(first, "")
    eight = [m for m in same if m.bits == _EIGHT]
    if eight and plan is not None and _computes_in_eight_bits(plan):
        return Choice(_plainest(eight), "eight_bits")
    whole = [m for m in same if not m.bits or m.bits > _EIGHT]
    if whole:
        return Choice(_plainest(whole), "whole")
    most = max(m.bits for m in same)
    return Choice(_plainest([m for m in same if m.bits == most]), "fewer_bits")


def _release(model: RemoteModel, first: RemoteModel) -> bool:
    return model.release == first.release and bool(model.release or model.date == first.date)


def _computes_in_eight_bits(plan: "Plan") -> bool:
    stages = plan.strategy.stages
    return bool(stages) and all(stage.weights in NATIVE_WEIGHTS for stage in stages)


def _plainest(models: Sequence[RemoteModel]) -> RemoteModel:
    def order(model: RemoteModel) -> tuple[int, int]:
        known = _FORMATS.index(model.format) if model.format in _FORMATS else len(_FORMATS)
        return known, model.bits or 16

    return min(models, key=order)
