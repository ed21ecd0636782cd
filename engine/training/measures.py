"""What a model does on given tokens: the loss of each, and the zeros behind relu^2 of each layer.

Knows a backend and token ids; knows nothing of where they come from.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from engine.backends.base import Backend


def token_losses(backend: Backend, tokens: Sequence[int]) -> Tensor:
    """Return the cross entropy, in nats, of each token after the first: fp32 [T - 1] on the CPU.

    tokens: T >= 2 ids of one document, which begins with id 0.
    """
    logits = backend.forward(tokens[:-1], backend.new_state(), all_logits=True)
    targets = torch.tensor(tokens[1:], device=logits.device)
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none").cpu()


class ReluZeros(TorchFunctionMode):
    """Counts, while it is entered, the zeros that ``torch.relu`` returns, layer by layer.

    The channel mix is the only place of RWKV-7 with a relu, and the layers come in order: the
    torch backend needs no hook for this. Only whole reads of two tokens or more may happen
    inside: a single token on a CUDA card runs as a graph, which is not seen.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self._zeros: list[list[Tensor]] = [[] for _ in range(layers)]
        self._elements = [0] * layers
        self._calls = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        """Run any function of torch; look at what relu returns."""
        result = func(*args, **(kwargs or {}))
        if func is torch.relu:
            layer = self._calls % len(self._zeros)
            self._calls += 1
            self._zeros[layer].append((result == 0).sum())
            self._elements[layer] += result.numel()
        return result

    def shares(self) -> tuple[float, ...]:
        """Return the share of zeros in each layer, 0 to 1; empty when no relu was seen."""
        if not all(self._elements):
            return ()
        return tuple(
            float(torch.stack(zeros).sum()) / elements
            for zeros, elements in zip(self._zeros, self._elements, strict=True)
        )
