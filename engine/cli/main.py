"""The command line: every command is one module; failures end in one sentence."""

import io
import logging
import sys
from collections.abc import Sequence

import typer

from engine.cli import (
    bench,
    chat,
    convert,
    download,
    forward,
    generate,
    gpu_pack,
    hardware,
    inspect,
    models,
    plan,
    states,
    tokenize,
    train,
)
from engine.errors import EngineError
from engine.folders import Folders
from engine.gpu_pack.overlay import pack_failed, use_pack

_COMMANDS = (
    chat, generate, download, models, states, inspect, convert, plan, hardware, bench, forward,
    tokenize, train, gpu_pack,
)  # fmt: skip


def build() -> typer.Typer:
    """Return the command line with all its commands."""
    app = typer.Typer(
        name="skein",
        help="RWKV-7 on your desktop. Without a command: the window; with --safe: the window "
        "without cards, GPU pack and your settings, when it does not start otherwise.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for command in _COMMANDS:
        command.register(app)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, 1 for a failure, 2 for a wrong use."""
    # Failures are told in a sentence; what is logged beside them would only repeat it.
    logging.basicConfig(handlers=[logging.NullHandler()])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a console cannot write must not stop it
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    if refused := use_pack(Folders.standard(), safe=_changes_packs(given)):
        typer.echo(f"skein: {refused}", err=True)
    try:
        build()(given, standalone_mode=True, prog_name="skein")
    except EngineError as error:
        typer.echo(f"skein: {error.message}", err=True)
        if error.hint:
            typer.echo(error.hint, err=True)
        return 1
    except (ImportError, OSError) as error:
        if pack_failed(Folders.standard()):
            typer.echo(f"skein: PyTorch of the GPU pack cannot be loaded: {error}.", err=True)
            hint = "`skein gpu-pack repair` mends it; SKEIN_GPU_PACK=none does without."
            typer.echo(hint, err=True)
        elif isinstance(error, OSError):  # a file or folder that was named cannot be used
            typer.echo(f"skein: {error.filename or 'A file'}: {error.strerror or error}.", err=True)
        else:
            raise
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _changes_packs(arguments: Sequence[str]) -> bool:
    """Say whether a command fetches or deletes packs: then it must not run with one."""
    return arguments[:1] == ["gpu-pack"] and bool({"install", "repair", "remove"} & {*arguments})


if __name__ == "__main__":
    sys.exit(main())
