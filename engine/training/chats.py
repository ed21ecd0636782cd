"""Chats of a training file as tokens, each with a mark: is it the assistant's to write?

Tokens are those that the app would read: pieces of a template, each encoded by itself. Knows
nothing of files or of what a mark counts.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.templates import Template
from engine.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; role: system, user or assistant; reasoning: the thought before it."""

    role: str
    content: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A text that is encoded by itself; its first ``learned`` bytes are the assistant's."""

    text: str
    learned: int


def parse_line(line: str) -> tuple[Message, ...] | str:
    """Read a line of JSON Lines: the chat in its messages, else its text.

    Raises ValueError, which says why.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:  # what they say is for programmers
        raise ValueError("it is not valid JSON") from error
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    if "messages" in record:
        return parse_messages(record["messages"])
    if not isinstance(record.get("text"), str):
        raise ValueError("it has neither a text nor messages")
    return record["text"]


def parse_messages(values: object) -> tuple[Message, ...]:
    """Read ``[{"role", "content", "reasoning"?}...]``: at most one system message, then turns.

    A question at the end that nobody answered is left out. Raises ValueError, which says why.
    """
    if not isinstance(values, list):
        raise ValueError("its messages are not a list")
    messages = [_message(value) for value in values]
    if messages and messages[-1].role == "user":
        del messages[-1]
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    for i, message in enumerate(turns):
        if message.role != ("user", "assistant")[i % 2]:
            raise ValueError("its messages are not the user's and the assistant's in turn")
    if not turns:
        raise ValueError("nothing in it is the assistant's")
    return tuple(messages)


def _message(value: object) -> Message:
    record = value if isinstance(value, dict) else {}
    role, content = record.get("role"), record.get("content")
    reasoning = record.get("reasoning") or ""
    if role not in ("system", "user", "assistant"):
        raise ValueError("a message in it has none of the roles system, user and assistant")
    if not isinstance(content, str) or not isinstance(reasoning, str):
        raise ValueError("a message in it has no text")
    return Message(role, content, reasoning)


def encode_chat(
    messages: Sequence[Message], template: Template, tokenizer: Tokenizer
) -> tuple[list[int], np.ndarray]:
    """Return the tokens of a chat without any id 0, and their marks: uint8, 1 or 0.

    The assistant's is all of a reply and what follows it up to where the next question's text
    begins: that it stops is learned, too. messages: as ``parse_messages`` returns them.
    """
    tokens: list[int] = []
    marks: list[int] = []
    for piece in _pieces(messages, template):
        at = 0
        for token in tokenizer.encode(piece.text):
            tokens.append(token)
            marks.append(int(at < piece.learned))
            at += len(tokenizer.token_bytes(token))
    return tokens, np.array(marks, np.uint8)


def _pieces(messages: Sequence[Message], template: Template) -> Iterator[_Piece]:
    system = messages[0].content if messages[0].role == "system" else ""
    turns = messages[1:] if messages[0].role == "system" else messages
    # A blank before the text becomes one token with its first word.
    head = (template.separator + template.question.partition("{text}")[0]).rstrip(" ")
    for i in range(0, len(turns), 2):
        question, reply = turns[i : i + 2]
        thinks = bool(reply.reasoning.strip()) and "think" in template.modes
        text = template.turn(question.content, "think" if thinks else "off", first=i == 0)
        if i == 0:
            yield _Piece(template.opening(system) + text, 0)
        else:
            yield _Piece(text, len(head.encode()))
        for part in _reply(reply, template, thinks):
            yield _Piece(part, len(part.encode("utf-8", "surrogatepass")))


def _reply(reply: Message, template: Template, thinks: bool) -> tuple[str, ...]:
    """Return what the model writes; what the app writes for it when it is to think, by itself."""
    if not thinks:
        return (template.reply(reply.content),)
    thought, answer = template.cleaned(reply.reasoning), template.cleaned(reply.content)
    rest = f"{template.think_open[-1]}\n{thought}\n{template.think_close}\n{answer}"
    return template.reply_start("think"), rest
