"""What several commands share: options, a model loaded with a bar, and an end by Ctrl+C."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Protocol

import typer

from engine.backends.base import Backend, Progress
from engine.checkpoint import ModelInfo
from engine.errors import EngineError
from engine.folders import Folders
from engine.hardware import Hardware, detect
from engine.lora_use import parse_lora
from engine.model import Model, load_backend, load_planned, plan_model
from engine.strategy import Strategy

_LINE_SECONDS = 10.0
"""Where no line can live, one is printed each so many seconds."""

StrategyOption = Annotated[
    str, typer.Option(help='Where and how it runs: "cpu fp16", "cuda fp16 *20 -> cpu fp16", auto.')
]

LoraOption = Annotated[
    list[str] | None,
    typer.Option(
        "--lora", metavar="FILE[:STRENGTH]", help="A LoRA to merge in; strength 0 to 2. Repeatable."
    ),
]


PowerSavingOption = Annotated[
    bool, typer.Option("--power-saving", help="Compute on half of the cores at most.")
]


def open_model(
    file: Path, strategy: str, loras: Sequence[str] = (), *, power_saving: bool = False
) -> Model:
    """Plan and load a model with its tokenizer, with a bar on a terminal's standard error.

    loras: as ``LoraOption`` has them.
    """
    uses = [parse_lora(text) for text in loras]
    hardware = _hardware(power_saving)
    info, plan = plan_model(file, Strategy.parse(strategy), hardware, uses)
    with progress_bar(f"Loading {info.name}") as show:
        model = load_planned(info, plan, progress=show, power_saving=power_saving)
    _pass_on(model.backend)
    return model


def open_backend(
    file: Path, strategy: str, *, power_saving: bool = False
) -> tuple[ModelInfo, Backend]:
    """Plan and load the weights alone: enough where ids go in and numbers come out."""
    info, plan = plan_model(file, Strategy.parse(strategy), _hardware(power_saving))
    with progress_bar(f"Loading {info.name}") as show:
        backend = load_backend(info, plan.strategy, show, power_saving=power_saving)
    _pass_on(backend)
    return info, backend


def _hardware(power_saving: bool) -> Hardware:
    found = detect(Folders.standard().cache)
    return found.saving_power() if power_saving else found


def _pass_on(backend: Backend) -> None:
    if backend.notice:
        typer.echo(backend.notice, err=True)


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Yield a (done, total) callback that draws a bar on a terminal's standard error."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Told(Protocol):
    """Progress that can say how far it is."""

    def line(self) -> str:
        """Return it all as one line."""
        ...


@contextmanager
def progress_line(label: str, *, err: bool) -> Iterator[Callable[[Told], None]]:
    """Yield what shows progress: one living line on a terminal, else a line now and then.

    err: on standard error, else on standard output.
    """
    if not (sys.stderr if err else sys.stdout).isatty():
        yield _now_and_then(err)
        return
    from rich.console import Console

    with Console(stderr=err, highlight=False).status(label) as status:
        yield lambda told: status.update(told.line())


def _now_and_then(err: bool) -> Callable[[Told], None]:
    """Return what prints the first progress, and then one each so many seconds."""
    due = 0.0

    def show(told: Told) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + _LINE_SECONDS
            typer.echo(told.line(), err=err)

    return show


def require_folder(path: Path) -> None:
    """Raise EngineError unless the folder of a file is there: before long work, not after it."""
    if not path.absolute().parent.is_dir():
        raise EngineError(f"There is no folder {path.parent}.", "Make it, or choose another.")


@contextmanager
def interrupted() -> Iterator[threading.Event]:
    """Give an event that Ctrl+C sets: an exception could leave a state half advanced."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
