"""Small talk: every intent has an answer that its own sign accepts."""

import random
import re

from engine.training.corpus.smalltalk import INTENTS, SmallTalk


def test_every_answer_bears_the_sign_of_its_intent() -> None:
    for intent in INTENTS:
        for answer in intent.answers:
            assert re.search(intent.sign, answer, re.IGNORECASE), answer


def test_what_the_test_says_is_not_in_training() -> None:
    users = {user.lower() for intent in INTENTS for user in intent.users}
    held = [user.lower() for intent in INTENTS for user in intent.held]
    assert all(intent.held for intent in INTENTS)
    assert not users & set(held)


def test_nothing_is_empty() -> None:
    skill = SmallTalk()
    for seed in range(300):
        exchange = skill.exchange(random.Random(seed))
        assert exchange.user.strip()
        assert exchange.assistant
        probe = skill.probe(random.Random(seed))
        assert probe.grade(probe.expected)
