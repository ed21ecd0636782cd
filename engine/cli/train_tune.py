"""``skein train state`` and ``skein train lora``: a model learns from a few examples.

Reads the options and shows how it goes; what is learned, ``engine.training`` knows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.built_in import require_built_in
from engine.cli.loading import interrupted, progress_line, require_folder
from engine.cli.stores import opened_stores
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.checkpoint import ModelInfo
    from engine.state import State
    from engine.templates import Template
    from engine.training.descent import TuneResult
    from engine.training.examples import Examples
    from engine.training.model import TrainedModel
    from engine.training.rows import Row

ModelArgument = Annotated[
    Path | None, typer.Argument(help="A model file; without one: the built-in model.")
]
ExamplesOption = Annotated[
    Path, typer.Option(help="JSON Lines of messages or texts; any other file is one text.")
]
StepsOption = Annotated[int, typer.Option(min=0, help="Steps; 0: as many as fit into --seconds.")]
SecondsOption = Annotated[float, typer.Option(help="How long it may learn.")]
TemplateOption = Annotated[str, typer.Option(help="How chats are written; else by the model.")]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
SeedOption = Annotated[int, typer.Option(help="The same seed and --steps give the same result.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``skein train``."""
    app.command("state")(state_command)
    app.command("lora")(lora_command)


def state_command(
    examples: ExamplesOption,
    file: ModelArgument = None,
    name: Annotated[str, typer.Option(help="Keep it as a persona of this name.")] = "",
    export: Annotated[
        Path | None, typer.Option(help="Also write time_state tensors (.pth) for other programs.")
    ] = None,
    steps: StepsOption = 0,
    seconds: SecondsOption = 45.0,
    learning_rate: Annotated[float, typer.Option(help="The highest; it falls with time.")] = 1.0,
    template: TemplateOption = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
) -> None:
    """Learn the state that a chat begins with, from a few examples: a persona for Chat."""
    if not name.strip() and export is None:
        raise EngineError("What is learned needs a place.", "Use --name, --export, or both.")
    if export is not None and export.suffix != ".pth":
        raise EngineError("The file of --export is a .pth.", "Choose a name that ends in .pth.")
    if export is not None:
        require_folder(export)
    from engine.training.descent import TuneOptions
    from engine.training.tuning import tune_state

    options = TuneOptions(learning_rate, steps, seconds, seed).validated()
    task = _prepare(file, examples, template, seed, device)
    with interrupted() as stop, progress_line("Learning ...", err=True) as show:
        state, result = tune_state(
            task.model, task.batches, options, progress=show, cancelled=stop.is_set
        )
    _tell(result)
    _keep_state(task, state, name, export)


def lora_command(
    examples: ExamplesOption,
    out: Annotated[Path, typer.Option(help="The file to write: .pth or .safetensors.")],
    file: ModelArgument = None,
    rank: Annotated[int, typer.Option(help="Inner width of each change.")] = 16,
    alpha: Annotated[float, typer.Option(help="Changes count alpha / rank.")] = 32.0,
    parts: Annotated[str, typer.Option(help="What changes: att, ffn or att,ffn.")] = "att,ffn",
    steps: StepsOption = 0,
    seconds: SecondsOption = 45.0,
    learning_rate: Annotated[float, typer.Option(help="The highest; it falls with time.")] = 1e-3,
    template: TemplateOption = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
) -> None:
    """Learn small changes of the weights from examples: a file for --lora, and for RWKV-PEFT."""
    from engine.training.descent import TuneOptions
    from engine.training.export import SUFFIXES
    from engine.training.lora import LoraShape, save_lora, train_lora

    if out.suffix not in SUFFIXES:
        raise EngineError("A LoRA is written as .pth or .safetensors.", "Choose another name.")
    require_folder(out)
    options = TuneOptions(learning_rate, steps, seconds, seed).validated()
    shape = LoraShape(rank, alpha, tuple(parts.replace(" ", "").split(","))).validated()
    task = _prepare(file, examples, template, seed, device)
    with interrupted() as stop, progress_line("Learning ...", err=True) as show:
        changes, result = train_lora(
            task.model, task.batches, shape, options, progress=show, cancelled=stop.is_set
        )
    _tell(result)
    save_lora(out, changes, shape)
    typer.echo(f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB). Use it with --lora {out}")


class _Task:
    """What both commands begin with: a model to train and batches of what it learns."""

    def __init__(
        self,
        info: "ModelInfo",
        model: "TrainedModel",
        template: "Template",
        batches: "Iterator[list[Row]]",
    ) -> None:
        self.info, self.model, self.template, self.batches = info, model, template, batches


def _prepare(file: Path | None, examples: Path, template: str, seed: int, device: str) -> _Task:
    """Read examples and model. Raises EngineError for either that cannot be used."""
    from engine.checkpoint import inspect
    from engine.tokenizer import load_tokenizer
    from engine.training.examples import Encoder, batches

    read = _read(examples)
    info = inspect(file or require_built_in())
    chosen = _template(template, info)
    encoder = Encoder(chosen, load_tokenizer(info))
    return _Task(info, _model(info, device), chosen, batches(read, encoder, seed))


def _read(examples: Path) -> "Examples":
    from engine.training.examples import read_examples

    if not examples.is_file():
        raise EngineError(f"There is no file {examples}.", "Check its name and folder.")
    return read_examples(examples)


def _template(name: str, info: "ModelInfo") -> "Template":
    from engine.templates import load_templates, template_for

    templates = load_templates()
    if name and name not in templates:
        raise EngineError(
            f'There is no prompt template named "{name}".', f"Templates are {', '.join(templates)}."
        )
    return templates[name] if name else template_for(info.name, templates)


def _model(info: "ModelInfo", device: str) -> "TrainedModel":
    """Return the model to train: fp32 on a processor, computing in bf16 on a card."""
    import torch

    from engine.training.model import TrainedModel

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise EngineError(
            f"There is no device '{device}' to train on here.", "Use --device cpu, or auto."
        )
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    return TrainedModel.from_checkpoint(info.path, dtype=dtype).to(device)


def _keep_state(task: _Task, state: "State", name: str, export: Path | None) -> None:
    from engine.snapshot import Snapshot
    from engine.state_formats import export_state

    if name.strip():
        notes = {"model": task.info.name, "template": task.template.name, "made": "state tuning"}
        with opened_stores() as (_store, archive):
            persona = archive.save_persona(name, Snapshot(state), task.info.fingerprint, notes)
        typer.echo(f"Saved as persona {persona.name}: skein chat --persona {persona.name!r}")
    if export is not None:
        export_state(export, state, "pth")
        typer.echo(f"Wrote {export} ({export.stat().st_size / 1e6:.1f} MB).")


def _tell(result: "TuneResult") -> None:
    typer.echo(
        f"{len(result.losses)} steps in {result.seconds:.0f} s: "
        f"loss {result.first_loss:.3f} at first, {result.last_loss:.3f} at last."
    )
