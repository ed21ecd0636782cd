"""``skein train data IN OUT``: text or JSON Lines as tokens in a ``.bin`` / ``.idx`` pair.

RWKV-LM reads the pair as well; what it would call ``--my_exit_tokens`` and ``--magic_prime`` is
said with ``--length``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.training.texts import Source, Stored


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("data")(data_command)


def data_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file, or a folder of files.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The pair's name, without ending.")],
    vocabulary: Annotated[
        Path | None, typer.Option(help="A vocabulary file in the World format; without: World.")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="text (.txt) or jsonl; without: what the names of the files say.")
    ] = "",
    template: Annotated[
        str, typer.Option(help="How chats of a JSONL file are written: world, g1h, gosling ...")
    ] = "",
    separator: Annotated[str, typer.Option(help="A line that divides a text into documents.")] = "",
    blank_lines: Annotated[
        bool, typer.Option("--blank-lines", help="Empty lines divide a text into documents.")
    ] = False,
    length: Annotated[
        int, typer.Option(help="Tokens in a row: also print the settings of RWKV-LM for it.")
    ] = 0,
) -> None:
    """Encode texts once, so that training reads tokens."""
    from engine.cli.loading import progress_bar
    from engine.training.texts import Source, store_texts

    kind = kind or _kind_of(source)
    texts = Source(kind, source, vocabulary, template, "\n" if blank_lines else separator)
    with progress_bar(f"Reading {source.name}") as show:
        stored = store_texts(texts, out, show)
    _say(texts, out, stored, length)


def _kind_of(source: Path) -> str:
    """Return the kind that the endings say; a folder of both is asked about."""
    from engine.training.texts import SUFFIXES, Source

    if not source.exists():
        raise EngineError(f"There is nothing at {source}.", "Check the path.")
    if source.is_file():
        return "jsonl" if source.suffix.lower() in SUFFIXES["jsonl"] else "text"
    kinds = [kind for kind in SUFFIXES if Source(kind, source).found()]
    if len(kinds) > 1:
        raise EngineError(
            f"{source.name} holds both texts and JSON Lines.", "Choose one with --kind."
        )
    return kinds[0] if kinds else "text"


def _say(texts: "Source", out: Path, stored: "Stored", length: int) -> None:
    from engine.training.binidx import pair

    typer.echo(f"{stored.documents:,} documents, {stored.tokens:,} tokens: {pair(out)[0]}")
    if texts.kind == "jsonl":
        typer.echo("What the assistant wrote is marked in the .marks files beside it.")
    if length:
        from engine.training.order import magic_prime

        prime = magic_prime(stored.tokens, length)
        typer.echo(
            f"RWKV-LM: --ctx_len {length} --my_exit_tokens {stored.tokens} --magic_prime {prime}"
        )
