"""``skein convert IN OUT``: a model in another format or number type."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.loading import LoraOption, interrupted, progress_bar
from engine.lora_use import parse_lora


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("convert")(convert_command)


def convert_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any model that opens.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="A new .pth, .safetensors, .st or .gguf.")
    ],
    weights: Annotated[
        str,
        typer.Option("--type", help="f16, bf16, f32, or q8_0 (.gguf); without it: as it is."),
    ] = "",
    lora: LoraOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write a model in another format, for this or another engine; LoRAs are merged in."""
    from engine.convert import convert

    uses = [parse_lora(text) for text in lora or ()]
    with progress_bar("Converting") as progress, interrupted() as stop:
        info = convert(
            source,
            target,
            weights,
            uses,
            overwrite=overwrite,
            progress=progress,
            cancelled=stop.is_set,
        )
    typer.echo(f"Wrote {target} ({info.format}, {info.weights}, {info.size_bytes / 1e6:.1f} MB)")
