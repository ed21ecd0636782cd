"""A card's memory: what torch keeps of it for later is given back, and a full one is explained.

Page-locked memory too: no other program can have it while torch keeps it, and an embedding table of
a large model is half a gigabyte.
"""

import torch

from engine.errors import NotEnoughMemory
from engine.strategy import Strategy, smaller_on_card


def give_back(device: torch.device) -> None:
    """Give back what nobody uses any more, once a card has done what it was told to do."""
    if device.type != "cuda":
        return
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    give_back_page_locked()


def give_back_page_locked() -> None:
    """Give back page-locked memory; where torch has no call for it (before 2.10), it stays."""
    empty = getattr(torch.accelerator, "empty_host_cache", None)
    if empty is not None:
        empty()


class Explained:
    """Says in a sentence that the card's memory is full."""

    def __init__(self, name: str, strategy: Strategy) -> None:
        self._name, self._strategy = name, strategy

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if not isinstance(error, torch.OutOfMemoryError):
            return
        torch.cuda.empty_cache()
        raise NotEnoughMemory(
            f"The graphics card's memory is full: {self._name} runs there as '{self._strategy}', "
            "and something else took what it needs besides.",
            "Close other programs that use the card, or choose a strategy with smaller weights.",
            smaller_on_card(self._strategy),
        ) from error
