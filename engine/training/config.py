"""A training run in TOML, read into frozen dataclasses. Knows no tensor and reads no data.

A file has four tables and a list::

    [model]    start = "model.pth", or: layers, width, ffn, vocab, ranks = [w, a, v, g], seed
    [data]     kind, path, vocabulary, seed ... (what ``engine.training.rows`` opens)
    [train]    learning_rate, warmup_steps, budget_seconds ... (``TrainOptions``)
    [[phase]]  batch, length and either steps or, with a budget, share; a run is its phases in turn

Paths are meant from the file's own folder. A key that is not known is an error.
"""

import math
import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from engine.checkpoint.shape import ModelShape, Ranks
from engine.errors import EngineError

_LARGEST_VOCAB = 65536
"""Tokens travel as 16 bits."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The model to begin with: a file (``start``), or a fresh one of these sizes.

    ranks: of w, a, v, g. seed: of the fresh weights.
    """

    start: Path | None = None
    layers: int = 0
    width: int = 0
    ffn: int = 0
    vocab: int = 0
    ranks: tuple[int, ...] = ()
    seed: int = 0

    @property
    def shape(self) -> ModelShape:
        """The sizes of a fresh model; heads are 64 wide."""
        return ModelShape(self.layers, self.width, self.ffn, self.vocab, 64, Ranks(*self.ranks[:4]))


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What is read; the words are those of ``engine.training.rows.open_rows``."""

    kind: str
    path: Path | None = None
    vocabulary: Path | None = None
    template: str = "world"
    others_weight: float = 0.1
    separator: str = ""
    order: str = "shuffled"
    cache: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the run with rows of one length.

    batch: rows per step, over all processes. length: T. steps: how many, or 0 with a budget of
    seconds; then ``share`` is its part of the budget. learning_rate: the peak here, None: that of
    [train].
    """

    batch: int
    length: int
    steps: int = 0
    share: float = 0.0
    learning_rate: float | None = None


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How it is trained.

    device: "auto", "cpu", "cuda", "mps". compute: "bf16" or "fp32"; the weights that are kept
    are fp32. learning_rate falls to final_learning_rate on a cosine, after warmup_steps.
    clip: largest norm of the gradient; 0: as it is. micro_batches: a step's rows are read in so
    many parts. checkpointing: activations are computed twice rather than kept. compile: the
    blocks go through torch.compile. workers: processes that prepare rows, 0: none.
    budget_seconds: 0, or the wall-clock time of the whole run over all its resumes; the cosine
    and the phases' shares then follow the clock, so such a run cannot be repeated step for step.
    sharding: "ddp" or "fsdp", under torchrun. read_steps: the losses are fetched from the device
    each so many steps. checkpoint_seconds, checkpoint_steps: when to save; 0: not by this.
    spike: nats above the usual loss that stop the run, 0: none (``engine.training.watch``).
    skip_limit: so many steps without a finite gradient are passed over before that stops the run.
    export: files written at the end, ``export_type`` "fp16", "bf16" or "fp32".
    """

    learning_rate: float
    final_learning_rate: float = 0.0
    warmup_steps: int = 0
    weight_decay: float = 0.1
    clip: float = 1.0
    device: str = "auto"
    compute: str = "bf16"
    micro_batches: int = 1
    checkpointing: bool = False
    compile: bool = False
    workers: int = 0
    prefetch: int = 4
    threads: int = 0
    budget_seconds: float = 0.0
    sharding: str = "ddp"
    read_steps: int = 10
    checkpoint_seconds: float = 300.0
    checkpoint_steps: int = 0
    spike: float = 2.0
    skip_limit: int = 0
    export: tuple[str, ...] = ("model.safetensors",)
    export_type: str = "bf16"


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole run. ``source``: what it was read from, to be kept beside its results."""

    model: ModelOptions
    data: DataOptions
    train: TrainOptions
    phases: tuple[Phase, ...]
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def steps(self) -> int:
        """Steps of the run, 0 when a budget of seconds decides."""
        return sum(phase.steps for phase in self.phases)


_Part = TypeVar("_Part", ModelOptions, DataOptions, TrainOptions, Phase)


