"""Which files are one model to a person: what the list of available models shows as one card.

Pure functions; no Qt, no disk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from app.services.offers import AvailableModel
from engine.hub.remote_model import RemoteModel, group
from engine.hub.variant_choice import Choice, Reason, choose_variant


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """All files of one model; the first variant is the one on top.

    That is the file that somebody chose for the card, or ``suited``, the id of the one for this
    machine, and ``reason`` says why it is that.
    """

    key: str
    variants: tuple[AvailableModel, ...]
    suited: str = ""
    reason: Reason = ""

    @property
    def best(self) -> AvailableModel:
        """The variant on top."""
        return self.variants[0]

    @property
    def card_key(self) -> str:
        """What tells its card from others: another file on top is another card."""
        return f"{self.key}\n{self.best.id}"


def group_models(
    models: Sequence[AvailableModel],
    recommended: str = "",
    chosen: Mapping[str, str] = MappingProxyType({}),
) -> list[ModelGroup]:
    """Return one group per model: recommended first, then added ones, then as the hub orders.

    chosen: by title, the id of the file that the user wants on top.
    """
    by_remote = {model.remote: model for model in models}
    groups = [
        _group(
            family.title,
            [by_remote[variant] for variant in family.variants],
            recommended,
            chosen.get(family.title, ""),
        )
        for family in group(model.remote for model in models)
    ]
    return sorted(groups, key=lambda g: (not _holds(g, recommended), not _added(g)))


def _group(title: str, variants: list[AvailableModel], recommended: str, chosen: str) -> ModelGroup:
    choice = _choice(variants)
    ids = {variant.remote: variant.id for variant in variants}
    suited = recommended if recommended in ids.values() else ids[choice.model]
    top = chosen if chosen in ids.values() else suited
    # sorted() is stable: the others stay newest first.
    ordered = sorted(variants, key=lambda variant: (variant.id != top, variant.id != suited))
    reason: Reason = choice.reason if suited == ids[choice.model] else ""
    return ModelGroup(title, tuple(ordered), suited, reason)


def _choice(variants: list[AvailableModel]) -> Choice:
    """Return the file for this machine; of the newest release the one that is here already."""
    remotes: list[RemoteModel] = [variant.remote for variant in variants]
    choice = choose_variant(remotes, variants[0].plan)
    here = [
        v.remote
        for v in variants
        if v.path is not None and v.remote.supported and v.remote.release == choice.model.release
    ]
    return Choice(here[0], "") if here and choice.model not in here else choice


def _holds(found: ModelGroup, recommended: str) -> bool:
    return any(variant.id == recommended for variant in found.variants)


def _added(found: ModelGroup) -> bool:
    return any(variant.added for variant in found.variants)
