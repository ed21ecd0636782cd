"""The skills of memory: facts told and asked again, and facts corrected; their tests.

Knows nothing of tokens. The talk between telling and asking is the caller's.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.training.corpus import names, words
from engine.training.corpus.exchange import Exchange, Probe, casual
from engine.training.corpus.facts import kinds
from engine.training.corpus.teller import Key, Teller, tells

Talk = Callable[[random.Random], Exchange]

DISTANCES = (1, 5, 10, 20, 40)
"""How many exchanges of other talk stand between what was told and the question of a test."""
_ROOM_CHARACTERS = 5600
"""How long the other talk of a test may be: about 1,900 tokens of our own vocabulary."""
_CHANCES = {
    "name": 0.85,
    "city": 0.7,
    "pet": 0.75,
    "colour": 0.65,
    "number": 0.65,
    "job": 0.25,
    "food": 0.25,
    "hobby": 0.25,
    "relation": 0.3,
}
"""How often a user tells a fact of this kind, where there is room for many."""
_DISTRACTIONS = (
    ("I'm going to {c} next week.", "Have a good trip to {c}!"),
    ("I visited {c} last year.", "I hope that you enjoyed {c}."),
    ("My parents once lived in {c}.", "I see. I hope that they liked {c}."),
    ("{p} lives in {c}.", "I see, {p} lives in {c}."),
    ("My neighbour has a {k} called {t}.", "{t} is a nice name for a {k}."),
    ("I saw a {k} in the park today. Its name was {t}.", "I hope that {t} was friendly."),
    ("Someone called {p} phoned me today.", "What did {p} want?"),
    ("I read a book by {p} today.", "I hope that it was a good book."),
    ("Do you like the name {p}?", "Yes, {p} is a nice name."),
    ("{p} asked me about you.", "Say hello to {p} from me."),
    ("What do you think of {c}?", "I have never been to {c}. I live in this computer."),
    ("Is {c} a nice city?", "I have never been to {c}, but I like its name."),
    ("I painted my door {f} today.", "A {f} door sounds pretty."),
    ("My neighbour likes {f} best.", "Many people like {f}."),
    ("I bought a {f} hat.", "I am sure that the {f} hat suits you."),
    ("{p} loves the colour {f}.", "Then {p} would like a {f} room."),
    ("I waited for bus number {n} today.", "I hope that bus {n} came soon."),
    ("There were {n} people at the party.", "That sounds like a good party."),
    ("{p}'s lucky number is {n}.", "May {n} bring luck to {p}."),
    ("I met {p} from {c} today.", "I hope that you and {p} had a good talk."),
    ("My teacher was called {p}.", "I hope that {p} was a good teacher."),
    ("{p} has two cats, {t} and {u}.", "{t} and {u} are nice names for cats."),
    ("I will see {p} tomorrow.", "Have a good time with {p}!"),
    ("{c} is so far away.", "Yes, {c} is far away from me too."),
)


@dataclass(frozen=True, slots=True)
class Tells:
    """Right when the answer holds this value, and not the one that is no longer true."""

    value: str
    instead_of: str = ""

    def __call__(self, answer: str) -> bool:
        """Grade an answer; capitals do not matter."""
        rest = answer.casefold().replace(self.value.casefold(), "")  # dark green tells green
        wrong = self.instead_of and tells(rest, self.instead_of)
        return tells(answer, self.value) and not wrong


def some_facts(rng: random.Random, most: int) -> list[Key]:
    """Return at most so many facts that a user may tell, in any order; at least one."""
    table = kinds()
    keys = [
        (kind, table[kind].which(rng)) for kind, share in _CHANCES.items() if rng.random() < share
    ]
    if rng.random() < 0.2:
        keys.append(("pet", table["pet"].which(rng)))
    if rng.random() < 0.1:
        keys.append(("relation", table["relation"].which(rng)))
    keys = list(dict.fromkeys(keys)) or [("name", "")]
    rng.shuffle(keys)
    return keys[:most]


def other_fact(rng: random.Random, known: dict[Key, str]) -> Key:
    """Return a fact that was not told."""
    table = kinds()
    while True:
        kind = rng.choice(list(table))
        key = (kind, table[kind].which(rng))
        if key not in known:
            return key


def distraction(rng: random.Random, held: bool = False) -> Exchange:
    """Return talk about names, cities, colours and numbers that are not the user's own."""
    user, assistant = rng.choice(_DISTRACTIONS)
    values = {
        "c": names.city(rng, held),
        "p": names.person(rng, held),
        "t": names.pet(rng, held),
        "u": names.pet(rng, held),
        "k": rng.choice(words.PET_KINDS),
        "f": rng.choice(words.COLOURS),
        "n": str(rng.randint(2, 200)),
    }
    return Exchange(casual(user.format(**values), rng), assistant.format(**values))