def load_config(path: Path, changes: Sequence[str] = ()) -> RunConfig:
    """Read a configuration; ``changes`` are like "train.learning_rate=1e-3" and come last.

    "phase.0.batch=16" changes the first phase. Raises EngineError with the key that is wrong.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise EngineError(f"The configuration {path} cannot be read: {why}.") from error
    except tomllib.TOMLDecodeError as error:
        raise EngineError(f"{path} is no TOML: {error}.") from error
    for change in changes:
        _change(table, change)
    return parse_config(table, path.parent)


def parse_config(table: Mapping[str, Any], folder: Path) -> RunConfig:
    """Return the run of a TOML table; paths are meant from ``folder``. Raises EngineError."""
    if not isinstance(table.get("phase", []), list):
        raise EngineError("phase must be a list.", "Write [[phase]] in double brackets.")
    unknown = set(table) - {"model", "data", "train", "phase"}
    if unknown:
        raise EngineError(f"A configuration has no part named {sorted(unknown)[0]!r}.")
    config = RunConfig(
        _read(ModelOptions, table.get("model", {}), "model", folder),
        _read(DataOptions, table.get("data", {}), "data", folder),
        _read(TrainOptions, table.get("train", {}), "train", folder),
        tuple(
            _read(Phase, part, f"phase.{number}", folder)
            for number, part in enumerate(table.get("phase", ()))
        ),
        source=table,
    )
    _check_model(config.model)
    _check_train(config.train)
    _check_phases(config)
    return config


def _change(table: dict[str, Any], change: str) -> None:
    """Put one "key.key=value" into the table; the value is TOML, or a word."""
    key, _, value = change.partition("=")
    *parents, last = key.strip().split(".")
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read = value
    place: Any = table
    try:
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[last] = read
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise EngineError(
            f"{change!r} names nothing in the configuration.", "Write for example train.clip=0.5."
        ) from error


def _read(kind: type[_Part], table: Any, where: str, folder: Path) -> _Part:  # noqa: ANN401
    """Return one part of the configuration with every value of the type that it must have."""
    if not isinstance(table, Mapping):
        raise EngineError(f"{where} must be a table.")
    known = {entry.name: entry for entry in fields(kind)}
    unknown = [name for name in table if name not in known]
    if unknown:
        raise EngineError(
            f"There is no setting {where}.{unknown[0]}.", f"There are: {', '.join(known)}."
        )
    missing = [name for name, entry in known.items() if entry.default is MISSING]
    for name in missing:
        if name not in table:
            raise EngineError(f"The configuration lacks {where}.{name}.")
    hints = get_type_hints(kind)
    return kind(
        **{
            name: _value(value, hints[name], f"{where}.{name}", folder)
            for name, value in table.items()
        }
    )


def _value(value: Any, hint: Any, where: str, folder: Path) -> Any:  # noqa: ANN401
    """Return a TOML value as the type that its field has, or raise EngineError."""
    allowed = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    wanted = next(one for one in allowed if one is not types.NoneType)
    if wanted is Path and isinstance(value, str):
        return folder / value if value else None
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted in (int, float, str, bool) and type(value) is wanted:
        return value
    if isinstance(value, list) and get_args(wanted):
        return tuple(_value(one, get_args(wanted)[0], where, folder) for one in value)
    name = getattr(wanted, "__name__", str(wanted))
    raise EngineError(f"{where} = {value!r} is of the wrong kind.", f"It must be: {name}.")


def _check_model(model: ModelOptions) -> None:
    if model.start is not None:
        return
    sizes = (model.layers, model.width, model.ffn, model.vocab)
    if min(sizes) < 1 or len(model.ranks) != 4:
        raise EngineError(
            "The configuration names neither a model to start from nor the sizes of a fresh one.",
            "Give model.start, or model.layers, width, ffn, vocab and ranks = [w, a, v, g].",
        )
    if model.width % 64:
        raise EngineError(f"model.width = {model.width} is no multiple of 64, a head's width.")
    if model.vocab > _LARGEST_VOCAB:
        raise EngineError(f"model.vocab = {model.vocab} is more than {_LARGEST_VOCAB}.")


def _check_train(train: TrainOptions) -> None:
    choices = {
        "device": ("auto", "cpu", "cuda", "mps"),
        "compute": ("bf16", "fp32"),
        "sharding": ("ddp", "fsdp"),
        "export_type": ("fp16", "bf16", "fp32"),
    }
    for name, allowed in choices.items():
        if getattr(train, name) not in allowed:
            raise EngineError(
                f"train.{name} cannot be {getattr(train, name)!r}.", f"It is {_either(allowed)}."
            )
    for entry in fields(train):
        value = getattr(train, entry.name)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise EngineError(f"train.{entry.name} must be a number of 0 or more.")
    for name in ("micro_batches", "read_steps", "prefetch"):
        if getattr(train, name) < 1:
            raise EngineError(f"train.{name} must be 1 or more.")
    if not train.learning_rate > 0:
        raise EngineError("train.learning_rate must be above 0.")
    if train.sharding == "fsdp" and train.skip_limit:
        raise EngineError("With fsdp no step can be passed over.", "Leave train.skip_limit at 0.")


def _check_phases(config: RunConfig) -> None:
    if not config.phases:
        raise EngineError("The configuration has no [[phase]].", "A run needs one at least.")
    timed = config.train.budget_seconds > 0
    for number, phase in enumerate(config.phases):
        where = f"phase.{number}"
        if phase.batch < 1 or phase.length < 1:
            raise EngineError(f"{where} needs a batch and a length of 1 or more.")
        if phase.learning_rate is not None and not 0 < phase.learning_rate < math.inf:
            raise EngineError(f"{where}.learning_rate must be above 0.")
        if phase.batch % config.train.micro_batches:
            raise EngineError(f"{where}.batch cannot be divided into train.micro_batches parts.")
        if timed and (phase.steps or not phase.share > 0):
            raise EngineError(f"{where} needs a share, and no steps, in a budget of seconds.")
        if not timed and (phase.share or phase.steps < 1):
            raise EngineError(f"{where} needs steps.", "A share belongs to train.budget_seconds.")


def _either(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}"
