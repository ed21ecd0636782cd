"""``skein bench FILE``: how fast a model loads, reads and writes here, and against what limit."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.loading import PowerSavingOption, StrategyOption


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("bench")(bench_command)


def bench_command(
    file: Annotated[Path, typer.Argument(help="A model file.")],
    strategy: StrategyOption = "auto",
    prefill: Annotated[int, typer.Option(min=1, help="Tokens to read.")] = 512,
    decode: Annotated[int, typer.Option(min=1, help="Tokens to write.")] = 128,
    runs: Annotated[int, typer.Option(min=1, help="Rounds; medians are reported.")] = 5,
    compare: Annotated[
        str, typer.Option(help='A peer in the same rounds: "rwkv", "llama.cpp", "llama.cpp:Q4_0".')
    ] = "",
    power_saving: PowerSavingOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure load, prefill and decode; medians, and the share of this machine's bandwidth."""
    from engine.bench import run_bench
    from engine.bench_peers import require_peer

    if compare:
        require_peer(compare)
    report = run_bench(file, strategy, prefill, decode, runs, compare, power_saving=power_saving)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False, indent=2))
        return
    for line in report.lines():
        typer.echo(line)
