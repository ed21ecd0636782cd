"""The draws of a backend on a card: what is compiled, taken and recorded for them, at its load.

Knows steps, graphs and the card's sampler; who draws is ``card_writer``.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.backends.card_writer import CardSampler
from kernels.cuda.sampler import DeviceSampler, SamplerCut

if TYPE_CHECKING:
    from engine.backends.graphs import Graphs
    from engine.sampling import Sampler
    from kernels.cuda.program import Programs


class CardDraws:
    """One reply's sampler, and graphs that take one of several steps and draw the next token."""

    def __init__(
        self,
        programs: "Programs",
        graphs: "Graphs",
        steps: Sequence[Callable[[], object]],
        logits: Tensor,
        token: Tensor,
        cut: SamplerCut | None = None,
    ) -> None:
        """steps: each reads int32 token [1] and leaves logits fp32 [V], which lie where they are.

        Recording runs them: on nobody's state. Raises CudaProblem, torch.OutOfMemoryError.
        """
        device = programs.device
        draws = DeviceSampler(programs, logits.numel(), 1, 1, device, cut=cut)
        self.sampler = CardSampler(draws, frozenset())
        slots = torch.full((1,), -1, dtype=torch.int32, device=device)
        launches = {
            greedy: draws.bind(logits.view(1, -1), slots, token, greedy=greedy)
            for greedy in (False, True)
        }

        def draw(greedy: bool) -> None:
            for launch in launches[greedy]:
                launch.run()

        def step_and_draw(step: Callable[[], object], greedy: bool) -> None:
            step()
            draw(greedy)

        self._draw = draw
        self._step_and_draw = [  # no row is there yet: what is recorded draws nothing
            {
                greedy: graphs.captured(
                    lambda step=step, greedy=greedy: step_and_draw(step, greedy)
                )
                for greedy in (False, True)
            }
            for step in steps
        ]
        slots.zero_()

    def fit(self, sampler: "Sampler") -> CardSampler:
        """Return the card's sampler, fit for what this one does not count."""
        found = self.sampler
        if found.uncounted != sampler.uncounted:
            if found.owner is not None:
                found.owner.give_up()
                found.owner = None
            found.device.leave_uncounted(sampler.uncounted)
            found.uncounted = sampler.uncounted
        return found

    def step_and_draw(self, which: int, greedy: bool) -> None:
        """Take one of the steps, then draw the token that the next one reads."""
        self._step_and_draw[which][greedy]()

    def draw(self, greedy: bool) -> None:
        """Draw from the logits that lie ready."""
        self._draw(greedy)
