"""Which files are one model to a person, and which one is recommended.

Pure functions over what the hub offers and what the machine can do; no Qt, no disk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.hub.catalogue import RemoteModel
from engine.plan import Plan

COMFORTABLE_TOKENS_PER_S = 10.0
"""Faster than most people read."""
_FORMATS = ("pth", "safetensors", "folder", "gguf")


@dataclass(frozen=True, slots=True)
class AvailableModel:
    """One download on the hub with what this machine makes of it."""

    id: str
    remote: RemoteModel
    plan: Plan | None = None
    path: Path | None = None  # where it lies, when it was downloaded already
    added: bool = False  # by its address, not from the catalogue

    @property
    def parameters(self) -> int:
        """Weights in the model; from its label when its shape is unknown; 0 when neither is."""
        if self.remote.shape is not None:
            return self.remote.shape.parameters
        return parameters_of(self.remote.parameters_label)


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """All files of one model; the first variant is the one to take."""

    key: str
    variants: tuple[AvailableModel, ...]

    @property
    def best(self) -> AvailableModel:
        """The newest variant that runs here, in the plainest format."""
        return self.variants[0]


def parameters_of(label: str) -> int:
    """Return the number behind a label such as 1.5B or 430M; 0 when it is none."""
    units = {"B": 1e9, "M": 1e6}
    text = label.strip().upper()
    try:
        return int(float(text[:-1]) * units[text[-1]])
    except (KeyError, ValueError, IndexError):
        return 0


def recommended_id(models: Iterable[AvailableModel]) -> str:
    """Return the id of the model for this machine; "" when none fits.

    The largest that fits and writes faster than people read; among equals the newest. When
    nothing is that fast: the fastest that fits, or else the fastest that fits only just.
    """
    runs = [m for m in models if m.remote.supported and m.plan is not None and not m.added]
    fits = [m for m in runs if m.plan is not None and m.plan.verdict == "fits"]
    quick = [m for m in fits if _speed(m) >= COMFORTABLE_TOKENS_PER_S]
    if quick:
        return max(quick, key=lambda m: (m.parameters, *_newest(m))).id
    rest = fits or [m for m in runs if m.plan is not None and m.plan.verdict == "tight"]
    return max(rest, key=lambda m: (_speed(m), *_newest(m))).id if rest else ""


def group_models(models: Sequence[AvailableModel], recommended: str = "") -> list[ModelGroup]:
    """Return one group per model: recommended first, then newest family, small to large."""
    found: dict[str, list[AvailableModel]] = {}
    for model in models:
        found.setdefault(_group_key(model), []).append(model)
    groups = [
        ModelGroup(key, tuple(sorted(held, key=lambda m: _variant_order(m, recommended))))
        for key, held in found.items()
    ]
    latest: dict[str, str] = {}
    for model in models:
        family = model.remote.family
        latest[family] = max(latest.get(family, ""), model.remote.date)

    def order(group: ModelGroup) -> tuple[bool, bool, bool, tuple[int, ...], int, str]:
        best = group.best
        return (
            best.id != recommended,
            not best.added,
            not best.remote.supported,
            _descending(latest[best.remote.family]),
            best.parameters,
            group.key,
        )

    return sorted(groups, key=order)


def _group_key(model: AvailableModel) -> str:
    remote = model.remote
    if model.added or not (remote.family and remote.parameters_label):
        return remote.repo if model.added else remote.title or model.id
    return f"{remote.family} {remote.parameters_label}"


def _speed(model: AvailableModel) -> float:
    return model.plan.write_tokens_per_s if model.plan is not None else 0.0


def _newest(model: AvailableModel) -> tuple[str, int, str]:
    return model.remote.date, -_format_rank(model), model.id


def _variant_order(
    model: AvailableModel, recommended: str
) -> tuple[bool, bool, tuple[int, ...], int, int, str]:
    return (
        model.id != recommended,
        not model.remote.supported,
        _descending(model.remote.date),
        _format_rank(model),
        model.remote.size_bytes,
        model.id,
    )


def _format_rank(model: AvailableModel) -> int:
    form = model.remote.format
    return _FORMATS.index(form) if form in _FORMATS else len(_FORMATS)


def _descending(text: str) -> tuple[int, ...]:
    """Return a key that sorts texts of digits from the last to the first, empty ones at the end."""
    return tuple(-ord(letter) for letter in text) if text else (0,)
