"""``skein train``: train a model from a configuration; its parts are commands of their own.

Knows nothing of how a model is trained: it reads the options and shows the progress.
"""

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import EngineError

_PARTS = ()
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
) -> None:
    """Train a model from a configuration, or run one of the sub-commands."""
    if context.invoked_subcommand is not None:
        return
    if config is None or out is None:
        raise EngineError("A run needs its configuration and a folder.", "Use --config and --out.")