class Memory:
    """Facts that are told and asked again."""

    name = "memory"

    def __init__(self, talk: Talk) -> None:
        """``talk`` draws an exchange of something else, with held-out content."""
        self._talk = talk

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return one message that tells facts, or a question for what was never told."""
        teller = Teller(rng, kinds(), held)
        if rng.random() < 0.7:
            return teller.tell(*some_facts(rng, rng.choice((1, 1, 2, 3))))
        if rng.random() < 0.1:
            return teller.ask_everything()
        return teller.ask(other_fact(rng, {}))

    def probe(self, rng: random.Random) -> Probe:
        """Return a question for one of five facts, told some exchanges before."""
        return self.probe_at(rng, rng.choice(DISTANCES))

    def probe_at(self, rng: random.Random, distance: int) -> Probe:
        """Return a question after so many exchanges of other talk, fewer where they are long."""
        teller, context = _told(rng)
        context += other_talk(rng, self._talk, distance, _ROOM_CHARACTERS)
        key = rng.choice(list(teller.known))
        return _question(self.name, rng, teller, context, key, Tells(teller.known[key]))


class Correction:
    """A fact that is corrected: the new one holds, and all the others stay."""

    name = "correction"

    def __init__(self, talk: Talk) -> None:
        """``talk`` draws an exchange of something else, with held-out content."""
        self._talk = talk

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return one correction of something that was told before this exchange."""
        teller = Teller(rng, kinds(), held)
        (key,) = some_facts(rng, 1)
        teller.tell(key)
        return teller.correct(key)

    def probe(self, rng: random.Random) -> Probe:
        """Return a question for the corrected fact, or for one of the others."""
        return self.probe_at(rng, rng.choice(DISTANCES))

    def probe_at(self, rng: random.Random, distance: int) -> Probe:
        """Return a question so many exchanges after the correction, half of the room before it."""
        teller, context = _told(rng)
        before = rng.randint(0, distance)
        context += other_talk(rng, self._talk, before, _ROOM_CHARACTERS // 2)
        key = rng.choice(list(teller.known))
        old = teller.known[key]
        context.append(teller.correct(key))
        context += other_talk(rng, self._talk, distance - before, _ROOM_CHARACTERS // 2)
        if rng.random() < 0.5:
            grade = Tells(teller.known[key], old)
        else:
            key = rng.choice([other for other in teller.known if other != key])
            grade = Tells(teller.known[key])
        return _question(self.name, rng, teller, context, key, grade)


def other_talk(rng: random.Random, talk: Talk, turns: int, characters: int) -> list[Exchange]:
    """Return so many exchanges of other talk, as many as fit into so many characters."""
    exchanges: list[Exchange] = []
    for _ in range(turns):
        other = distraction(rng, True) if rng.random() < 0.1 else talk(rng)
        characters -= len(other.user) + len(other.assistant) + len(other.thought) + 20
        if characters < 0:
            break
        exchanges.append(other)
    return exchanges


def _told(rng: random.Random) -> tuple[Teller, list[Exchange]]:
    """Return a user with held-out facts, and how they were told: in one to three messages."""
    teller = Teller(rng, kinds(), held=True)
    which = kinds()["pet"].which(rng)
    keys = [("name", ""), ("pet", which), ("city", ""), ("colour", ""), ("number", "")]
    rng.shuffle(keys)
    first, second = sorted(rng.sample(range(len(keys) + 1), 2))
    parts = [part for part in (keys[:first], keys[first:second], keys[second:]) if part]
    return teller, [teller.tell(*part) for part in parts]


def _question(
    skill: str,
    rng: random.Random,
    teller: Teller,
    context: list[Exchange],
    key: Key,
    grade: Tells,
) -> Probe:
    asked = teller.ask(key)
    return Probe(skill, tuple(context), asked.user, asked.assistant, grade)
