"""``skein train evaluate``: how good a model is at what the corpus teaches, as a table.

Knows nothing of how it is measured (see ``engine.training.evaluate``).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import EngineError

if TYPE_CHECKING:
    from rich.table import Table

    from engine.training.evaluate import Report, TaskResult

_WIDTH = 16
"""Characters of a full bar."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    file: Annotated[
        Path | None, typer.Argument(help="A model file; without one: the built-in model.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Only these tasks, separated by commas.")] = "",
    per_task: Annotated[int, typer.Option(min=1, help="Questions of each task.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed asks the same questions.")] = 0,
    strategy: Annotated[
        str, typer.Option(help='"cuda fp16", "cpu fp32"; auto: a CUDA card if there is one.')
    ] = "auto",
    rows: Annotated[int, typer.Option(min=1, help="Replies that are written together.")] = 64,
    out: Annotated[Path | None, typer.Option("--json", help="Write all results there.")] = None,
    losses: Annotated[
        Path | None, typer.Option(help="Write the loss of every token there, as .npz.")
    ] = None,
    show_failures: Annotated[
        bool, typer.Option("--show-failures", help="Show what was answered wrongly.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail when a task does not reach its bar.")
    ] = False,
) -> None:
    """Ask held-out questions of every task, grade the answers, and compare with the bars."""
    from engine.built_in import require_built_in
    from engine.cli.loading import progress_bar, require_folder
    from engine.training.evaluate import evaluate, find_tasks, load

    for path in (out, losses):
        if path is not None:
            require_folder(path)
    if losses is not None and losses.suffix != ".npz":
        raise EngineError(f"{losses.name} is no .npz file.", "Give --losses a name in .npz.")
    chosen = find_tasks([name.strip() for name in tasks.split(",") if name.strip()])
    model = load(file or require_built_in(), strategy)
    with progress_bar("Answering") as show:
        report = evaluate(
            model, tasks=chosen, per_task=per_task, seed=seed, rows=rows, progress=show
        )
    _write(report, out, losses)
    _show(report, failures=show_failures)
    if strict and not report.passed:
        raise typer.Exit(1)


def _write(report: "Report", out: Path | None, losses: Path | None) -> None:
    """Write the files that were asked for."""
    import numpy as np

    if out is not None:
        out.write_text(json.dumps(report.as_dict(), ensure_ascii=False, indent=2), "utf-8")
    if losses is not None:
        np.savez(losses, losses=report.losses)


def _show(report: "Report", *, failures: bool) -> None:
    """Print the table, and below it what was measured on documents."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_table(report))
    if failures:
        for result in report.tasks:
            for line in failure_lines(result):
                console.print(line, markup=False, soft_wrap=True)
    console.print(
        f"{report.model}, {report.strategy}: loss {report.loss:.4f} nats per token on "
        f"{report.losses.size} held-out tokens."
    )
    if report.zeros:
        shares = " ".join(f"{share:.0%}" for share in report.zeros)
        console.print(f"Zeros after relu^2, layer by layer: {shares}")


def _table(report: "Report") -> "Table":
    from rich.table import Table

    table = Table(caption=f"seed {report.seed}")
    for heading in ("task", "right", "", "bar", ""):
        table.add_column(heading, no_wrap=heading != "task")
    for result in report.tasks:
        words = f"{result.task.name}\n[dim]{result.task.title}[/dim]"
        right = f"{result.right}/{result.total}\n{result.share:.1%}"
        verdict = "[green]reached[/green]" if result.passed else "[red]missed[/red]"
        table.add_row(words, right, bar(result.share), needed(result), verdict)
    return table


def bar(share: float) -> str:
    """Return a share, 0 to 1, as a bar of one width."""
    full = round(share * _WIDTH)
    return "█" * full + "░" * (_WIDTH - full)


def needed(result: "TaskResult") -> str:
    """Return what a task has to reach, in words."""
    if result.task.bar is not None:
        return f"{result.task.bar:.0%}"
    without = (result.right_without or 0) / result.total if result.total else 0.0
    return f"over {without:.1%}\nwithout it"


def failure_lines(result: "TaskResult") -> list[str]:
    """Return what was answered wrongly in a task, four lines each."""
    lines: list[str] = []
    for failure in result.failures:
        lines += [f"[{result.task.name}] {failure.question}", f"  expected: {failure.expected}"]
        if failure.thought:
            lines.append(f"  thought:  {failure.thought}")
        lines.append(f"  answered: {failure.answer}")
    return lines
