"""Stories hold what was asked for and end well."""

import random
import re

from engine.training.corpus import meetings, plots
from engine.training.corpus.exchange import Probe, chosen, held_out
from engine.training.corpus.stories import Cast, Stories, ToldWell, about_own, tell

ROUNDS = 300


def cast_of(probe: Probe) -> Cast:
    assert isinstance(probe.grade, ToldWell)
    return probe.grade.cast


def test_a_story_holds_hero_animal_and_place_and_ends() -> None:
    for seed in range(ROUNDS):
        probe = Stories().probe(random.Random(seed))
        assert probe.grade(probe.expected)
        assert probe.expected.count(cast_of(probe).name) >= 2


def test_stories_are_clean_text() -> None:
    for seed in range(ROUNDS):
        exchange = Stories().exchange(random.Random(seed))
        for text in (exchange.user, exchange.assistant):
            assert not re.search(r"[{}\n]|  | \.|\b[Aa] [aeiou]", text), text
        assert 200 < len(exchange.assistant) < 700


def test_a_story_about_my_pet_calls_it_by_its_name() -> None:
    for seed in range(ROUNDS):
        exchange = about_own("Zorvath", "cat", random.Random(seed))
        assert "my cat" in exchange.user.lower()
        assert "Zorvath" not in exchange.user
        assert "Zorvath" in exchange.assistant
        assert exchange.assistant.endswith("The end.")


def test_sentences_begin_with_a_capital() -> None:
    for seed in range(ROUNDS):
        story = tell(Cast("Pip", "owl", "a forest"), random.Random(seed))
        assert not re.search(r"[.!?] [a-z]", story), story


def test_what_is_missing_fails() -> None:
    grade = ToldWell(Cast("Pip", "owl", "an old mill"))
    assert grade("Pip the owl lived in the old mill. The end.")
    assert not grade("Pip the owl lived in the old mill.")
    assert not grade("Pip the owl lived in the mill. The end.")
    assert not grade("Pippin the owl lived in the old mill. The end.")


def test_held_out_names_are_not_in_training() -> None:
    names = {cast_of(Stories().probe(random.Random(seed))).name for seed in range(100)}
    assert all(held_out("name", name.lower()) for name in names)
    assert not any(held_out("name", name.lower()) for name in plots.NAMES)


def test_there_are_many_wordings_and_plots() -> None:
    assert len(set(plots.ASKING)) >= 20
    assert not set(plots.ASKING) & set(plots.ASKING_HELD)
    stories = {tell(Cast("Pip", "owl", "Oslo"), random.Random(seed)) for seed in range(ROUNDS)}
    assert len(stories) > 0.95 * ROUNDS


def test_who_asks_for_any_story_gets_one_of_a_few_heroes() -> None:
    exchanges = [Stories().exchange(random.Random(seed)) for seed in range(2000)]
    open_ended = [one for one in exchanges if one.user.lower().startswith("tell me a story.")]
    assert open_ended
    assert all(any(name in one.assistant for name in plots.NAMES) for one in open_ended)


def test_requests_of_the_test_cannot_be_drawn_in_training() -> None:
    for room in (plots, meetings):
        held = {chosen(asking, random.Random(0)) for asking in room.ASKING_HELD}
        rng = random.Random(1)
        assert held.isdisjoint(chosen(rng.choice(room.ASKING), rng) for _ in range(3000))


def test_who_meets_an_animal_is_not_the_animal() -> None:
    cast = Cast("Nora", "fox", "an old mill", "talking ")
    for seed in range(ROUNDS):
        story = tell(cast, random.Random(seed))
        assert ToldWell(cast)(story)
        assert "a talking fox" in story.lower()
        assert "Nora the fox" not in story


def test_the_first_letter_of_a_name_chooses_among_the_plots() -> None:
    def told(name: str) -> set[str]:
        stories = (tell(Cast(name, "owl", "Oslo"), random.Random(seed)) for seed in range(40))
        return {story.split(". ")[1].replace(name, "X") for story in stories}

    assert told("Anna") != told("Berta")
