"""A user with facts: what was told so far, and every exchange that can be had about it.

Knows nothing of other talk or of how long a chat is.
"""

import random
import re
from collections.abc import Mapping

from engine.training.corpus.exchange import Exchange, casual
from engine.training.corpus.facts import FactKind, Wordings
from engine.training.corpus.words import article

Key = tuple[str, str]
"""A fact's kind and which one of it: ("name", "") or ("pet", "dog")."""

_LEADS = (
    "By the way, ", "Oh, and ", "Just so you know, ", "Also, ", "And ", "So, ", "Hi, ", "Hello, ",
    "Hey, ", "Hi! ", "Hello! ", "Good morning! ", "Please remember: ", "Remember this: ",
    "Please remember that ", "Note that ", "You should know that ", "For your information, ",
    "Let me tell you something: ", "I want to tell you that ", "One more thing: ", "FYI, ",
    "You know, ", "Keep in mind that ", "Well, ", "Something about me: ",
)  # fmt: skip
_TAILS = (
    " btw", ", by the way", ", ok?", ", okay?", ", you know", ", just so you know", " lol", " :)",
    ", please remember that", ", remember that", ", so use that", ", don't forget", " haha",
    ", right?", ", if you want to know", ", in case you wonder", ", please note it", ", really",
    ", I think",
)  # fmt: skip
_ASKING = (
    "Do you remember {}?", "Do you remember {}?", "Can you tell me {}?", "Do you still know {}?",
    "Do you know {}?", "Tell me {}.", "Please tell me {}.", "Remind me {}.", "I forgot {}.",
    "Could you remind me {}?", "I wonder if you still know {}.", "Can you remember {}?", "Say {}.",
    "Can you say {}?", "Do you recall {}?", "Could you tell me {}?", "Have you forgotten {}?",
    "I have told you {}. Do you remember?", "Let us see if you remember {}.", "Test: {}?",
    "Tell me {} please.", "Please say {}.", "I want to know {}.", "I would like to hear {}.",
    "Did you remember {}?", "Quick, tell me {}!", "Repeat {}.", "What about {}?",
)  # fmt: skip
_ASK_LEADS = (
    "By the way, ", "Hey, ", "So, ", "Okay, ", "Quick question: ", "One more question: ", "And ",
    "Tell me, ", "Now, ", "Back to me: ", "Please tell me: ", "Gosling, ", "Something else: ",
    "Let me test you: ", "Hm, ", "Well, ", "Thanks. ", "Good. ", "Do you remember: ",
)  # fmt: skip
_CORRECTING = (
    "Actually, ", "No, ", "Sorry, ", "Wait, ", "Correction: ", "I made a mistake: ", "Oops, ",
    "That was wrong: ", "Please correct that: ", "Actually ", "No, wait, ", "I meant to say that ",
    "Sorry, I got that wrong, ", "Update: ", "Oh no, ", "Change of plan: ", "News: ", "Hm, no, ",
    "I have to correct myself: ", "By the way, ", "Guess what, ", "", "",
)  # fmt: skip
_NOTED = (
    "Got it.", "Okay, I will remember that.", "Thank you, I will remember that.", "Noted.",
    "Good to know.", "Thanks for telling me.", "All right, I will keep that in mind.", "I see.",
    "Thank you for telling me.", "I will remember it.",
)  # fmt: skip
_REPEATED = (
    "Got it, {}.", "Okay, {}.", "I will remember that {}.", "Noted: {}.", "Good to know that {}.",
    "Thank you. So {}.", "All right, {}.", "So {}. I will remember that.", "I see, {}.",
)  # fmt: skip
_CORRECTED = (
    "All right, {}.", "Thank you for correcting me: {}.", "Okay, {} now.", "Got it, {} now.",
    "Noted: {} now.", "I see, so {}.", "Thanks, I changed that: {}.", "I will remember that {}.",
    "Sorry! So {}.",
)  # fmt: skip
_EVERYTHING = Wordings(
    (
        "What do you know about me?", "What have I told you about me?", "Tell me what you know.",
        "What do you remember about me?", "List what you know about me.", "What did I tell you?",
        "Do you remember what I told you about myself?", "Say everything you know about me.",
        "Please sum up what I told you about me.", "Tell me something about me.",
        "Describe me.", "What facts about me do you know?", "What have I told you so far?",
        "What did I say about myself?", "Which things did I tell you?", "Tell me all about me.",
        "What do you know of me by now?", "What do you know about me so far?",
        "List everything I told you.", "Repeat what I told you about me.",
    ),
    ("What are the things that you know about me?", "Sum up what you know about me."),
)  # fmt: skip
_NOTHING = (
    "You have not told me anything about yourself yet.",
    "Nothing yet. You have not told me anything about yourself.",
)
_MISSING = (
    "You have not told me {} yet.", "You have not told me {} yet.",
    "I do not know. You have not told me {} yet.", "You have not told me {} so far.",
)  # fmt: skip


