"""Several processes as one run: who is who, what they agree on, and how the model is spread.

Started by torchrun, which says in the environment who a process is; without it a run is alone.
Knows no data and no schedule. Two groups of processes: gloo for the few numbers on the host,
nccl for gradients on CUDA cards.
"""

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class Agreed:
    """What all processes know at the start of a step.

    weight: sum of the loss weights of the step's rows, over all. seconds: the first one's clock.
    stop: whether anybody wants to.
    """

    weight: float
    seconds: float
    stop: bool


@dataclass(frozen=True, slots=True)
class World:
    """This process among all: ``rank`` of ``size``, and the device that it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and tells the progress."""
        return self.rank == 0

    def agree(self, weight: float, seconds: float, stop: bool) -> Agreed:
        """Put everybody's numbers together; alone, they are what they are."""
        if self.size == 1:
            return Agreed(weight, seconds, stop)
        mine = [weight, seconds if self.leads else 0.0, float(stop)]
        total, clock, stops = self.summed(torch.tensor(mine, dtype=torch.float64)).tolist()
        return Agreed(total, clock, stops > 0)

    def summed(self, numbers: Tensor) -> Tensor:
        """Return the sum over all processes of a tensor on the host."""
        if self.size > 1:
            dist.all_reduce(numbers)
        return numbers

    def same(self, number: int) -> bool:
        """Tell whether everybody has the same number."""
        if self.size == 1:
            return True
        ends = torch.tensor([number, -number])
        dist.all_reduce(ends, dist.ReduceOp.MAX)
        return int(ends.sum()) == 0

    def wait(self) -> None:
        """Go on when all are here."""
        if self.size > 1:
            dist.all_reduce(torch.zeros(1))


@contextlib.contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, or be alone.

    device: "auto", "cpu", "cuda" or "mps"; on CUDA each process takes the card of its local rank.
    Within another ``joined`` the processes stay the same: torch cannot join them a second time.
    Raises EngineError when the device is not there.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if size == 1:
        yield World(0, 1, chosen)
        return
    if dist.is_initialized():  # by the caller, who has more than one run to make
        yield World(dist.get_rank(), size, chosen)
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size, chosen)
        dist.barrier()  # nobody leaves while another still talks
    finally:
        # A sharded model is a cycle that holds its group: freed at the interpreter's end, the
        # group's threads are still running, and the process aborts after all its work is done.
        gc.collect()
        dist.destroy_process_group()


def _device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise EngineError(
                f"There is no CUDA card number {local_rank} here.",
                "Start as many processes as there are cards, or set train.device.",
            )
        return torch.device("cuda", local_rank)
    if name == "mps" and not torch.backends.mps.is_available():
        raise EngineError("Apple's GPU is not available here.", 'Set train.device = "auto".')
    return torch.device(name)


def spread(model: nn.Module, blocks: Sequence[nn.Module], world: World, sharding: str) -> nn.Module:
    """Return what to call instead of the model so that gradients are shared.

    "ddp": every process keeps the whole model. "fsdp": parameters become pieces (DTensor) of
    which each process keeps its own; they are put together block by block.
    """
    if world.size == 1:
        return model
    if sharding == "fsdp":
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(world.device.type, (world.size,))
        for block in blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)  # in place: the same module, its class extended
        return model
    from torch.nn.parallel import DistributedDataParallel

    cards = [world.device] if world.device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=cards, gradient_as_bucket_view=True)


@contextlib.contextmanager
def sharing(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Within it, share the gradients of a backward pass, or keep them until one that does."""
    if hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(wanted)  # pyright: ignore[reportCallIssue]
        yield
    elif hasattr(model, "no_sync") and not wanted:
        with model.no_sync():  # pyright: ignore[reportCallIssue]
            yield
    else:
        yield


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor that may be spread as one, on the host; everybody must ask together."""
    tensor = tensor.detach()
    if hasattr(tensor, "full_tensor"):
        tensor = tensor.full_tensor()  # pyright: ignore[reportAttributeAccessIssue]
    return tensor.cpu()


def place(values: Tensor, like: Tensor) -> Tensor:
    """Return values laid out as ``like`` is: on its device, and spread if it is spread."""
    values = values.to(like.device, like.dtype)
    if hasattr(like, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(
            values,
            like.device_mesh,  # pyright: ignore[reportAttributeAccessIssue]
            like.placements,  # pyright: ignore[reportAttributeAccessIssue]
        )
    return values


def norm_of(parameters: Mapping[str, Tensor], largest: float) -> Tensor:
    """Clip the gradients to a norm (0: only measure) and return what it was, on the device."""
    norm = nn.utils.clip_grad_norm_(parameters.values(), largest or float("inf"), foreach=True)
    if hasattr(norm, "full_tensor"):
        norm = norm.full_tensor()  # pyright: ignore[reportAttributeAccessIssue]
    return norm
