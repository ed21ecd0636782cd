"""``skein chat``: a chat in the terminal, in the same store as the window's chats."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.built_in import NAME, is_built_in, require_built_in
from engine.cli.loading import LoraOption, PowerSavingOption, StrategyOption, open_model
from engine.cli.stores import opened_stores
from engine.errors import EngineError
from engine.events import Event, Finished, Opened, Reading, Token, Turn
from engine.folders import Folders
from engine.templates import Template, load_templates

if TYPE_CHECKING:
    from engine.archive import StateArchive
    from engine.model import Model
    from engine.session import Session
    from engine.store import Store


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("chat")(chat_command)


def chat_command(
    file: Annotated[
        Path | None, typer.Argument(help="A model file; else the last one used, or the built-in.")
    ] = None,
    conversation: Annotated[
        int | None, typer.Option("--continue", help="The number of a chat to go on with.")
    ] = None,
    system: Annotated[str, typer.Option(help="What the model is told first.")] = "",
    think: Annotated[str, typer.Option(help="off, fast, think or think_a_lot.")] = "",
    persona: Annotated[str, typer.Option(help="The persona that a new chat begins with.")] = "",
    max_tokens: Annotated[int, typer.Option(help="Tokens of a reply at most; 0: no limit.")] = 0,
    strategy: StrategyOption = "auto",
    lora: LoraOption = None,
    power_saving: PowerSavingOption = False,
) -> None:
    """Chat in the terminal; an empty line ends it. The window shows the same chats."""
    folders = Folders.standard()
    folders.create()
    model = open_model(
        file or _usual_model(folders), strategy, lora or (), power_saving=power_saving
    )
    try:
        with opened_stores() as (store, archive):
            talk = _Talk(model, store, archive, conversation, system, think, persona)
            talk.run(max_tokens)
    finally:
        model.close()


def _usual_model(folders: Folders) -> Path:
    """Return the model that was used last, else the only one there is, else the built-in one."""
    from engine.hub.library import model_places, scan
    from engine.settings import SettingsFile

    settings = SettingsFile(folders.settings_file).load()
    if settings.last_model and Path(settings.last_model).exists():
        return Path(settings.last_model)
    ready = [model.path for model in scan(model_places(folders, settings)) if model.info]
    if len(ready) > 1:
        raise EngineError("Several models are here.", "Name one: skein chat FILE.")
    return ready[0] if ready else require_built_in()


class _Talk:
    """One chat at the terminal."""

    def __init__(
        self,
        model: "Model",
        store: "Store",
        archive: "StateArchive",
        conversation: int | None,
        system: str,
        think: str,
        persona: str,
    ) -> None:
        from engine.session import Session

        self._model = model
        self._store = store
        self._session: Session = Session(model, store, archive)
        self._conversation = conversation
        self._parent: int | None = None
        kept: dict[str, Any] = {}
        if conversation is not None:
            found = store.conversation(conversation)
            self._parent, kept = found.current_node, found.settings
        # A chat goes on as it was asked for, here or in the window: else it would be read again.
        self._system = system or str(kept.get("system", ""))
        # The beginning of a chat that has begun cannot be another one.
        self._persona = str(kept.get("persona", "")) if conversation is not None else persona
        self._template = load_templates().get(str(kept.get("template", "")), model.template)
        self._think = _think_mode(self._template, think, str(kept.get("think", "")))

    def run(self, max_tokens: int = 0) -> None:
        """Ask and answer until an empty line or the end of the input."""
        info = self._model.info
        name = f"{NAME}, the built-in model" if is_built_in(info.path) else info.name
        typer.echo(f"{name}: {self._model.plan.reason}", err=True)
        while question := _ask():
            self._answer(question, max_tokens)
        if self._conversation is not None:
            typer.echo(f"Go on later: skein chat --continue {self._conversation}", err=True)

    def _answer(self, question: str, max_tokens: int) -> None:
        if self._conversation is None:
            self._conversation = self._store.create_conversation(
                question[:48],
                {"system": self._system, "think": self._think, "persona": self._persona},
            ).id
        user = self._store.add_node(self._conversation, self._parent, "user", question)
        reply = self._store.add_node(
            self._conversation,
            user.id,
            "assistant",
            "",
            status="writing",
            think=self._think,
            model=self._model.info.name,
        )
        self._parent = reply.id
        sampling = self._template.sampling(self._think)
        if max_tokens:
            sampling = replace(sampling, max_tokens=max_tokens)
        turn = Turn(
            reply.id, sampling, self._system, self._think, self._template.name, self._persona
        )
        _run(self._session, turn)


def _think_mode(template: Template, wanted: str, kept: str) -> str:
    """Return the mode asked for, else the chat's, else the least. Raises EngineError."""
    known = template.think_modes
    if wanted and wanted not in known:
        raise EngineError(
            f"This model has no thinking mode '{wanted}'.", f"Use one of {', '.join(known)}."
        )
    return wanted or (kept if kept in known else known[0])


def _ask() -> str:
    try:
        return input("\n> ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _run(session: "Session", turn: Turn) -> None:
    """Write one reply to the terminal; Ctrl+C stops it and keeps what there is."""
    stop = threading.Event()
    worker = threading.Thread(target=_write, args=(session, turn, stop))
    worker.start()
    while worker.is_alive():
        try:
            worker.join(0.1)
        except KeyboardInterrupt:
            stop.set()


def _write(session: "Session", turn: Turn, stop: threading.Event) -> None:
    try:
        session.run(turn, _show, stop.is_set)
    except EngineError as error:
        typer.echo(f"\n{error.message} {error.hint}", err=True)
    except Exception as error:  # the chat can go on: the reply was marked as failed
        typer.echo(f"\nUnexpected error: {error}", err=True)


def _show(event: Event) -> None:
    if isinstance(event, (Token, Opened)):
        typer.echo(event.text, nl=False)
    elif isinstance(event, Reading) and event.total > 512:
        typer.echo(f"\rReading {event.done} of {event.total} tokens", nl=False, err=True)
    elif isinstance(event, Finished):
        typer.echo()
        typer.echo(f"{event.stats.tokens} tokens, {event.stats.tokens_per_s:.1f}/s", err=True)
