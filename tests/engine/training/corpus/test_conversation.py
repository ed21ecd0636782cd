"""Chats keep to their room, and tell nothing that they do not say."""

import random
import re

import pytest

from engine.training.corpus.conversation import Chat, memory_chat, talk_chat
from engine.training.corpus.exchange import Exchange


def other(rng: random.Random) -> Exchange:
    words = " ".join(rng.choices(("one", "two", "three"), k=rng.randint(1, 30)))
    return Exchange(f"Say {words}", words, thought=words if rng.random() < 0.2 else "")


def measure(exchange: Exchange) -> int:
    return len(exchange.user.split()) + len(exchange.assistant.split()) + 3


def size(chat: Chat) -> int:
    return sum(map(measure, chat.exchanges))


def chats(room: int, count: int = 100) -> list[Chat]:
    return [memory_chat(random.Random(seed), room, other, measure) for seed in range(count)]


@pytest.mark.parametrize("room", [64, 200, 1000])
def test_chats_fill_their_room_and_not_more(room: int) -> None:
    found = chats(room)
    assert all(0 < size(chat) <= room for chat in found)
    assert sum(map(size, found)) > 0.7 * room * len(found)


def test_a_chat_is_a_pure_function_of_its_seed() -> None:
    assert chats(300, 20) == chats(300, 20)


def test_a_name_in_an_answer_was_said_before() -> None:
    answers = 0
    for chat in chats(600):
        said = chat.system
        for exchange in chat.exchanges:
            said += " " + exchange.user.lower()
            found = re.fullmatch(r"Your name is (\w+)\.", exchange.assistant)
            if found:
                answers += 1
                assert found[1].lower() in said.lower()
    assert answers > 30


def test_some_facts_are_asked_far_behind_their_telling() -> None:
    far = 0
    for chat in chats(1500, 200):
        told = [n for n, one in enumerate(chat.exchanges) if "my name is" in one.user.lower()]
        asked = [
            n for n, one in enumerate(chat.exchanges) if one.assistant.startswith("Your name is")
        ]
        far += bool(told and asked and asked[0] - told[0] > 20)
    assert far >= 3


def test_other_talk_alone_may_be_one_exchange() -> None:
    found = [talk_chat(random.Random(seed), 200, other, measure) for seed in range(100)]
    lengths = [len(chat.exchanges) for chat in found]
    assert 20 < lengths.count(1) < 70
    assert max(lengths) > 5
    assert all(0 < size(chat) <= 200 for chat in found)


def test_some_chats_begin_with_a_system_text() -> None:
    systems = [chat.system for chat in chats(150, 400)]
    assert 5 < sum(map(bool, systems)) < 50
    assert any("user's name" in system or "with" in system for system in systems)
