"""``skein plan``: where a model would run, whether it fits, and how fast it would be."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import bandwidth
from engine.checkpoint import ModelShape, inspect
from engine.cli.loading import PowerSavingOption
from engine.errors import EngineError
from engine.folders import Folders
from engine.hardware import Hardware, detect
from engine.hub.catalogue import Catalogue
from engine.plan import RELEASED, Plan, choose
from engine.plan_words import gigabytes
from engine.strategy import Strategy

_VERDICTS = {"fits": "fits", "tight": "tight", "too_large": "too large"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("plan")(plan_command)


def plan_command(
    file: Annotated[Path | None, typer.Argument(help="A model file.")] = None,
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="All released sizes and known models.")
    ] = False,
    hardware_file: Annotated[
        Path | None,
        typer.Option("--hardware", help="Another computer, as `skein hardware --json` wrote it."),
    ] = None,
    strategy: Annotated[
        str, typer.Option("--strategy", help="Plan exactly this, such as “cuda fp16”.")
    ] = "auto",
    power_saving: PowerSavingOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say where a model would run on this computer, whether it fits, and how fast it would be."""
    if (file is None) == (not catalogue):
        raise EngineError("Nothing to plan, or two things.", "Name a FILE, or say --catalogue.")
    wanted = Strategy.parse(strategy)
    hardware = _hardware(hardware_file)
    hardware = hardware.saving_power() if power_saving else hardware
    models = _catalogue_models() if file is None else [(file.name, inspect(file).shape)]
    plans = [(name, choose(shape, hardware, wanted)) for name, shape in models]
    if as_json:
        rows = [as_plain(name, plan) for name, plan in plans]
        typer.echo(json.dumps(rows if catalogue else rows[0], ensure_ascii=False, indent=2))
    elif catalogue:
        _print_table(plans)
    else:
        _print_plan(*plans[0])


def as_plain(name: str, plan: Plan) -> dict[str, Any]:
    """Return a plan as plain values, the strategy in its canonical spelling."""
    needs = [asdict(need) | {"total_bytes": need.total_bytes} for need in plan.needs]
    return {
        "model": name,
        "strategy": str(plan.strategy),
        "verdict": plan.verdict,
        "needs": needs,
        "read_tokens_per_s": round(plan.read_tokens_per_s, 1),
        "write_tokens_per_s": round(plan.write_tokens_per_s, 1),
        "reason": plan.reason,
    }


def _hardware(file: Path | None) -> Hardware:
    if file is None:
        cache = Folders.standard().cache
        return bandwidth.measured(detect(cache), cache)
    try:
        return Hardware.from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"The file {file} cannot be read: {error}.") from None


def _catalogue_models() -> Iterator[tuple[str, ModelShape]]:
    """Yield the released sizes, then what the hub's list of the last time holds."""
    for label in RELEASED:
        yield f"RWKV-7 {label.upper()}", ModelShape.released(label)
    for model in Catalogue(Folders.standard().cache).cached():
        if model.supported and model.shape:
            yield f"{model.repo}/{model.file}", model.shape


def _print_table(plans: Iterable[tuple[str, Plan]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("Model", "Verdict", "Strategy"):
        table.add_column(column, overflow="fold")
    for column in ("Memory", "Reads", "Writes"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, plan in plans:
        total = gigabytes(sum(need.total_bytes for need in plan.needs))
        speeds = (plan.read_tokens_per_s, plan.write_tokens_per_s)
        shown = [f"{speed:.0f} tok/s" if speed else "" for speed in speeds]
        table.add_row(name, _VERDICTS[plan.verdict], str(plan.strategy), total, *shown)
    Console().print(table)


def _print_plan(name: str, plan: Plan) -> None:
    typer.echo(f"{'Model':20}{name}")
    typer.echo(f"{'Verdict':20}{_VERDICTS[plan.verdict]}")
    typer.echo(f"{'Strategy':20}{plan.strategy}")
    for need in plan.needs:
        held = f"{gigabytes(need.total_bytes)} of {gigabytes(need.available_bytes)} free"
        typer.echo(f"{'Memory, ' + need.device:20}{held}")
    if plan.verdict != "too_large":
        speeds = f"{plan.read_tokens_per_s:.0f}, {plan.write_tokens_per_s:.0f} tokens/s (predicted)"
        typer.echo(f"{'Reads, writes':20}{speeds}")
    typer.echo(plan.reason)
