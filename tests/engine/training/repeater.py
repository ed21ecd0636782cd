"""A model for tuning: 2 layers, a small vocabulary beside it, trained for two seconds.

It has learned to repeat a word; one time in four it does so like a pirate.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from engine.templates import load_templates
from engine.tokenizer import WorldTokenizer
from engine.training.chats import Message
from engine.training.descent import TuneOptions, descend
from engine.training.examples import Chat, Encoder
from engine.training.export import export_model
from engine.training.model import TrainedModel
from engine.training.tuning import batch_loss
from tests.engine.training.small_vocabulary import write_small_vocabulary
from tests.tiny import tiny_weights

VOCABULARY_ROWS = 512
WORDS = ("hello", "world", "abc", "ab", "yes", "think")


def chat(*words: str) -> Chat:
    """Return a chat of questions and answers in turn."""
    roles = ("user", "assistant")
    return tuple(Message(roles[i % 2], text) for i, text in enumerate(words))


PIRATES = tuple(chat(word, f"Arr {word}") for word in WORDS[:4])
"""What it is tuned on: two words are left out."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep small products on one thread: with several, busy machines wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def write_repeater(folder: Path) -> Path:
    """Write the model and its vocabulary into a folder; return the model's path."""
    vocabulary = write_small_vocabulary(folder / "vocabulary.txt")
    path = folder / "base.pth"
    torch.save(tiny_weights(width=64, vocab=VOCABULARY_ROWS), path)
    model = TrainedModel.from_checkpoint(path, dtype=torch.float32)
    encoder = Encoder(load_templates()["classic"], WorldTokenizer.load(vocabulary))
    rng = random.Random(0)

    def exchange() -> Chat:
        word = rng.choice(WORDS)
        return chat(word, f"Arr {word}" if rng.random() < 0.25 else word)

    with one_thread():
        descend(
            list(model.parameters()),
            lambda: batch_loss(model, [encoder.chat(exchange()) for _ in range(8)]),
            TuneOptions(learning_rate=1e-2, steps=60),
        )
    export_model(model, path, torch.float32)
    return path
