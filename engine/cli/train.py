"""``skein train``: train a model from a configuration; its parts are commands of their own.

Knows nothing of how a model is trained: it reads the options and shows the progress.
"""

import contextlib
import logging
import math
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import train_corpus, train_data, train_evaluate, train_tune
from engine.cli.loading import progress_line
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.training.trainer import TrainResult

_PARTS = (train_corpus, train_data, train_evaluate, train_tune)
"""Modules with ``register(app)``: ``skein train evaluate``, ``train tune``, ``train data``."""


def register(app: typer.Typer) -> None:
    """Add the command and its sub-commands to ``app``."""
    train_app = typer.Typer(
        help="Train a model; without a sub-command: a run from --config into --out.",
        invoke_without_command=True,
        pretty_exceptions_enable=False,
    )
    train_app.callback()(train_command)
    for part in _PARTS:
        part.register(train_app)
    app.add_typer(train_app, name="train")


def train_command(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="The run, as TOML.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for its files.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = (
        False
    ),
    max_seconds: Annotated[
        float, typer.Option(min=0, help="Pause after so long, with a checkpoint; 0: never.")
    ] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting: train.clip=0.5, phase.0.batch=16."),
    ] = None,
) -> None:
    """Train a model from a configuration, or run one of the sub-commands.

    Ctrl+C pauses with a checkpoint. On several GPUs: torchrun --nproc-per-node N -m engine train.
    """
    if context.invoked_subcommand is not None:
        return
    began = time.monotonic()
    if config is None or out is None:
        raise EngineError("A run needs its configuration and a folder.", "Use --config and --out.")
    from engine.training.config import load_config
    from engine.training.trainer import train

    run = load_config(config, changes or ())
    shown = progress_line("Getting ready ...", err=False)
    with _warnings_shown(), _stop_by_signal() as stopped, shown as show:
        result = train(
            run,
            out,
            progress=show,
            cancelled=stopped.is_set,
            resume=resume,
            deadline=began + max_seconds if max_seconds else math.inf,
        )
    _tell(result, out)


def _tell(result: "TrainResult", out: Path) -> None:
    """Print how the run stands; of several processes only the first has something to say."""
    from engine.training.progress import clock

    if not result.files and not math.isfinite(result.loss):
        return
    position = result.position
    told = [
        f"{'Finished' if result.finished else 'Paused'} at step {position.step}: "
        f"{position.tokens:,} tokens in {clock(position.seconds)}"
    ]
    if math.isfinite(result.loss):
        told.append(f"loss {result.loss:.4f}, perplexity {math.exp(min(result.loss, 700)):.2f}")
    if result.skipped:
        told.append(f"{result.skipped} steps passed over")
    typer.echo(", ".join(told))
    for path in (*result.files, out / "curve.svg"):
        if path.exists():
            typer.echo(str(path))
    if not result.finished:
        typer.echo("The same command with --resume goes on here.")


@contextlib.contextmanager
def _stop_by_signal() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl+C, or a polite end, sets; the second one really ends."""
    stopped = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _frame: Any) -> None:  # noqa: ANN401 - a frame object
        stopped.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _warnings_shown() -> Iterator[None]:
    """Show what the engine logs meanwhile; other commands tell all in their own sentences."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("engine")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            # Of FSDP, about what the model does not do: write into what a block returns.
            warnings.filterwarnings("ignore", "FSDP2-wrapped module")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
