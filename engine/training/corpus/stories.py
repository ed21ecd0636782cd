"""Short stories about a hero, an animal and a place that the user names. Knows no other skill."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.training.corpus import meetings, names, plots, words
from engine.training.corpus.common_words import COMMON_WORDS
from engine.training.corpus.exchange import Exchange, Probe, casual, chosen, held_out
from engine.training.corpus.teller import tells

_START = re.compile(r'(?:^|(?<=[.!?] )|(?<=[.!?]" )(?!(?:(?:he|she|it) )?(?:asked|said)))[a-z]')
_END = "The end."
_MEETING_SHARE = 0.5
"""How many stories are about somebody who meets an animal, not about an animal with a name."""
_FEW_PLACES = ("a forest", "a quiet village", "a green valley")
_ANY_WORDS = (*COMMON_WORDS, *words.THINGS, *words.ADJECTIVES)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who the story is about and where; place: as it is said after "in".

    met: what the user says of the animal ("talking ", or nothing) where ``name`` is somebody who
    meets it; None where the animal itself has the name.
    """

    name: str
    animal: str
    place: str
    met: str | None = None

    @property
    def core(self) -> str:
        """The place without its article."""
        return re.sub(r"^(?:an?|the) ", "", self.place)


@dataclass(frozen=True, slots=True)
class ToldWell:
    """Right when the story holds the hero, the animal and the place, and ends as stories end."""

    cast: Cast

    def __call__(self, answer: str) -> bool:
        """Grade a story; capitals do not matter."""
        cast = self.cast
        named = all(tells(answer, word) for word in (cast.name, cast.animal, cast.core))
        return named and answer.rstrip().endswith(_END)


class Stories:
    """Stories of 60 to 130 tokens."""

    name = "stories"

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return a request and its story; some requests leave the hero or the place open."""
        cast = draw_cast(rng, held)
        if held or rng.random() > 0.2:
            asking = _asking(cast, rng, held)
        else:
            asking = rng.choice(plots.ASKING_LESS)
            cast = _completed(cast, asking, rng)
        return Exchange(casual(_request(asking, cast, rng), rng), tell(cast, rng))

    def probe(self, rng: random.Random) -> Probe:
        """Return a request with a name, an animal and a place that are not in training."""
        cast = draw_cast(rng, True)
        user = _request(_asking(cast, rng, rng.random() < 0.5), cast, rng)
        return Probe(self.name, (), user, tell(cast, rng), ToldWell(cast))


def _asking(cast: Cast, rng: random.Random, held: bool) -> str:
    room = plots if cast.met is None else meetings
    return rng.choice(room.ASKING_HELD if held else room.ASKING)


def _request(asking: str, cast: Cast, rng: random.Random) -> str:
    """Return a wording filled in as what the user writes."""
    met = cast.met or ""
    user = chosen(asking, rng).format(
        n=cast.name, x=words.article(met + cast.animal), j=met, a=cast.animal, p=cast.place
    )
    return user[:1].upper() + user[1:]


def about_own(name: str, animal: str, rng: random.Random) -> Exchange:
    """Return a request for a story about the user's animal, whose name was told before."""
    user = rng.choice(plots.ASKING_OWN).format(a=animal)
    return Exchange(casual(user, rng), tell(Cast(name, animal, rng.choice(_FEW_PLACES)), rng))


def tell(cast: Cast, rng: random.Random) -> str:
    """Return a story in one paragraph.

    Mostly the first letter of the name chooses the plot: without anything to choose by, a model
    that always writes what is likeliest would tell everybody the same story.
    """
    room = plots if cast.met is None else meetings
    by_name = room.PLOTS[ord(cast.name[0].lower()) % len(room.PLOTS)]
    plot = by_name if rng.random() < 0.7 else rng.choice(room.PLOTS)
    sentences = [rng.choice(room.OPENINGS), *map(rng.choice, plot), rng.choice(room.ENDINGS)]
    return _filled(" ".join(sentences), cast, rng)


def _filled(text: str, cast: Cast, rng: random.Random) -> str:
    he, him, his = rng.choice((("he", "him", "his"), ("she", "her", "her")))
    thing, other = rng.choice(plots.THINGS), rng.choice(words.ANIMALS)
    known = re.sub(r"^an? ", "the ", cast.place)
    adjective = rng.choice(plots.TRAITS)
    for article in ("{x} {d}", "{y} {d}"):
        text = text.replace(article, f"{words.article(adjective)} {adjective}")
    met = cast.met or ""
    article = words.article(met + cast.animal)
    filled = text.format(
        n=cast.name,
        a=cast.animal,
        x=article,
        X=article.capitalize(),
        j=met,
        i=f"in {cast.place}",
        I=f"In {cast.place}",
        p=known,
        s=he,
        o=him,
        h=his,
        t=thing,
        y=words.article(thing),
        w=other,
        d=adjective,
    )
    return _START.sub(lambda found: found[0].upper(), _articles(filled))


def _articles(text: str) -> str:
    """Return a text in which "a" stands before no vowel."""
    return re.sub(r"\b([Aa]) (?=[aeio]|honest)", r"\1n ", text)


def draw_cast(rng: random.Random, held: bool) -> Cast:
    """Return a hero, an animal and a place; held: such as training never names."""
    met = rng.choice(meetings.TRAITS) if rng.random() < _MEETING_SHARE else None
    pets = 0.4 if met is None else 0.15
    name = names.pet(rng, held) if rng.random() < pets else names.person(rng, held)
    return Cast(name, _animal(rng, held), _place(rng, held), met)


def _animal(rng: random.Random, held: bool) -> str:
    """Return an animal; some are held out, and some are made up, so that all can be copied."""
    chance = rng.random()
    if chance < 0.12:
        return names.invented(rng, held).lower()
    if not held and chance < 0.25:
        return rng.choice(words.THINGS)
    return _kept(words.ANIMALS, "animal", rng, held and rng.random() < 0.5)


def _place(rng: random.Random, held: bool) -> str:
    """Return a place; of those for training many are thrown together, so that any can be copied."""
    chance = rng.random()
    if chance < 0.3:
        return names.city(rng, held)
    if not held and chance < 0.65:
        return _thrown_together(rng)
    return _kept(plots.PLACES, "place", rng, held and rng.random() < 0.5)


def _thrown_together(rng: random.Random) -> str:
    """Return one, two or three words that no list of places has: "an orange kettle"."""
    before = [rng.choice(_ANY_WORDS) for _ in range(rng.choice((0, 1, 1, 2)))]
    core = " ".join((*before, rng.choice(_ANY_WORDS)))
    place = f"{rng.choice((words.article(core), 'the'))} {core}"
    return place if place not in plots.PLACES else _thrown_together(rng)


def _kept(listed: tuple[str, ...], kind: str, rng: random.Random, held: bool) -> str:
    while True:
        word = rng.choice(listed)
        if held_out(kind, word) == held:
            return word


def _completed(cast: Cast, asking: str, rng: random.Random) -> Cast:
    """Return the cast with what the user leaves open chosen from few: easy to choose well."""
    choices: dict[str, Callable[[], str]] = {
        "name": lambda: rng.choice(plots.NAMES),
        "animal": lambda: rng.choice(("fox", "hedgehog", "goose", "rabbit", "bear", "mouse")),
        "place": lambda: rng.choice(_FEW_PLACES),
    }
    given = {"name": "{n}", "animal": "{a}", "place": "{p}"}
    left = {part: choose() for part, choose in choices.items() if given[part] not in asking}
    return replace(cast, met=None, **left)
