"""``skein models``: what is on this computer; with ``--remote`` what there is on the hub."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.built_in import built_in_model
from engine.checkpoint.info import ARCHITECTURE_WORDS
from engine.cli.inspect import as_plain
from engine.errors import EngineError
from engine.folders import Folders
from engine.hub.access import hub_of
from engine.hub.catalogue import Catalogue
from engine.hub.connection import DEFAULT_ENDPOINT
from engine.hub.library import LocalModel, model_places, scan
from engine.hub.remote_model import RemoteModel, group
from engine.packed_files import PackedFiles
from engine.settings import Settings, SettingsFile


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("models")(models_command)


def models_command(
    remote: Annotated[bool, typer.Option("--remote", help="Those on the hub.")] = False,
    endpoint: Annotated[str, typer.Option(help="Another hub or a mirror.")] = "",
    delete_prepared: Annotated[
        bool,
        typer.Option(
            "--delete-prepared",
            help="Delete the copies that are laid out for the processor; loading makes them again.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models on this computer, or those that can be downloaded."""
    folders = Folders.standard()
    if delete_prepared:
        freed = PackedFiles(folders.packed).clear()
        typer.echo(
            json.dumps({"freed_bytes": freed}) if as_json else f"Freed {freed / 1e6:.0f} MB."
        )
        return
    settings = SettingsFile(folders.settings_file).load()
    if remote:
        listed = _remote(folders, settings, endpoint)
        _print([_remote_as_plain(m) for m in listed], _remote_rows(listed), as_json)
    else:
        print_local(folders, settings, built_in_model(), as_json=as_json)


def print_local(
    folders: Folders, settings: Settings, built_in: Path | None, *, as_json: bool
) -> None:
    """List the models on this computer, the one that comes with Skein first; None: without it."""
    found = scan(model_places(folders, settings, built_in))
    found.sort(key=lambda model: model.path != built_in)
    plain = [_local_as_plain(model) | {"built_in": model.path == built_in} for model in found]
    _print(plain, _local_rows(found, built_in), as_json)


def _print(plain: list[dict[str, Any]], rows: Sequence[tuple[str, ...]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(plain, ensure_ascii=False, indent=2))
        return
    for line in _columns(rows):
        typer.echo(line)
    if not rows:
        typer.echo("No model is here yet. `skein models --remote` lists those to download.")


def _remote(folders: Folders, settings: Settings, endpoint: str) -> list[RemoteModel]:
    """Return the hub's list; without the hub the last one, saying so on standard error."""
    try:
        return Catalogue(folders.cache, hub=hub_of(settings, endpoint)).refresh()
    except EngineError as error:
        kept = Catalogue(folders.cache, DEFAULT_ENDPOINT)
        models, saved = kept.cached(), kept.saved()
        if not models:
            raise
        when = f"{saved:%Y-%m-%d}" if saved else "an earlier day"
        typer.echo(f"{error.message} This is the list of {when}.", err=True)
        return models


def _remote_rows(models: Iterable[RemoteModel]) -> list[tuple[str, ...]]:
    return [
        (
            family.title,
            model.release,
            model.date,
            model.quantisation or (f"{model.bits}-bit" if model.bits else ""),
            model.format,
            _gigabytes(model.size_bytes),
            f"{model.repo}/{model.file}".rstrip("/"),
            model.note,
        )
        for family in group(models)
        for model in family.variants
    ]


def _local_rows(models: Iterable[LocalModel], built_in: Path | None) -> list[tuple[str, ...]]:
    return [
        (
            model.path.name,
            _parameters(model.info.parameters) if model.info else "",
            ARCHITECTURE_WORDS[model.info.architecture] if model.info else "",
            f"{model.info.weights} {model.info.format}" if model.info else "",
            _gigabytes(model.info.size_bytes) if model.info else "",
            str(model.path.parent) if model.path != built_in else "built in",
            model.problem,
        )
        for model in models
    ]


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines, every column as wide as its widest cell but the last."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _remote_as_plain(model: RemoteModel) -> dict[str, Any]:
    return asdict(model)


def _local_as_plain(model: LocalModel) -> dict[str, Any]:
    info = as_plain(model.info) if model.info else None
    return {"path": str(model.path), "info": info, "problem": model.problem}


def _parameters(count: int) -> str:
    return f"{count / 1e9:.3g}B" if count >= 999_500_000 else f"{count / 1e6:.0f}M"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
