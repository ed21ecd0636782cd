"""Which skills there are and how much of each the model reads: the one place to change that.

Knows nothing of how a chat is composed or of tokens.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from engine.training.corpus.exchange import Exchange, Skill

MEMORY_SHARE = 0.45
"""The part of all tokens that is in chats in which facts are remembered; the rest is other talk."""

SHARES: Mapping[str, float] = {
    "arithmetic": 0.08,
    "thinking": 0.05,
    "spelling": 0.02,
    "backwards": 0.04,
    "sorting": 0.04,
    "counting": 0.04,
    "copying": 0.05,
    "app knowledge": 0.18,
    "unknown": 0.09,
    "stories": 0.22,
    "small talk": 0.05,
    "two questions": 0.04,
}
"""How the tokens of other talk are divided, in memory chats as well; only the ratios count."""

_SAMPLES = 48
"""Exchanges of each skill that are looked at to know how long its exchanges are."""


def skills() -> dict[str, Skill]:
    """Return every skill by its name; memory and correction with all the others as their talk."""
    from engine.training.corpus.memory import Correction, Memory

    others = talk_skills()
    talk = Talk(others, held=True)
    return {"memory": Memory(talk), "correction": Correction(talk), **others}


def talk_skills() -> dict[str, Skill]:
    """Return the skills whose exchanges stand alone, by their names."""
    from engine.training.corpus.arithmetic import Arithmetic
    from engine.training.corpus.copying import Copying
    from engine.training.corpus.counting import Counting
    from engine.training.corpus.doubles import Doubles
    from engine.training.corpus.knowledge import AppKnowledge
    from engine.training.corpus.letters import Backwards, SortLetters, Spelling
    from engine.training.corpus.smalltalk import SmallTalk
    from engine.training.corpus.stories import Stories
    from engine.training.corpus.sums import TwoStepSums
    from engine.training.corpus.unknown import Unknowable

    arithmetic, backwards, app, unknown = Arithmetic(), Backwards(), AppKnowledge(), Unknowable()
    made: tuple[Skill, ...] = (
        arithmetic,
        TwoStepSums(),
        Spelling(),
        backwards,
        SortLetters(),
        Counting(),
        Copying(),
        app,
        unknown,
        Stories(),
        SmallTalk(),
        Doubles((arithmetic, app, app, backwards, unknown)),
    )
    return {skill.name: skill for skill in made}


class Talk:
    """Draws exchanges so that each skill has its share of the text, not of the exchanges."""

    def __init__(
        self,
        skills: Mapping[str, Skill],
        shares: Mapping[str, float] = SHARES,
        held: bool = False,
        length: Callable[[Exchange], float] | None = None,
    ) -> None:
        """Skills without a share are never drawn. held: content of the test.

        length: how long an exchange is, in tokens or (None) in characters.
        """
        self._skills = [skill for name, skill in skills.items() if shares.get(name, 0) > 0]
        self._held = held
        chances = [
            shares[skill.name] / _mean_length(skill, length or characters) for skill in self._skills
        ]
        self._bounds: Sequence[float] = list(accumulate(chances))

    def __call__(self, rng: random.Random) -> Exchange:
        """Return the next exchange."""
        return self.skill(rng).exchange(rng, self._held)

    def skill(self, rng: random.Random) -> Skill:
        """Return the skill that is next."""
        return rng.choices(self._skills, cum_weights=self._bounds)[0]


def _mean_length(skill: Skill, length: Callable[[Exchange], float]) -> float:
    """Return how long an exchange is on average: the same on every machine."""
    rng = random.Random(skill.name)
    drawn = [skill.exchange(rng) for _ in range(_SAMPLES)]
    return sum(length(exchange) for exchange in drawn) / len(drawn)


def characters(exchange: Exchange) -> int:
    """Return about how long an exchange is in a document."""
    return len(exchange.user) + len(exchange.assistant) + len(exchange.thought) + 20
