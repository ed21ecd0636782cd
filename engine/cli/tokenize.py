"""``skein tokenize TEXT``: what a text looks like to a model with the World vocabulary."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.tokenizer import Tokenizer, WorldTokenizer


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("tokenize")(tokenize_command)


def tokenize_command(
    text: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    vocabulary: Annotated[
        Path | None, typer.Option(help="Another vocabulary file in the World format.")
    ] = None,
) -> None:
    """Show the tokens of a text: how many, their ids, and what each stands for."""
    tokenizer = WorldTokenizer.load(vocabulary)
    tokens = _encode(tokenizer, text)
    pieces = [tokenizer.decode([token]) for token in tokens]
    if as_json:
        typer.echo(json.dumps({"count": len(tokens), "tokens": tokens, "pieces": pieces}))
        return
    for token, piece in zip(tokens, pieces, strict=True):
        typer.echo(f"{token:>6}  {ascii(piece) if not piece.isprintable() else repr(piece)}")
    typer.echo(f"{len(tokens)} tokens")


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    if text == "-":  # taken as bytes: not all of them need be text
        return tokenizer.encode_bytes(sys.stdin.buffer.read())
    return tokenizer.encode(text)