def sentence(text: str, mark: str = "") -> str:
    """Return a clause as a sentence: with a capital, and with a mark if it has none."""
    if mark and text[-1] not in ".?!":
        text += mark
    return text[:1].upper() + text[1:]


def listing(clauses: list[str]) -> str:
    """Return "a, b and c"."""
    if len(clauses) < 2:
        return "".join(clauses)
    return ", ".join(clauses[:-1]) + " and " + clauses[-1]


class Teller:
    """What one user has told, and what is said about it. Its methods change what is known."""

    def __init__(
        self, rng: random.Random, kinds: Mapping[str, FactKind], held: bool = False
    ) -> None:
        """``held``: names, numbers and wordings of the test instead of those for training."""
        self.known: dict[Key, str] = {}
        self._rng = rng
        self._kinds = kinds
        self._held = held

    def tell(self, *keys: Key) -> Exchange:
        """Tell facts in one message; those that are known already are told anew."""
        for key in keys:
            self.known[key] = self._new_value(key)
        clauses = [self._clause(key) for key in keys]
        return Exchange(self._telling(clauses), self._welcome(list(keys)))

    def ask(self, key: Key) -> Exchange:
        """Ask for a fact, which may never have been told."""
        asked = self._in_short(key)
        return Exchange(self._question(asked), self._answer(key, asked))

    def ask_two(self, first: Key, second: Key) -> Exchange:
        """Ask for two facts in one message, as one question or as two."""
        asked = (self._in_short(key) if key in self.known else key for key in (first, second))
        user = self._question_for_both(*asked)
        if first in self.known and second in self.known:
            both = f"{self._said(first, 0)} and {self._said(second, 0)}"
            return Exchange(user, sentence(both, "."))
        return Exchange(user, f"{self._plain(first)} {self._plain(second)}")

    def check(self, key: Key, right: bool) -> Exchange:
        """Ask whether a fact is what it is, or something else; the fact is known."""
        value = self.known[key] if right else self._new_value(key)
        kind = self._kinds[key[0]]
        words = self._fill(kind.checks.pick(self._rng, self._held), key, value)
        user = casual(sentence(words, "?"), self._rng)
        return Exchange(user, f"{'Yes' if right else 'No'}, {self._said(key, 0)}.")

    def ask_everything(self) -> Exchange:
        """Ask for all that is known."""
        rng = self._rng
        user = casual(_EVERYTHING.pick(rng, self._held), rng)
        order = list(self._kinds)
        keys = sorted(self.known, key=lambda key: (order.index(key[0]), key[1]))
        if not keys:
            return Exchange(user, rng.choice(_NOTHING))
        return Exchange(user, sentence(listing([self._said(key, 0) for key in keys]), "."))

    def correct(self, key: Key) -> Exchange:
        """Change a fact that is known."""
        rng, old = self._rng, self.known[key]
        kind = self._kinds[key[0]]
        lead = rng.choice(_CORRECTING)
        if rng.random() < 0.4:
            words = kind.clauses.pick(rng, self._held)
            lead = lead or "Actually, "
        else:
            words = kind.corrections.pick(rng, self._held)
        self.known[key] = self._new_value(key)
        user = sentence(lead + self._fill(words, key, self.known[key], old), ".")
        if rng.random() < 0.2:
            return Exchange(casual(user, rng), rng.choice(_NOTED))
        said = sentence(rng.choice(_CORRECTED).format(self._said(key, 0)))
        return Exchange(casual(user, rng), said)

    def _in_short(self, key: Key) -> Key:
        """Return what is asked for: the word "pet" will do where it can mean one only."""
        short = key[0] == "pet" and self._pets() in ([], [key]) and self._rng.random() < 0.3
        return ("pet", "pet") if short else key

    def _pets(self) -> list[Key]:
        return [key for key in self.known if key[0] == "pet"]

    def _new_value(self, key: Key) -> str:
        """Return a value that no fact has, nor is the end of one, as green is of dark green."""
        kind, taken = self._kinds[key[0]], tuple(self.known.values())
        while True:
            value = kind.value(self._rng, self._held)
            if not value.endswith(taken) and not any(other.endswith(value) for other in taken):
                return value

    def _fill(self, words: str, key: Key, value: str, old: str = "") -> str:
        if "{" not in words:
            return words
        return words.format(
            v=value,
            V=value[:1].upper() + value[1:],
            k=key[1],
            o=old,
            a=article(value),
            A=article(value).capitalize(),
            b=article(old),
        )

    def _clause(self, key: Key) -> str:
        kind = self._kinds[key[0]]
        return self._fill(kind.clauses.pick(self._rng, self._held), key, self.known[key])

    def _telling(self, clauses: list[str]) -> str:
        """Return clauses as one message."""
        rng = self._rng
        lead = rng.choice(_LEADS) if rng.random() < 0.45 else ""
        if rng.random() < 0.5:
            text = lead + listing(clauses)
        elif rng.random() < 0.5:
            text = lead + ". ".join([clauses[0], *(sentence(clause) for clause in clauses[1:])])
        else:
            text = lead + " and ".join(clauses)
        if rng.random() < 0.1 and text[-1] not in ".?!":
            text += rng.choice(_TAILS)
        return casual(sentence(text, rng.choice("...!")), rng)

    def _welcome(self, keys: list[Key]) -> str:
        """Return what the assistant says when it hears these facts."""
        rng, chance = self._rng, self._rng.random()
        if chance < 0.25:
            return rng.choice(_NOTED)
        if chance < 0.6 or len(keys) > 2:
            repeated = listing([self._said(key, 0) for key in keys])
            return sentence(rng.choice(_REPEATED).format(repeated))
        said = [
            self._fill(rng.choice(self._kinds[key[0]].greetings), key, self.known[key])
            for key in keys
        ]
        return " ".join(said)

    def _question(self, key: Key) -> str:
        rng = self._rng
        kind = self._kinds[key[0]]
        if rng.random() < 0.4:
            words = rng.choice(_ASKING).format(self._what(key))
            return casual(words, rng)
        words = self._fill(kind.questions.pick(rng, self._held), key, "")
        lead = rng.choice(_ASK_LEADS) if rng.random() < 0.3 else ""
        tail = rng.choice((" again", ", please", " now")) if rng.random() < 0.08 else ""
        return casual(sentence(lead + words + tail, "?"), rng)

    def _question_for_both(self, first: Key, second: Key) -> str:
        rng = self._rng
        if rng.random() < 0.5:
            wanted = f"{self._what(first)} and {self._what(second)}"
            return casual(rng.choice(_ASKING[:12]).format(wanted), rng)
        one, other = (
            self._fill(self._kinds[key[0]].questions.pick(rng, self._held), key, "")
            for key in (first, second)
        )
        if rng.random() < 0.5:
            return casual(sentence(f"{one} and {other}", "?"), rng)
        also = rng.choice(("", "", "and "))
        return casual(f"{sentence(one, '?')} {sentence(also + other, '?')}", rng)

    def _what(self, key: Key) -> str:
        words = self._kinds[key[0]].what.pick(self._rng, self._held)
        return self._fill(words, key, "")

    def _said(self, key: Key, variety: float = 0.3) -> str:
        said = self._kinds[key[0]].said
        words = self._rng.choice(said) if self._rng.random() < variety else said[0]
        return self._fill(words, key, self.known[key])

    def _plain(self, key: Key) -> str:
        """Return the usual answer to a question for one fact."""
        if key in self.known:
            return sentence(self._said(key, 0), ".")
        return f"You have not told me {self._fill(self._kinds[key[0]].missing[0], key, '')} yet."

    def _answer(self, key: Key, asked: Key) -> str:
        rng = self._rng
        if key not in self.known:
            missing = self._fill(rng.choice(self._kinds[key[0]].missing), asked, "")
            return rng.choice(_MISSING).format(missing)
        said = self._said(key)
        if asked == key and rng.random() < 0.06:
            return f"Of course, {said}."
        return sentence(said, ".")


def tells(answer: str, value: str) -> bool:
    """Tell whether an answer holds a value as words of its own, in whatever case."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", answer, re.IGNORECASE) is not None
