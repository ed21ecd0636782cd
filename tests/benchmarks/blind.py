"""A model asked in the words of somebody who never saw its corpus.

    python -m tests.benchmarks.blind [MODEL]

``blind_wordings.json`` holds ways to tell facts, to ask for them and to ask for stories. Values,
names, animals and places are those that training holds out; 1, 5 or 20 exchanges of other talk
stand between telling and asking. Each wording is asked four times. Without MODEL: Gosling.
"""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.built_in import require_built_in
from engine.training.corpus.exchange import Exchange, Probe
from engine.training.corpus.facts import kinds
from engine.training.corpus.memory import Talk, Tells, other_talk
from engine.training.corpus.mixture import Talk as MixedTalk
from engine.training.corpus.mixture import talk_skills
from engine.training.corpus.stories import ToldWell, draw_cast
from engine.training.corpus.teller import Teller
from engine.training.evaluate import Task, evaluate, load

WORDINGS = Path(__file__).with_name("blind_wordings.json")
EACH = 4
ROOM_CHARACTERS = 5600
DISTANCES = (1, 5, 20)


class BlindFacts:
    """A kind of fact in these wordings: each way to tell it in its turn."""

    def __init__(self, name: str, wordings: Mapping[str, Sequence[str]], talk: Talk) -> None:
        """wordings: "tell" and "ask", with {v} for the value and {k} for which one."""
        self.name = name
        self._wordings, self._talk, self._asked = wordings, talk, 0

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return the telling alone."""
        return self.probe(rng).context[0]

    def probe(self, rng: random.Random) -> Probe:
        """Return a fact told, other talk, and the question."""
        table = kinds()
        key = (self.name, table[self.name].which(rng))
        teller = Teller(rng, table, held=True)
        teller.tell(key)
        value, tells = teller.known[key], self._wordings["tell"]
        told = tells[self._asked % len(tells)].replace("{v}", value).replace("{k}", key[1])
        self._asked += 1
        context = [Exchange(told, "Got it.")]
        context += other_talk(rng, self._talk, rng.choice(DISTANCES), ROOM_CHARACTERS)
        question = rng.choice(self._wordings["ask"]).replace("{k}", key[1])
        return Probe(self.name, tuple(context), question, value, Tells(value))


class BlindStories:
    """Stories asked for in these wordings, each in its turn."""

    name = "story"

    def __init__(self, wordings: Sequence[str]) -> None:
        """wordings: with {n} for the name, {a} for the animal, {p} for the place."""
        self._wordings, self._asked = wordings, 0

    def exchange(self, rng: random.Random, held: bool = False) -> Exchange:
        """Return the request alone."""
        return Exchange(self.probe(rng).question, "The end.")

    def probe(self, rng: random.Random) -> Probe:
        """Return a request with held-out content."""
        cast = draw_cast(rng, True)
        asked = self._wordings[self._asked % len(self._wordings)]
        self._asked += 1
        for mark, word in (("{n}", cast.name), ("{a}", cast.animal), ("{p}", cast.place)):
            asked = asked.replace(mark, word)
        return Probe(self.name, (), asked, f"A story of {cast}.", ToldWell(cast))


def main() -> None:
    """Ask everything, and print what was right and what was not."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else require_built_in()
    wordings = json.loads(WORDINGS.read_text("utf-8"))
    talk = MixedTalk(talk_skills(), held=True)
    model = load(path, "cpu fp32")
    for name, found in wordings.items():
        is_story = name == "story"
        skill = BlindStories(found) if is_story else BlindFacts(name, found, talk)
        count = EACH * len(found if is_story else found["tell"])
        task = Task(name, name, name, 0.95, 200 if is_story else 40)
        (result,) = evaluate(model, tasks=[task], skills={name: skill}, per_task=count).tasks
        print(f"{name:8} {result.right} of {result.total}", flush=True)
        for failure in result.failures:
            print(f"    {failure.question!r}: {failure.answer!r}, not {failure.expected!r}"[:200])
    model.backend.close()


if __name__ == "__main__":
    main()
