"""Loose wordings keep what a question is about."""

import random

from engine.training.corpus.loose_wording import loosened

QUESTION = "how do i change the name of this chat"


def test_the_content_words_stay_in_their_order() -> None:
    for seed in range(500):
        words = loosened(QUESTION, random.Random(seed)).split(" ")
        assert [word for word in words if word in ("change", "name", "chat")] == [
            "change",
            "name",
            "chat",
        ]


def test_most_questions_stay_as_they_are_and_others_differ_in_many_ways() -> None:
    said = [loosened(QUESTION, random.Random(seed)) for seed in range(1000)]
    assert 650 < said.count(QUESTION) < 800
    assert len(set(said)) > 60
    assert "change name chat" in said


def test_a_question_of_one_word_never_vanishes() -> None:
    assert all(loosened("what", random.Random(seed)) for seed in range(100))
