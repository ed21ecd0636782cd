"""Which files are one model to a person: what the list of available models shows as one card.

Pure functions; no Qt, no disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.offers import AvailableModel
from engine.hub.remote_model import group


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """All files of one model; the first variant is the one to take."""

    key: str
    variants: tuple[AvailableModel, ...]

    @property
    def best(self) -> AvailableModel:
        """The recommended variant, or else the newest that runs here."""
        return self.variants[0]

    @property
    def card_key(self) -> str:
        """What tells its card from others: another file on top is another card."""
        return f"{self.key}\n{self.best.id}"


def group_models(models: Sequence[AvailableModel], recommended: str = "") -> list[ModelGroup]:
    """Return one group per model: recommended first, then added ones, then as the hub orders."""
    by_remote = {model.remote: model for model in models}
    groups = [
        ModelGroup(
            family.title,
            tuple(
                sorted((by_remote[v] for v in family.variants), key=lambda m: m.id != recommended)
            ),
        )
        for family in group(model.remote for model in models)
    ]
    return sorted(groups, key=lambda g: (g.best.id != recommended, not _added(g)))


def _added(found: ModelGroup) -> bool:
    return any(variant.added for variant in found.variants)
