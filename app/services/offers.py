"""What can be had and what is here, with what this machine makes of it; which one to recommend.

Plain values and pure functions; no Qt, no disk, no network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.hub.remote_model import RemoteModel, parameter_count

if TYPE_CHECKING:
    from engine.hub.library import LocalModel
    from engine.plan import Plan

COMFORTABLE_TOKENS_PER_S = 10.0
"""Faster than most people read."""


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """One download on the hub with its plan; ``path`` says where it lies when it is here."""

    id: str
    remote: RemoteModel
    plan: "Plan | None" = None
    path: Path | None = None
    added: bool = False  # by its address, not from the catalogue

    @property
    def parameters(self) -> int:
        """Weights in the model, from its label when its shape is unknown; 0 when neither is."""
        if self.remote.shape is not None:
            return self.remote.shape.parameters
        return int(parameter_count(self.remote.parameters_label))

    @property
    def is_plain(self) -> bool:
        """Whether it is the author's own model for chats, not one made for something else."""
        return self.remote.title == f"{self.remote.family} {self.remote.parameters_label}"


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A file on this computer with its plan; ``built_in``: it came with the app."""

    local: "LocalModel"
    plan: "Plan | None" = None
    built_in: bool = False

    @property
    def id(self) -> str:
        """The path, which no two files share."""
        return str(self.local.path)


def download_id(model: RemoteModel) -> str:
    """Return what tells this file from every other on the hub."""
    return f"{model.repo}/{model.file}" if model.file else model.repo


def recommended_id(models: Iterable[AvailableModel]) -> str:
    """Return the id of the model for this machine; "" when none fits.

    The largest that fits and writes faster than people read; among equals the newest. When
    nothing is that fast: the fastest that fits, or else the fastest that fits only just.
    """
    runs = [m for m in models if m.remote.supported and m.is_plain and not m.added]
    fits = [m for m in runs if m.plan is not None and m.plan.verdict == "fits"]
    quick = [m for m in fits if _speed(m) >= COMFORTABLE_TOKENS_PER_S]
    if quick:
        return max(quick, key=lambda m: (m.parameters, *_newest(m))).id
    rest = fits or [m for m in runs if m.plan is not None and m.plan.verdict == "tight"]
    return max(rest, key=lambda m: (_speed(m), *_newest(m))).id if rest else ""


def _speed(model: AvailableModel) -> float:
    return model.plan.write_tokens_per_s if model.plan is not None else 0.0


def _newest(model: AvailableModel) -> tuple[str, str, str]:
    return model.remote.date, model.remote.release, model.id
