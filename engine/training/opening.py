"""What a run begins with: the model, the rows and the threads that its configuration names.

Knows nothing of steps.
"""

import contextlib
from collections.abc import Iterator

import torch

from engine.training.config import DataOptions, ModelOptions, TrainOptions
from engine.training.distributed import World
from engine.training.model import TrainedModel
from engine.training.rows import Rows, open_rows

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
"""What types are called in a configuration."""


def open_model(options: ModelOptions, train: TrainOptions, world: World) -> TrainedModel:
    """Return the model on its device, its weights fp32 and the same in every process."""
    dtype = TYPES[train.compute]
    if options.start is not None:
        model = TrainedModel.from_checkpoint(
            options.start, dtype=dtype, checkpointing=train.checkpointing
        )
    else:
        model = TrainedModel.fresh(
            options.shape, options.seed, dtype=dtype, checkpointing=train.checkpointing
        )
    return model.to(world.device)


def open_data(data: DataOptions, length: int, seed: int, world: World) -> Rows:
    """Open the rows, the first process before the others: it may have to prepare them."""
    if not world.leads:
        world.wait()
    rows = open_rows(
        data.kind,
        data.path,
        length=length,
        seed=seed,
        vocabulary=data.vocabulary,
        template=data.template,
        others_weight=data.others_weight,
        separator=data.separator,
        order=data.order,
        cache=data.cache,
    )
    if world.leads:
        world.wait()
    return rows


@contextlib.contextmanager
def threads(wanted: int) -> Iterator[None]:
    """Compute with so many threads of the CPU, 0: as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
