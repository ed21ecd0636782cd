"""Chats as tokens: the text of the template, and marks where the assistant writes."""

from pathlib import Path

import pytest

from engine.templates import load_templates
from engine.tokenizer import WorldTokenizer
from engine.training.chats import encode_chat, parse_messages
from tests.engine.training.small_vocabulary import write_small_vocabulary

SYSTEM = {"role": "system", "content": "Be kind."}
ASK = {"role": "user", "content": "hello  world\n\nyes"}
ANSWER = {"role": "assistant", "content": "abc.\n\nab"}
THINK = {"role": "assistant", "content": "abc", "reasoning": "ab\n\nyes "}


@pytest.fixture
def tokenizer(tmp_path: Path) -> WorldTokenizer:
    return WorldTokenizer.load(write_small_vocabulary(tmp_path / "v.txt"))


def spelled(messages: list[dict], template: str, tokenizer: WorldTokenizer) -> str:
    """Return the text of a chat, what is the assistant's in [ and ]."""
    encoded = encode_chat(parse_messages(messages), load_templates()[template], tokenizer)
    text, inside = "", 0
    for token, mark in zip(encoded[0], encoded[1].tolist(), strict=True):
        text += {(0, 1): "[", (1, 0): "]"}.get((inside, mark), "") + tokenizer.decode([token])
        inside = mark
    return text + "]" * inside


@pytest.mark.parametrize("template", ["world", "gosling", "classic"])
def test_question_and_answer(template: str, tokenizer: WorldTokenizer):
    assert spelled([SYSTEM, ASK, ANSWER, ASK, ANSWER, ASK], template, tokenizer) == (
        "System: Be kind.\n\nUser: hello  world\nyes\n\nAssistant:[ abc.\nab"
        "\n\nUser:] hello  world\nyes\n\nAssistant:[ abc.\nab]"
    )


def test_a_thought_is_the_assistants(tokenizer: WorldTokenizer):
    assert spelled([ASK, THINK, ASK, ANSWER], "gosling", tokenizer) == (
        "User: hello  world\nyes\n\nAssistant:[ <think>\nab\nyes\n</think>\nabc"
        "\n\nUser:] hello  world\nyes\n\nAssistant:[ abc.\nab]"
    )


def test_a_template_that_does_not_think_leaves_thoughts_out(tokenizer: WorldTokenizer):
    assert spelled([ASK, THINK], "classic", tokenizer).endswith("Assistant:[ abc]")


def test_the_flower_of_g1h_ends_a_reply(tokenizer: WorldTokenizer):
    assert spelled([SYSTEM, ASK, ANSWER, ASK, THINK], "g1h", tokenizer) == (
        "System✿Be kind.✿\nUser✿hello  world\nyes✿\nBot✿[abc.\nab"
        "✿\nUser✿]hello  world\nyes✿\nBot✿[<think>\nab\nyes\n</think>\nabc]"
    )


def test_pieces_are_encoded_as_the_app_encodes_them(tokenizer: WorldTokenizer):
    """The opener of a thought is read by itself: no token reaches over its end."""
    template = load_templates()["gosling"]
    tokens, _ = encode_chat(parse_messages([ASK, THINK]), template, tokenizer)
    given = [
        *tokenizer.encode(template.turn(ASK["content"], "think", first=True)),
        *tokenizer.encode(template.reply_start("think")),
    ]
    assert tokens[: len(given)] == given


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ({}, "not a list"),
        ([], "nothing in it"),
        ([SYSTEM], "nothing in it"),
        ([ASK], "nothing in it"),
        ([ANSWER], "in turn"),
        ([ASK, ASK, ANSWER], "in turn"),
        ([ASK, ANSWER, SYSTEM, ASK, ANSWER], "in turn"),
        ([ASK, {"role": "tool", "content": ""}], "none of the roles"),
        ([ASK, "hello"], "none of the roles"),
        ([ASK, {"role": "assistant"}], "no text"),
        ([ASK, {"role": "assistant", "content": ["abc"]}], "no text"),
        ([ASK, {"role": "assistant", "content": "abc", "reasoning": 1}], "no text"),
    ],
)
def test_messages_that_make_no_sense_are_refused(messages: object, words: str):
    with pytest.raises(ValueError, match=words):
        parse_messages(messages)
