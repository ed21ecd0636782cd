"""Named ways to choose tokens. Pure values; the model's own advice is the template's."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.sampling_params import SamplingParams

if TYPE_CHECKING:
    from engine.templates import Template

RECOMMENDED, PRECISE, CREATIVE, CUSTOM = "recommended", "precise", "creative", "custom"

_CHANGES: dict[str, dict[str, float]] = {
    PRECISE: {"temperature": 1.0, "top_p": 0.3, "presence_penalty": 0.3, "frequency_penalty": 0.3},
    CREATIVE: {"temperature": 1.1, "top_p": 0.8, "presence_penalty": 0.3, "frequency_penalty": 0.3},
}
_CHOSEN = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "penalty_decay",
)


def apply_preset(
    name: str, sampling: SamplingParams, recommended: SamplingParams
) -> SamplingParams:
    """Return ``sampling`` with a preset's values; seed, limits and bans stay as they are."""
    if name == CUSTOM:
        return sampling
    source = recommended
    if name in _CHANGES:
        source = replace(SamplingParams(), **_CHANGES[name])  # type: ignore[arg-type]
    return replace(sampling, **{key: getattr(source, key) for key in _CHOSEN})


def preset_of(sampling: SamplingParams, recommended: SamplingParams) -> str:
    """Return the name of the preset that gives these values, or "custom"."""
    for name in (RECOMMENDED, PRECISE, CREATIVE):
        if apply_preset(name, sampling, recommended) == sampling:
            return name
    return CUSTOM


def adapted(
    sampling: SamplingParams, think: str, template: "Template", known: Iterable["Template"]
) -> SamplingParams:
    """Return the template's advice where ``sampling`` is some template's, else ``sampling``.

    What a template advises was chosen by nobody, so it follows the model: a small one may need to
    be surer than another. think: the chat's thinking mode.
    """
    advice = (other.sampling(think) for other in known)
    if any(preset_of(sampling, one) == RECOMMENDED for one in advice):
        return apply_preset(RECOMMENDED, sampling, template.sampling(think))
    return sampling
