"""One decode step on a CUDA card as one replayed graph.

Step by step, torch's launches from Python cost more than the work (some 40 a layer at 10 us).
Knows CUDA graphs; the step itself is given as a function of fixed buffers.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.state import State

_WARM_UPS = 3  # torch's own rule: libraries choose their algorithms before a capture


class StepGraph:
    """A captured step: reads what one token is, advances a state, leaves logits.

    The graph works on buffers of its own; the caller's state is copied in and out (35 MB at
    7.2B: 25 us on a card that reads 3 TB/s), so that any number of states share one graph.
    """

    def __init__(
        self,
        step: Callable[[Sequence[Tensor], State], Tensor],
        given: Sequence[Tensor],
        state: State,
    ) -> None:
        """Capture ``step(given, state) -> logits [V]``; given, state: show types and shapes."""
        device = state.wkv.device
        self._given = [torch.zeros_like(one, device=device) for one in given]
        self._state = state.clone()
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                step(self._given, self._state)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = step(self._given, self._state)

    def __call__(self, given: Sequence[Tensor], state: State) -> Tensor:
        """Run the step for what one token is (on any device); return logits fp32 [V]."""
        for here, now in zip(self._given, given, strict=True):
            here.copy_(now, non_blocking=True)
        read = state.tokens_read
        self._state.copy_from(state)
        self._graph.replay()
        state.copy_from(self._state)
        state.tokens_read = read + 1
        return self._logits.clone()
