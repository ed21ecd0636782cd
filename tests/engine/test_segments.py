"""A chat as the model reads it: keys of texts alone, tokens made once and only when asked for."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.folders import Folders
from engine.model import Model
from engine.segments import Segment, SegmentMaker
from engine.store import Node, Store


class CountingTokenizer:
    """The real tokenizer, and what it was asked to encode."""

    def __init__(self, model: Model) -> None:
        self._inner = model.tokenizer
        self.asked: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    def encode(self, text: str) -> list[int]:
        self.asked.append(text)
        return self._inner.encode(text)


@pytest.fixture
def counting(tiny_model: Model) -> CountingTokenizer:
    return CountingTokenizer(tiny_model)


@pytest.fixture
def path(folders: Folders) -> Iterator[list[Node]]:
    store = Store(folders.database)
    chat = store.create_conversation().id
    leaf = None
    for text in ("One", "Two", "Three"):
        question = store.add_node(chat, leaf, "user", text)
        leaf = store.add_node(chat, question.id, "assistant", f"{text}!").id
    assert leaf is not None
    yield store.path_to(leaf)
    store.close()


def segments(model: Model, counting: CountingTokenizer, path: list[Node]) -> list[Segment]:
    return SegmentMaker(
        replace(model, tokenizer=counting),
        model.template,
        "Be kind.",  # type: ignore[arg-type]
    ).segments(path)


def test_nothing_is_encoded_before_it_is_asked_for(tiny_model, counting, path):
    made = segments(tiny_model, counting, path)
    assert len({segment.key for segment in made}) == len(path)
    assert counting.asked == []
    assert made[4].tokens == made[4].tokens
    assert counting.asked == [tiny_model.template.turn("Three", "off", first=False)]


def test_the_pieces_are_the_whole_text(tiny_model, counting, path):
    made = segments(tiny_model, counting, path)
    first, *rest = [token for segment in made for token in segment.tokens]
    template = tiny_model.template
    turns = [template.turn(text, "off", text == "One") for text in ("One", "Two", "Three")]
    whole = "".join(turn + node.text for turn, node in zip(turns, path[1::2], strict=True))
    assert first == 0
    assert tiny_model.tokenizer.decode(rest) == template.opening("Be kind.") + whole


def test_a_reply_of_this_model_is_read_as_it_was_drawn(tiny_model, counting, path):
    drawn = replace(path[1], tokens=(5, 6, 7), fingerprint=tiny_model.info.fingerprint)
    other = replace(path[3], tokens=(5, 6, 7), fingerprint="another model")
    made = segments(tiny_model, counting, [path[0], drawn, path[2], other, *path[4:]])
    assert made[1].tokens == (5, 6, 7)
    assert made[3].tokens == tuple(tiny_model.tokenizer.encode("Two!"))


def test_keys_change_with_whatever_stands_before(tiny_model, counting, path):
    keys = [segment.key for segment in segments(tiny_model, counting, path)]
    edited = [path[0], replace(path[1], text="Another answer"), *path[2:]]
    others = [segment.key for segment in segments(tiny_model, counting, edited)]
    assert keys[0] == others[0]
    assert not set(keys[1:]) & set(others[1:])


def test_the_key_of_a_reply_stays_while_it_is_being_drawn(tiny_model, counting, path):
    own = {"fingerprint": tiny_model.info.fingerprint}
    early = replace(path[5], text="A", tokens=(66,), **own)
    late = replace(path[5], text="AB", tokens=(66, 67), **own)
    keys = {segments(tiny_model, counting, [*path[:5], node])[5].key for node in (early, late)}
    assert len(keys) == 1


def test_tokens_of_another_model_count_where_they_mean_the_text(tiny_model, counting, path):
    """As drawn, not as greedy encoding has it: so positions in it stay what they were."""
    drawn = tuple(tiny_model.tokenizer.encode(letter)[0] for letter in "Two!")
    other = replace(path[3], tokens=drawn, fingerprint="another model")
    made = segments(tiny_model, counting, [*path[:3], other, *path[4:]])
    assert made[3].tokens == drawn != tuple(tiny_model.tokenizer.encode("Two!"))
