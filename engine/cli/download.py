"""``skein download REPO [FILE]``: a model from the hub, whole and verified, or resumed."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import EngineError
from engine.folders import Folders
from engine.hub.access import hub_of
from engine.hub.catalogue import Catalogue
from engine.hub.download import Download
from engine.hub.folder_download import FolderDownload, make_download
from engine.hub.library import models_folder
from engine.hub.meter import DownloadProgress
from engine.hub.remote_model import RemoteModel, group
from engine.settings import SettingsFile

_SHOWN = 12
_UNSAID = ("starting", "downloading")
"""Phases that a bar without a word means."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("download")(download_command)


def download_command(
    repo: Annotated[str, typer.Argument(help="owner/name, owner/name/file.pth, or an address.")],
    file: Annotated[str, typer.Argument(help="The file, or a part of its name: 0.1b")] = "",
    endpoint: Annotated[str, typer.Option(help="Another hub or a mirror.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Where to, if not the models folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a model. Interrupted or killed, the same command goes on where it was."""
    folders = Folders.standard()
    settings = SettingsFile(folders.settings_file).load()
    hub = hub_of(settings, endpoint)
    model = pick(Catalogue(folders.cache, hub=hub).lookup(repo), file)
    if model.note:
        typer.echo(model.note, err=True)
    job = make_download(model, folder or models_folder(folders, settings), hub=hub)
    path = _run(job, quiet=as_json)
    if as_json:
        files = [path] if path.is_file() else list(path.iterdir())
        size_bytes = sum(file.stat().st_size for file in files)
        told = model.to_json() | {"path": str(path), "size_bytes": size_bytes}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        typer.echo(str(path))


def pick(models: Sequence[RemoteModel], wanted: str) -> RemoteModel:
    """Return the one model that ``wanted`` names: all of its name or a part of it.

    Of one model's releases the newest is taken, and what runs before what does not. Raises
    EngineError, with the choice as its hint, when several models are meant or none.
    """
    exact = [model for model in models if wanted in (model.file, model.name)]
    meant = exact or [model for model in models if wanted.lower() in model.name.lower()]
    families = group([model for model in meant if model.supported] or meant)
    if len(families) == 1:
        return families[0].newest
    named = f" named like “{wanted}”" if wanted else ""
    names = [model.name for model in (meant or models)]
    more = f"\n  ... and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise EngineError(
        f"There are {len(meant)} models{named} there." if meant else f"No model is{named} there.",
        "Name one of them:\n  " + "\n  ".join(names[:_SHOWN]) + more,
    )


def _run(job: Download | FolderDownload, *, quiet: bool) -> Path:
    stop = threading.Event()
    try:
        with progress_bar(job.model.name, quiet=quiet) as show:
            return job.run(show, stop)
    except KeyboardInterrupt:
        typer.echo("Paused. The same command goes on where this one stopped.", err=True)
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(name: str, *, quiet: bool) -> Iterator[Callable[[DownloadProgress], None]]:
    """Yield what shows progress: a bar on a terminal's standard error, else nothing."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        phase = ""

        def show(report: DownloadProgress) -> None:
            nonlocal task, phase
            if report.phase != phase:  # a new bar, so that its speed is not that of the last one
                bar.remove_task(task)
                label = name if report.phase in _UNSAID else f"{name}: {report.phase}"
                task = bar.add_task(label, total=report.total or None, completed=report.received)
                phase = report.phase
            bar.update(task, completed=report.received, total=report.total or None)

        yield show
