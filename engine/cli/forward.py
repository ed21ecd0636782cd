"""``skein forward``: token ids in, logits and state out; the door to check correctness by."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.loading import PowerSavingOption, StrategyOption, open_backend
from engine.errors import EngineError


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("forward")(forward_command)


def forward_command(
    file: Annotated[Path, typer.Argument(help="A model file.")],
    tokens: Annotated[str, typer.Option(help="Ids, separated by commas.")],
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    strategy: StrategyOption = "auto",
    all_logits: Annotated[bool, typer.Option("--all", help="Logits of every token.")] = False,
    state: Annotated[Path | None, typer.Option(help="A state file to go on from.")] = None,
    save_state: Annotated[Path | None, typer.Option(help="Where to save the state after.")] = None,
    power_saving: PowerSavingOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run tokens through a model; write logits, att_shift, wkv and ffn_shift as fp32 arrays."""
    import numpy as np

    from engine.model import start_of, started
    from engine.snapshot import Snapshot
    from engine.state_files import open_for, save_for

    ids = _parse(tokens)
    info, backend = open_backend(file, strategy, power_saving=power_saving)
    start = open_for(state, info) if state else None
    current = started(backend, start_of(info))
    if start is not None:
        current.copy_from(start.state)
    logits = backend.forward(ids, current, all_logits=all_logits)
    arrays = {name: array.cpu().numpy() for name, array in current.tensors().items()}
    with out.open("wb") as stream:
        np.savez(
            stream, allow_pickle=False, logits=logits.cpu().numpy(), tokens=np.array(ids), **arrays
        )
    if save_state:
        last = logits[-1] if all_logits else logits
        save_for(save_state, Snapshot(current.to("cpu"), last.cpu().numpy(), None), info)
    told = {
        "strategy": str(backend.strategy),
        "backend": backend.name,
        "tokens_read": current.tokens_read,
        "argmax": int(logits[-1].argmax() if all_logits else logits.argmax()),
        "out": str(out),
    }
    typer.echo(json.dumps(told) if as_json else _line(told))


def _line(told: dict[str, object]) -> str:
    return f"{told['tokens_read']} tokens read; {told['strategy']}; wrote {told['out']}"


def _parse(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise EngineError(
            "--tokens takes ids separated by commas.", "For example: --tokens 1,2,3"
        ) from None
