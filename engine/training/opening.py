"""What a run begins with: the model and the rows that its configuration names.

Knows nothing of steps.
"""

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
