"""``skein train corpus``: look at the data that Gosling is trained on, or write its vocabulary.

Knows nothing of how the chats come about.
"""

import random
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.training.corpus.conversation import Chat

_ROWS = 64


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("corpus")(corpus_command)


def corpus_command(
    samples: Annotated[int, typer.Option(min=0, help="How many documents to print.")] = 3,
    seed: Annotated[int, typer.Option(help="Another seed, other documents.")] = 1,
    length: Annotated[int, typer.Option(min=64, help="Tokens in a row.")] = 1024,
    vocabulary: Annotated[
        Path | None, typer.Option(help="Write the vocabulary to this file, and do nothing else.")
    ] = None,
) -> None:
    """Print documents of the built-in model's corpus, and figures of a sample."""
    if vocabulary is not None:
        _write(vocabulary)
        return
    from engine.training.corpus.pieces import written
    from engine.training.corpus.rows import Documents, chat_encoder

    encoder = chat_encoder()
    documents = Documents(length, encoder)
    rng = random.Random(seed)
    for number in range(samples):
        chat = documents.draw(rng, length, first=number % 2 == 0)
        typer.echo(f"--- document {number + 1}: {len(encoder.document(chat).ids)} tokens")
        typer.echo(written(chat))
    typer.echo("--- figures")
    _figures([documents.draw(rng, length, first=n % 2 == 0) for n in range(8 * _ROWS)])
    _speed(length, seed)


def _write(path: Path) -> None:
    from engine.training.corpus.vocabulary import sample_texts, vocabulary, write_vocabulary

    tokens = vocabulary(sample_texts())
    write_vocabulary(tokens, path)
    typer.echo(f"{path}: {len(tokens)} tokens")


def _figures(chats: "list[Chat]") -> None:
    """Print the lengths of documents and how many characters a token stands for."""
    from engine.training.corpus.pieces import written
    from engine.training.corpus.rows import chat_encoder

    encoder = chat_encoder()
    tokens = [len(encoder.document(chat).ids) for chat in chats]
    characters = sum(len(written(chat)) for chat in chats)
    turns = sum(len(chat.exchanges) for chat in chats)
    typer.echo(f"documents: {len(chats)}, on average {sum(tokens) / len(chats):.0f} tokens")
    typer.echo(f"tokens in an exchange: {sum(tokens) / turns:.1f}")
    typer.echo(f"characters in a token: {characters / sum(tokens):.2f}")
    _shares()


def _shares() -> None:
    """Print how the tokens of other talk are divided among the skills."""
    from engine.training.corpus.mixture import Talk, talk_skills
    from engine.training.corpus.rows import chat_encoder

    encoder, rng = chat_encoder(), random.Random(1)
    talk = Talk(talk_skills(), length=encoder.measure)
    tokens: Counter[str] = Counter()
    drawn: Counter[str] = Counter()
    for _ in range(100 * _ROWS):
        skill = talk.skill(rng)
        drawn[skill.name] += 1
        tokens[skill.name] += encoder.measure(skill.exchange(rng))
    for name, count in tokens.most_common():
        share = count / tokens.total()
        typer.echo(f"  {name:<14} {share:6.1%} of other talk, {count / drawn[name]:5.1f} tokens")


def _speed(length: int, seed: int) -> None:
    """Print how quickly rows are made by one process."""
    from engine.training.corpus.rows import CorpusRows

    rows = CorpusRows(length, seed)
    rows.row(0)
    began = time.process_time()
    for index in range(_ROWS):
        rows.row(index)
    seconds = time.process_time() - began
    typer.echo(f"tokens in a second of one core: {_ROWS * length / seconds:,.0f}")
