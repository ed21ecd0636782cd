"""What can be had and what is here, with what this machine makes of it; which one to recommend.

Plain values and pure functions; no Qt, no disk, no network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.hub.remote_model import RemoteModel, group, parameter_count
from engine.hub.variant_choice import choose_variant

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
        """Whether it is a plain RWKV-7 for chats, not one made for something else."""
        remote = self.remote
        wanted = f"{remote.family} {remote.parameters_label}"
        return remote.title == wanted and not (remote.is_older or remote.branch)


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
    """Return the id of the file for this machine; "" when none fits.

    Of the largest model that fits and writes faster than people read; among equals the newest.
    When nothing is that fast: of the fastest that fits, or else the fastest that fits only just.
    Which of a model's files it is, ``choose_variant`` says.
    """
    runs = [m for m in models if m.remote.supported and m.is_plain and not m.added]
    best = _best(runs)
    if best is None:
        return ""
    (family,) = group(m.remote for m in runs if m.remote.title == best.remote.title)
    return download_id(choose_variant(family.variants, best.plan).model)


def _best(runs: list[AvailableModel]) -> AvailableModel | None:
    fits = [m for m in runs if m.plan is not None and m.plan.verdict == "fits"]
    quick = [m for m in fits if _speed(m) >= COMFORTABLE_TOKENS_PER_S]
    if quick:
        return max(quick, key=lambda m: (m.parameters, *_newest(m)))
    rest = fits or [m for m in runs if m.plan is not None and m.plan.verdict == "tight"]
    return max(rest, key=lambda m: (_speed(m), *_newest(m))) if rest else None


def _speed(model: AvailableModel) -> float:
    return model.plan.write_tokens_per_s if model.plan is not None else 0.0


def _newest(model: AvailableModel) -> tuple[str, str, str]:
    return model.remote.date, model.remote.release, model.id
