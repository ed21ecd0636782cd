"""A run's checkpoints: everything that it needs to go on, in one safetensors file that is whole
or not there.

Names in the file: ``weights/NAME`` fp32, ``mean/NAME`` and ``square/NAME`` (AdamW's two moments),
``updates`` (steps that AdamW took), ``rng``. Its metadata say where the run was. Nothing in it
depends on how many processes there were. Knows no model class and no data.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import DamagedFile, EngineError
from engine.files import replacing
from engine.training.distributed import place, whole
from engine.training.schedule import Position
from engine.training.watch import Watched

KEPT = 2
"""So many of the newest checkpoints stay in a run's folder."""

_PREFIX, _SUFFIX = "checkpoint-", ".safetensors"
_FORMAT = "skein-training-1"
_MOMENTS = {"mean": "exp_avg", "square": "exp_avg_sq"}


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run is and what its rule remembers."""

    position: Position
    watched: Watched


def gather(parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what a checkpoint holds, on the host; every process must call it together."""
    held = {"rng": torch.get_rng_state()}
    for name, parameter in parameters.items():
        held[f"weights/{name}"] = whole(parameter)
        state = optimizer.state.get(parameter, {})
        for moment, key in _MOMENTS.items():
            if key in state:
                held[f"{moment}/{name}"] = whole(state[key])
                held["updates"] = whole(state["step"]).float().reshape(1)
    return held


def save(folder: Path, held: Mapping[str, Tensor], state: RunState) -> Path:
    """Write a checkpoint, remove all but the newest few, return its path.

    Raises EngineError when a weight is not finite: such a checkpoint would be no good one.
    """
    for name, tensor in held.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise EngineError(
                f"No checkpoint was written: {name} is not finite.",
                "Lower train.learning_rate; the last good checkpoint is kept.",
            )
    path = folder / f"{_PREFIX}{state.position.step:08}{_SUFFIX}"
    metadata = {
        "format": _FORMAT,
        "position": json.dumps(asdict(state.position)),
        "watched": json.dumps(asdict(state.watched)),
    }
    _write(path, {name: tensor.contiguous() for name, tensor in held.items()}, metadata)
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Return a run's checkpoints, the oldest first."""
    found = folder.glob(f"{_PREFIX}*{_SUFFIX}")  # what a user called so is none of ours
    return sorted(path for path in found if path.stem.removeprefix(_PREFIX).isdecimal())


def remove_unfinished(folder: Path) -> None:
    """Remove what a kill in the middle of writing a checkpoint has left."""
    for part in folder.glob(f".{_PREFIX}*.part"):
        part.unlink(missing_ok=True)


def read_state(path: Path) -> RunState:
    """Return where the run of a checkpoint was. Raises DamagedFile."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != _FORMAT:
            raise DamagedFile(f"{path} is no checkpoint of a training run.")
        return RunState(
            Position(**json.loads(metadata["position"])),
            Watched(**json.loads(metadata["watched"])),
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def restore(path: Path, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's weights and moments where they belong; every process calls it.

    Raises DamagedFile, and EngineError when the checkpoint is of another model.
    """
    try:
        with safe_open(path, "pt") as file:
            names = set(file.keys())
            _same_model(path, names, parameters)
            torch.set_rng_state(file.get_tensor("rng"))
            updates = file.get_tensor("updates") if "updates" in names else None
            for name, parameter in parameters.items():
                values = file.get_tensor(f"weights/{name}")
                if values.shape != parameter.shape:
                    raise _other_model(path)
                with torch.no_grad():
                    parameter.copy_(place(values, parameter))
                if updates is None:
                    continue
                optimizer.state[parameter] = {
                    "step": updates[0].clone().to(_step_device(optimizer, parameter)),
                    **{
                        # A copy: what is read is the mapped file, which Windows could not remove.
                        key: place(file.get_tensor(f"{moment}/{name}").clone(), parameter)
                        for moment, key in _MOMENTS.items()
                    },
                }
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error


def _step_device(optimizer: torch.optim.Optimizer, parameter: Tensor) -> torch.device:
    """Where AdamW counts its steps: beside the parameter when it is fused, else on the host."""
    return parameter.device if optimizer.defaults.get("fused") else torch.device("cpu")


def _same_model(path: Path, names: set[str], parameters: Mapping[str, Tensor]) -> None:
    if {name for name in names if name.startswith("weights/")} != {
        f"weights/{name}" for name in parameters
    }:
        raise _other_model(path)


def _other_model(path: Path) -> EngineError:
    return EngineError(
        f"{path} is of a model with other sizes than the configuration's.",
        "Use the configuration that the run began with, or another folder.",
    )


def _damaged(path: Path) -> DamagedFile:
    return DamagedFile(
        f"The checkpoint {path} cannot be read.", "Remove it: the one before it is used then."
    )


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise EngineError(
            f"The checkpoint {path} could not be written: {error}.",
            "Check that the folder can be written to and has room.",
        ) from error
