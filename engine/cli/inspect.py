"""``skein inspect FILE``: what a model file holds, without loading it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.checkpoint import ModelInfo, ModelShape, inspect
from engine.checkpoint.info import ARCHITECTURE_WORDS
from engine.checkpoint.older_shape import OlderShape


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("inspect")(inspect_command)


def inspect_command(
    file: Annotated[Path, typer.Argument(help="A model: a file, or a Hugging Face folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a model file holds: sizes, number type, parameters, fingerprint."""
    info = inspect(file)
    if as_json:
        typer.echo(json.dumps(as_plain(info), ensure_ascii=False, indent=2))
    else:
        for label, value in _rows(info):
            typer.echo(f"{label:20}{value}")


def as_plain(info: ModelInfo) -> dict[str, Any]:
    """Return the info as plain values; heads and the bytes of a state are added to ``shape``."""
    shape = info.shape
    more = {"heads": shape.heads, "state_bytes": shape.state_bytes}
    paths = {"path": str(info.path), "files": [str(file) for file in info.files]}
    return asdict(info) | paths | {"shape": asdict(shape) | more}


def _inside(shape: ModelShape) -> list[tuple[str, str]]:
    """Return heads, which RWKV-4 has not, and low-rank pairs, which RWKV-4 and 5 have not."""
    heads = ("Heads x size", f"{shape.heads} x {shape.head_size}")
    if not isinstance(shape, OlderShape):
        ranks = shape.ranks
        return [heads, ("Ranks w, a, v, g", f"{ranks.w}, {ranks.a}, {ranks.v}, {ranks.g}")]
    if shape.older == "6":
        return [heads, ("Ranks mix, decay", f"{shape.mix_rank}, {shape.decay_rank}")]
    return [] if shape.older == "4" else [heads]


def _rows(info: ModelInfo) -> list[tuple[str, str]]:
    shape = info.shape
    words = ARCHITECTURE_WORDS[info.architecture]
    if isinstance(shape, OlderShape):
        words = f"RWKV-{shape.older}, an older generation"
    return [
        ("File", str(info.path)),
        ("Architecture", f"{words} ({info.format}, {info.weights})"),
        ("Parameters", f"{info.parameters:,}"),
        ("File size", f"{info.size_bytes:,} bytes"),
        ("Layers, width, ffn", f"{shape.layers}, {shape.width}, {shape.ffn}"),
        *_inside(shape),
        ("Vocabulary", f"{shape.vocab} ({info.tokenizer})"),
        ("State of one chat", f"{shape.state_bytes:,} bytes, whatever its length"),
        *((("Initial state", "in the file; new chats start from it"),) if info.has_state else ()),
        ("Fingerprint", info.fingerprint),
    ]
