"""Work on a card as one captured graph: recorded once, started by one call.

Knows CUDA graphs; what is recorded is given as a function that only touches fixed addresses.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch

Work = Callable[[], object]


class Graphs(Protocol):
    """How work is made ready to be repeated."""

    def captured(self, work: Work) -> Callable[[], None]:
        """Run ``work`` once or more, record it, and return what repeats it on the current stream.

        It must allocate nothing that outlives it, and read all that changes from fixed addresses.
        """
        ...


class CudaGraphs:
    """Graphs of one card. What is recorded shares one pool of memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None  # torch's handle of memory that all graphs share
        self._side: torch.cuda.Stream | None = None  # one: cuBLAS keeps memory for each stream

    def captured(self, work: Work) -> Callable[[], None]:
        """See ``Graphs``. The first runs load modules and let cuBLAS choose."""
        if self._side is None:
            self._side = torch.cuda.Stream(self._device)
        side = self._side
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            work()
            work()
        torch.cuda.current_stream(self._device).wait_stream(side)
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the card meanwhile: only this one is held to what graphs allow.
        with torch.cuda.graph(graph, self._pool, side, capture_error_mode="thread_local"):
            work()
        if self._pool is None:
            self._pool = graph.pool()
        return graph.replay


class NoGraphs:
    """Repeats work by doing it again: for devices without graphs, and to look for a fault."""

    def captured(self, work: Work) -> Callable[[], None]:
        """See ``Graphs``."""

        def again() -> None:
            work()

        return again
