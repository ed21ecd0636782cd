"""``skein states``: the saved states, their sizes, and files of other programs in and out."""

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.stores import opened_stores

if TYPE_CHECKING:
    from engine.archive import StateArchive
    from engine.snapshot import Snapshot
    from engine.state_formats import StateFormat
    from engine.store import Store


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands to ``app``."""
    states = typer.Typer(help="Saved states: list, import, export, prune.")
    states.callback(invoke_without_command=True)(states_command)
    states.command("import")(import_command)
    states.command("export")(export_command)
    states.command("prune")(prune_command)
    app.add_typer(states, name="states")


def states_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the saved states with their sizes."""
    if context.invoked_subcommand is not None:
        return
    with opened_stores() as (store, archive):
        listed = _listed(store, archive)
    if as_json:
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))
    else:
        _show(listed)


def import_command(
    file: Annotated[Path, typer.Argument(help="A state of Skein, RWKV-PEFT, web-rwkv or Ai00.")],
    name: Annotated[str, typer.Option(help="What to call it; else the file's name.")] = "",
    model: Annotated[Path | None, typer.Option(help="The model that it is for.")] = None,
) -> None:
    """Keep a state file as a persona, which can begin any chat."""
    from engine.checkpoint import inspect
    from engine.persona_files import import_persona

    info = inspect(model) if model else None
    with opened_stores() as (_store, archive):
        persona = import_persona(archive, file, name, info)
    typer.echo(f"Saved as persona {persona.name} ({_size(persona.size_bytes)}).")


def export_command(
    what: Annotated[str, typer.Argument(help="A persona's name, or the number of a state.")],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[
        str, typer.Option(help="skein, pth or web-rwkv; else by the ending of OUT.")
    ] = "",
) -> None:
    """Write a state to a file, also for other programs."""
    from engine.state_formats import STATE_FORMATS, export_state, format_for

    known: dict[str, StateFormat] = {name: name for name in STATE_FORMATS}
    chosen = known.get(format)
    if format and chosen is None:
        raise typer.BadParameter(f"choose one of {', '.join(STATE_FORMATS)}")
    with opened_stores() as (store, archive):
        snapshot, words = _snapshot(store, archive, what)
    lost = export_state(out, snapshot.state, chosen or format_for(out), words)
    typer.echo(f"Wrote {out} ({_size(out.stat().st_size)}). {lost}".rstrip())


def prune_command(
    budget: Annotated[
        float | None, typer.Option(help="GB that may stay; else the budget in the settings.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete what exceeds the budget, the least recently used first.

    The newest state of each chat, pinned ones and personas stay.
    """
    if budget is not None and not 0 <= budget < math.inf:
        raise typer.BadParameter("--budget takes a number of GB, 0 or more")
    with opened_stores() as (_store, archive):
        freed = archive.prune(None if budget is None else int(budget * 1e9))
        left = archive.usage()
    if as_json:
        typer.echo(json.dumps({"freed_bytes": freed, "usage_bytes": left}))
    else:
        typer.echo(f"Freed {_size(freed)}; {_size(left)} are in use.")


def _listed(store: "Store", archive: "StateArchive") -> dict[str, Any]:
    titles = {chat.id: chat.title for chat in store.conversations()}
    checkpoints = []
    for row in store.checkpoints.all():
        chat = store.node(row.node).conversation
        checkpoints.append(
            {
                "id": row.id,
                "chat": chat,
                "title": titles.get(chat, ""),
                "node": row.node,
                "position": row.position,
                "fingerprint": row.fingerprint,
                "file": str(archive.path_of(row)),
                "size_bytes": row.size_bytes,
                "last_used": row.last_used,
                "pinned": row.pinned,
            }
        )
    personas = [
        {
            "name": persona.name,
            "fingerprint": persona.fingerprint,
            "tokens_read": persona.tokens_read,
            "created": persona.created,
            "file": str(persona.path),
            "size_bytes": persona.size_bytes,
            "notes": persona.notes,
        }
        for persona in archive.personas()
    ]
    return {
        "usage_bytes": archive.usage(),
        "budget_bytes": archive.budget_bytes,
        "checkpoints": checkpoints,
        "personas": personas,
    }


def _show(listed: dict[str, Any]) -> None:
    """Print the list as a table."""
    for persona in listed["personas"]:
        size = _size(persona["size_bytes"])
        typer.echo(f"persona  {size:>9}  {persona['name']}  ({persona['tokens_read']} tokens read)")
    for row in listed["checkpoints"]:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["last_used"]))
        title = row["title"] or f"chat {row['chat']}"
        pinned = "  pinned" if row["pinned"] else ""
        typer.echo(f"{row['id']:<7}  {_size(row['size_bytes']):>9}  {used}  {title}{pinned}")
    typer.echo(f"{_size(listed['usage_bytes'])} of {_size(listed['budget_bytes'])} are in use.")


def _snapshot(
    store: "Store", archive: "StateArchive", what: str
) -> tuple["Snapshot", dict[str, str]]:
    """Return the state of a number or a persona's name, with the words to keep beside it."""
    from engine.snapshot import load_snapshot

    for row in store.checkpoints.all():
        if what == str(row.id):
            return load_snapshot(archive.path_of(row))[0], {"fingerprint": row.fingerprint}
    snapshot = archive.load_persona(what)
    persona = next(persona for persona in archive.personas() if persona.name == what)
    return snapshot, {**persona.notes, "fingerprint": persona.fingerprint, "name": what}


def _size(size_bytes: int) -> str:
    """Return bytes as people read them: 2.4 MB."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
