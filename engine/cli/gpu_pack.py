"""``skein gpu-pack``: PyTorch for the NVIDIA card of this computer, fetched, mended and removed."""

import json
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from engine.cli.download import progress_bar
from engine.errors import PackFailed
from engine.folders import Folders
from engine.gpu_pack.choice import PackChoice, choose_pack, this_python, this_system
from engine.gpu_pack.install import PackInstall, make_install
from engine.gpu_pack.overlay import pack_in_use
from engine.gpu_pack.packs import Pack, Packs
from engine.gpu_pack.table import PackRow, load_table
from engine.hardware import detect
from engine.hub.disk import size_words
from engine.settings import Settings, SettingsFile


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands to ``app``."""
    pack = typer.Typer(help="PyTorch for NVIDIA cards: status, install, repair, remove.")
    pack.callback(invoke_without_command=True)(status_command)
    pack.command("status")(status_command)
    pack.command("install")(install_command)
    pack.command("repair")(repair_command)
    pack.command("remove")(remove_command)
    app.add_typer(pack, name="gpu-pack")


def status_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which GPU pack is here, and which would suit this computer."""
    if context.invoked_subcommand is not None:
        return
    told = _status(Folders.standard())
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for line in _status_lines(told):
        typer.echo(line)


def install_command(
    name: Annotated[str, typer.Option(help="A certain build, such as cu126.")] = "",
    index: Annotated[str, typer.Option(help="The index of packages to ask.")] = "",
) -> None:
    """Fetch the pack that suits. Interrupted or killed, the same command goes on where it was."""
    folders = Folders.standard()
    rows = load_table(folders)
    row = _named(name, rows) if name else _chosen(choose_pack(detect(), rows))
    _run(row, folders, index)


def repair_command(
    index: Annotated[str, typer.Option(help="The index of packages to ask.")] = "",
) -> None:
    """Compare every file with its wheel's list, and fetch again what is damaged."""
    folders = Folders.standard()
    pack = Packs(folders.packs).active()
    if pack is None:
        raise PackFailed("No GPU pack is here.", "`skein gpu-pack install` fetches one.", "missing")
    row = next((row for row in load_table(folders) if pack.is_of(row)), None)
    if row is None:
        raise PackFailed(
            f"The table of packs does not list {pack.folder.name} any more.",
            "Remove it and install another one.",
            "missing",
        )
    _run(row, folders, index)


def remove_command() -> None:
    """Delete every GPU pack; the processor does the work from the next start on."""
    packs = Packs(Folders.standard().packs)
    before = packs.usage_bytes()
    done = packs.remove()
    typer.echo(f"Freed {size_words(before - packs.usage_bytes())}.")
    if not done:
        typer.echo("Some files are in use; they go away at the next start of Skein.")


def _run(row: PackRow, folders: Folders, index: str) -> None:
    """Install a row, with a bar; Ctrl-C pauses."""
    settings = SettingsFile(folders.settings_file).load()
    install = _install(row, folders, settings, index)
    try:
        with progress_bar(f"GPU pack {row.name}", quiet=False) as show:
            pack = install.run(show, threading.Event())
    except KeyboardInterrupt:
        typer.echo("Paused. The same command goes on where this one stopped.", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{pack.folder}\nThe GPU pack {pack.name} is used from the next start on.")


def _install(row: PackRow, folders: Folders, settings: Settings, index: str) -> PackInstall:
    made = make_install(row, folders, settings)
    return PackInstall(row, folders.packs, index) if index else made


def _chosen(choice: PackChoice) -> PackRow:
    if choice.row is None:
        raise PackFailed(choice.reason, choice.hint, "unfit")
    return choice.row


def _named(name: str, rows: Sequence[PackRow]) -> PackRow:
    here = [row for row in rows if (row.system, row.python) == (this_system(), this_python())]
    found = next((row for row in here if row.name == name and row.pinned), None)
    if found is None:
        names = ", ".join(row.name for row in here if row.pinned) or "none"
        raise PackFailed(f"There is no GPU pack {name} here.", f"There are: {names}.", "missing")
    return found


def _status(folders: Folders) -> dict[str, Any]:
    packs = Packs(folders.packs)
    choice = choose_pack(detect(), load_table(folders))
    return {
        "active": _pack_as_plain(packs.active()),
        "used": pack_in_use(folders) is not None,
        "problem": packs.problem(),
        "usage_bytes": packs.usage_bytes(),
        "card": choice.gpu.name if choice.gpu else "",
        "verdict": choice.verdict,
        "reason": choice.reason,
        "hint": choice.hint,
        "suits": choice.row.name if choice.row else "",
        "download_bytes": choice.row.download_bytes if choice.row else 0,
        "installed_bytes": choice.row.installed_bytes if choice.row else 0,
    }


def _pack_as_plain(pack: Pack | None) -> dict[str, Any] | None:
    if pack is None:
        return None
    return {"name": pack.name, "torch": pack.torch, "folder": str(pack.folder)}


def _status_lines(told: dict[str, Any]) -> list[str]:
    active = told["active"]
    use = "in use" if told["used"] else "not in use"
    lines = [
        f"GPU pack: {active['name']} with PyTorch {active['torch']}, {use}, "
        f"{size_words(told['usage_bytes'])} in {active['folder']}"
        if active
        else "GPU pack: none is here."
    ]
    lines += [told["problem"]] if told["problem"] else []
    if told["suits"]:
        lines.append(
            f"{told['suits']} suits {told['card']}: {size_words(told['download_bytes'])} to "
            f"download, {size_words(told['installed_bytes'])} on the disk. "
            "`skein gpu-pack install` fetches it."
        )
    else:
        lines.append(f"{told['reason']} {told['hint']}".strip())
    return lines
