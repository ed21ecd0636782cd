"""A training run: phases of steps, with checkpoints, a loss curve and a rule that stops it.

Knows no terminal, and of the data only that they are rows. A step never waits for the device:
losses stay there until ``train.read_steps`` of them are fetched together, and a step whose
gradient is not finite is passed over by the optimizer's own kernel.

Files in the run's folder: ``checkpoint-STEP.safetensors`` (the newest two), ``curve.csv``,
``curve.svg``, ``config.json`` and, after a clean end or pause, the model itself.

On one CPU a run that goes on from a checkpoint gives bit for bit the losses of one that was never
interrupted, unless ``train.budget_seconds`` lets the clock decide.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.files import write_atomically
from engine.training.batches import Batch, open_batches
from engine.training.checkpoints import (
    RunState,
    checkpoints,
    gather,
    read_state,
    remove_unfinished,
    restore,
    save,
)
from engine.training.config import Phase, RunConfig
from engine.training.curve import CurveFile, Point, read_curve
from engine.training.curve_picture import picture
from engine.training.distributed import Agreed, World, joined, norm_of, sharing, spread, whole
from engine.training.export import export_weights, require_suffix
from engine.training.loss import training_loss
from engine.training.opening import TYPES, open_data, open_model, threads
from engine.training.optimizer import adamw, parameter_groups, set_learning_rate
from engine.training.progress import Meter, TrainProgress
from engine.training.rows import Rows
from engine.training.schedule import Position, Schedule
from engine.training.watch import Watch

_log = logging.getLogger(__name__)

_LATELY = 100
"""Steps of which a result's loss is the mean."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a call of ``train`` ended.

    finished: the run is at its end; else it was paused and can go on. loss: mean of the last
    (up to 100) steps in nats per token, NaN before the first. files: the models that were written.
    """

    finished: bool
    position: Position
    loss: float
    skipped: int
    files: tuple[Path, ...]


def train(
    config: RunConfig,
    out: Path,
    *,
    progress: Callable[[TrainProgress], None],
    cancelled: Callable[[], bool],
    resume: bool = False,
    deadline: float = math.inf,
) -> TrainResult:
    """Train until the run's end, ``cancelled``, or the ``deadline`` (time.monotonic seconds).

    Stopped before its end, a checkpoint is written; with ``resume`` the next call goes on there
    (or begins, when there is none). Under torchrun all processes call it; progress is told in the
    first one only. Raises EngineError; TrainingStopped when the numbers went wrong.
    """
    began = time.monotonic()
    for name in config.train.export:  # or it would be found out when all is done
        require_suffix(Path(name))
    with threads(config.train.threads), joined(config.train.device) as world:
        last = _last_checkpoint(out, resume, world)
        run = _Run(config, out, world, last, began)
        return run.go(progress, lambda: cancelled() or time.monotonic() >= deadline)


def _last_checkpoint(out: Path, resume: bool, world: World) -> Path | None:
    """Return the newest checkpoint to go on from, and make the folder."""
    out.mkdir(parents=True, exist_ok=True)
    found = checkpoints(out)
    if world.leads:
        remove_unfinished(out)
    world.wait()  # nobody writes before all have looked
    step = read_state(found[-1]).position.step if found else -1
    if not world.same(step):
        raise EngineError(
            f"Not all processes find the same checkpoints in {out}.",
            "Several hosts need a folder that they share.",
        )
    if found and not resume:
        raise EngineError(
            f"{out} already holds a run, up to step {step}.",
            "Go on with it (--resume), or name another folder.",
        )
    return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class _Unread:
    """A step whose numbers are still on the device.

    loss: this process's part of the step's mean cross-entropy; their sum is the mean.
    """

    after: Position
    learning_rate: float
    loss: Tensor
    norm: Tensor


class _Run:
    """One call of ``train``: everything that it has open."""

    def __init__(
        self, config: RunConfig, out: Path, world: World, last: Path | None, began: float
    ) -> None:
        self._config, self._out, self._world = config, out, world
        self._options = config.train
        self._schedule = Schedule(config)
        self._model = open_model(config.model, config.train, world)
        blocks = list(self._model.blocks)
        if config.train.compile:
            for block in blocks:
                block.compile(dynamic=False)
        self._called = spread(self._model, blocks, world, config.train.sharding)
        self._parameters = dict(self._model.named_parameters())
        self._optimizer = adamw(
            parameter_groups(self._model, config.train.learning_rate, config.train.weight_decay)
        )
        self._position = Position()
        self._watch = Watch(config.train.spike, config.train.skip_limit)
        if last is not None:
            self._go_back_to(last)
        self._clock_zero = began - self._position.seconds
        self._saved_seconds = self._position.seconds
        self._saved_step = self._position.step if last else -1
        self._curve: CurveFile | None = None
        if world.leads:
            self._curve = CurveFile(out / "curve.csv", steps=self._position.step)
            self._write_config()
        self._unread: list[_Unread] = []
        self._meter = Meter(time.monotonic() - self._clock_zero, self._position.tokens)

    def go(
        self, progress: Callable[[TrainProgress], None], stop: Callable[[], bool]
    ) -> TrainResult:
        """Train phase after phase; see ``train``."""
        try:
            finished = self._phases(progress, stop)
            self._read(progress)
            self._save()
            files = self._export()
        finally:
            self._draw()
        self._world.wait()  # nobody leaves while the first one still writes
        return TrainResult(
            finished, self._position, self._last_loss(), self._watch.memory.skipped, files
        )

    # -- phases and steps

    def _phases(self, progress: Callable[[TrainProgress], None], stop: Callable[[], bool]) -> bool:
        """Tell whether the run came to its end."""
        while (phase := self._schedule.phase(self._position)) is not None:
            if not self._schedule.is_over(self._position) and not self._phase(
                phase, progress, stop
            ):
                return False
            self._read(progress)
            self._position = self._position.next_phase()
        return True

    def _phase(
        self,
        phase: Phase,
        progress: Callable[[TrainProgress], None],
        stop: Callable[[], bool],
    ) -> bool:
        """Tell whether the phase came to its end; False: somebody wants to stop."""
        number = self._position.phase
        seed = self._config.data.seed + number  # else a phase would read the last one's rows again
        rows = open_data(self._config.data, phase.length, seed, self._world)
        self._check_batch(phase)
        batches = iter(self._batches(rows, phase))
        self._meter.pause(self._seconds())
        while True:
            batch = next(batches)
            agreed = self._agree(batch, stop)
            self._position = self._position.at(agreed.seconds)
            if self._schedule.is_over(self._position):
                return True
            if agreed.stop:
                return False
            self._check_ids(batch)
            self._step(batch, phase, agreed)
            if self._position.step % self._options.read_steps == 0:
                self._read(progress)
                if self._wants_checkpoint():
                    self._save()

    def _check_batch(self, phase: Phase) -> None:
        parts = self._world.size * self._options.micro_batches
        if phase.batch % parts:
            raise EngineError(
                f"A batch of {phase.batch} rows cannot be divided among {self._world.size} "
                f"processes in {self._options.micro_batches} parts.",
                f"Make it a multiple of {parts}.",
            )

    def _check_ids(self, batch: Batch) -> None:
        """Raise where the data have ids that the model has no row for: a card would just crash."""
        rows = self._model.shape.vocab
        if batch.largest >= rows:
            raise EngineError(
                f"The data have a token {batch.largest:,}, but the model only {rows:,}.",
                "Prepare them with the model's own vocabulary (data.vocabulary).",
            )

    def _batches(self, rows: Rows, phase: Phase) -> Any:  # noqa: ANN401 - torch's loader
        return open_batches(
            rows,
            phase.batch,
            self._position.phase_step,
            rank=self._world.rank,
            size=self._world.size,
            workers=self._options.workers,
            prefetch=self._options.prefetch,
            pinned=self._world.device.type == "cuda",
        )

    def _agree(self, batch: Batch, stop: Callable[[], bool]) -> Agreed:
        return self._world.agree(float(batch.row_weights.sum()), self._seconds(), stop())

    def _seconds(self) -> float:
        return time.monotonic() - self._clock_zero

    def _step(self, batch: Batch, phase: Phase, agreed: Agreed) -> None:
        """Queue one step on the device: nothing in here waits for it."""
        rate = self._schedule.learning_rate(self._position)
        loss = self._gradients(batch, max(agreed.weight, 1e-9))
        norm = norm_of(self._parameters, self._options.clip)
        self._update(rate, norm)
        self._position = self._position.after_step(phase.batch * phase.length)
        self._unread.append(_Unread(self._position, rate, loss, norm))

    def _gradients(self, batch: Batch, total: float) -> Tensor:
        """Add up the gradients of the micro-batches; return this process's part of the loss.

        The mean is over the weights of the whole step, however it is divided, so its parts count
        as much as they weigh; DDP and FSDP divide by the number of processes.
        """
        size = len(batch.tokens) // self._options.micro_batches
        losses = []
        for part in range(self._options.micro_batches):
            some = slice(part * size, (part + 1) * size)
            share = float(batch.row_weights[some].sum()) / total
            inputs, targets, weights = batch.on(self._world.device, some)
            with sharing(self._called, part == self._options.micro_batches - 1):
                loss, cross_entropy = training_loss(self._called(inputs), targets, weights)
                (loss * (share * self._world.size)).backward()
            losses.append(cross_entropy.detach() * share)
        return torch.stack(losses).sum()

    def _update(self, rate: float, norm: Tensor) -> None:
        """Let AdamW take its step, or let it not where the norm is not finite.

        ``found_inf`` is what torch's GradScaler gives a fused optimizer: where it is 1 the kernel
        leaves everything as it was. Spread parameters (DTensor) do not take it.
        """
        set_learning_rate(self._optimizer, rate)
        if self._optimizer.defaults.get("fused") and not _is_spread(self._parameters):
            optimizer: Any = self._optimizer
            optimizer.found_inf = norm.isfinite().logical_not().float()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    # -- what is read from the device, and what is kept

    def _read(self, progress: Callable[[TrainProgress], None]) -> None:
        """Fetch the numbers of the last steps, write them down, and look whether all is well."""
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        losses = torch.stack([one.loss.double() for one in unread]).cpu()
        norms = torch.stack([one.norm.double() for one in unread]).cpu().tolist()
        losses = self._world.summed(losses).tolist()
        points = [
            Point(
                one.after.step, one.after.phase + 1, one.after.tokens, loss, one.learning_rate, norm
            )
            for one, loss, norm in zip(unread, losses, norms, strict=True)
        ]
        if self._curve is not None:
            self._curve.add(points)
        self._watch.look(points[0].step, zip(losses, norms, strict=True))
        if self._world.leads:
            progress(self._told(points))

    def _told(self, points: list[Point]) -> TrainProgress:
        now, last = self._position.at(self._seconds()), points[-1]
        finite = [point.loss for point in points if math.isfinite(point.loss)]
        speed = self._meter.look(now.seconds, now.tokens)
        return TrainProgress(
            step=now.step,
            steps=self._config.steps,
            phase=now.phase + 1,
            phases=len(self._config.phases),
            loss=sum(finite) / len(finite) if finite else math.nan,
            learning_rate=last.learning_rate,
            gradient_norm=last.gradient_norm,
            tokens=now.tokens,
            tokens_per_second=speed,
            seconds=now.seconds,
            seconds_left=self._schedule.seconds_left(now, speed),
            skipped=self._watch.memory.skipped,
        )

    def _wants_checkpoint(self) -> bool:
        """Tell, the same in all processes, whether it is time to save."""
        options, now = self._options, self._position
        by_steps = options.checkpoint_steps and (
            now.step - max(self._saved_step, 0) >= options.checkpoint_steps
        )
        by_time = options.checkpoint_seconds and (
            now.seconds - self._saved_seconds >= options.checkpoint_seconds
        )
        return bool(by_steps or by_time) and self._watch.calm

    def _save(self) -> None:
        """Write a checkpoint; all that was done before has been read and found good."""
        held = gather(self._parameters, self._optimizer)
        if self._world.leads:
            at = self._position.at(self._seconds())
            save(self._out, held, RunState(at, self._watch.memory))
        self._saved_step, self._saved_seconds = self._position.step, self._position.seconds
        self._world.wait()

    def _go_back_to(self, checkpoint: Path) -> None:
        state = read_state(checkpoint)
        restore(checkpoint, self._parameters, self._optimizer)
        self._position = state.position
        self._watch.memory = state.watched
        known = self._out / "config.json"
        if self._world.leads and known.exists() and known.read_bytes() != self._config_bytes():
            _log.warning("The configuration was changed; the run goes on with the new one.")

    def _write_config(self) -> None:
        write_atomically(self._out / "config.json", self._config_bytes())

    def _config_bytes(self) -> bytes:
        return json.dumps(dict(self._config.source), indent=2, default=str).encode() + b"\n"

    def _export(self) -> tuple[Path, ...]:
        """Write the model as it is now under every name of ``train.export``."""
        weights = {name: whole(tensor) for name, tensor in self._model.named_weights().items()}
        if not self._world.leads:
            return ()
        paths = tuple(self._out / name for name in self._options.export)
        for path in paths:
            export_weights(weights, path, TYPES[self._options.export_type])
        return paths

    def _draw(self) -> None:
        """Draw what is on disk; a curve that cannot be drawn is no reason to fail."""
        if not self._world.leads:
            return
        try:
            points = read_curve(self._out / "curve.csv")
            if points:
                drawn = picture(points, self._out.name)
                write_atomically(self._out / "curve.svg", drawn.encode())
        except (OSError, EngineError) as error:
            _log.warning("The loss curve was not drawn: %s", error)

    def _last_loss(self) -> float:
        if not self._world.leads:
            return math.nan
        losses = [point.loss for point in read_curve(self._out / "curve.csv")[-_LATELY:]]
        finite = [loss for loss in losses if math.isfinite(loss)]
        return sum(finite) / len(finite) if finite else math.nan


def _is_spread(parameters: Mapping[str, Tensor]) -> bool:
    return hasattr(next(iter(parameters.values())), "device_mesh")
