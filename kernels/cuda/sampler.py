"""Draws tokens on the card, for many rows at once: the host of ``sampler.cu``.

Slots hold what a reply's sampler remembers (parameters, bans, biases, counts); rows of logits name
their slot. Random numbers come from the host and tokens go there through page-locked memory, by
step, so that a draw can be part of a captured graph. Knows nothing of models, text or generators.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kernels.cuda.program import LaunchLike, ProgramLike, Programs

MOST_LOGITS = 524_288
"""What one block can add up."""
STRETCH = 128
"""Logits whose chances are added up by themselves."""
RING = 16
"""Steps whose random numbers and tokens have a place; as many may be under way."""
_BINS = 1024
_PARAMETERS = 8
_TOLD_WORDS = 4
_SEEN, _BIASED, _MASKED = 1, 2, 4
_NOT_FINITE, _NONE_LEFT = 0xFFFFFFFF, 0xFFFFFFFE
_IMPATIENT_S = 2.0
"""After so long without a token the card is asked whether something failed."""


class DrawProblem(RuntimeError):
    """No token can be drawn."""


class NotFinite(DrawProblem):
    """The logits hold NaN or plus infinity."""


class NoneLeft(DrawProblem):
    """All tokens are impossible."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a reply's tokens are drawn, with the meanings of ``engine.sampling_params``.

    bias: (token, what is added to its logit); masked: tokens that are never drawn.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    min_p: float = 0.0
    top_k: int = 0
    presence: float = 0.0
    frequency: float = 0.0
    decay: float = 1.0
    bias: tuple[tuple[int, float], ...] = ()
    masked: tuple[int, ...] = ()

    @property
    def is_greedy(self) -> bool:
        """Whether the most likely token is taken and no random number used."""
        return self.temperature == 0 or self.top_p == 0


@dataclass(frozen=True, slots=True)
class SamplerCut:
    """How the work of a draw is cut, which changes no result.

    segment: logits of a block (256 or 512); rows of the scratch are padded to a multiple of it.
    pick_threads: of the block that draws (at most 1024, a power of two). rehearsals: how often each
    of scan, weigh, narrow and pick runs its code before its turn, on nothing.
    """

    segment: int = 512
    pick_threads: int = 512
    rehearsals: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def macros(self) -> dict[str, int]:
        """What is known when the kernels are compiled."""
        return {"SEGMENT": self.segment, "PICK_THREADS": self.pick_threads}


def serves(vocab: int) -> bool:
    """Return whether tokens of so large a vocabulary can be drawn here."""
    return 0 < vocab <= MOST_LOGITS


def sampler_program(
    programs: "Programs", vocab: int, cut: SamplerCut | None = None
) -> "ProgramLike":
    """Compile what draws from so many logits; the same again costs nothing."""
    macros = {"VOCAB": vocab, **(cut or SamplerCut()).macros}
    return programs(["sampler.cu", "sampler_narrow.cu", "sampler_pick.cu"], macros)


class DeviceSampler:
    """The samplers of ``slots`` replies on one card, and what one step of up to ``rows`` needs.

    For each step and slot: ``give`` a random number, run the launches of ``bind`` (or a graph that
    holds them), ``take`` the token. Steps of one slot are in order; one stream at a time.
    """

    def __init__(
        self,
        programs: "Programs",
        vocab: int,
        slots: int,
        rows: int,
        device: torch.device,
        uncounted: Collection[int] = (),
        cut: SamplerCut | None = None,
    ) -> None:
        """uncounted: tokens whose count does not grow. ValueError where not ``serves(vocab)``."""
        if not serves(vocab):
            raise ValueError(f"no sampler for a vocabulary of {vocab}")
        self.vocab, self.slots, self.rows = vocab, slots, rows
        self._cut = cut or SamplerCut()
        self._segments = -(-vocab // self._cut.segment)
        padded = self._segments * self._cut.segment
        self._program = sampler_program(programs, vocab, self._cut)

        def zeros(*size: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(*size, dtype=dtype, device=device)

        self._parameters = zeros(slots, _PARAMETERS, dtype=torch.float64)
        self._progress = zeros(slots, 4, dtype=torch.int32)  # the step, the token drawn last
        self._progress[:, 1] = -1
        self._flags = zeros(slots, padded, dtype=torch.uint8)
        self._counts, self._bias = zeros(slots, padded), zeros(slots, padded)
        self._uncounted = _bits(uncounted, padded).to(device)
        self._adjusted, self._weights = zeros(rows, padded), zeros(rows, padded)
        self._tops = zeros(rows, self._segments)
        self._places = zeros(rows, self._segments, dtype=torch.int32)
        self._sums = zeros(rows, _BINS, dtype=torch.int64)
        self._bin_counts = zeros(rows, _BINS, dtype=torch.int32)
        self._totals = zeros(rows, dtype=torch.int64)
        self._chances = zeros(rows, padded // STRETCH, dtype=torch.int64)
        self._members = zeros(rows, padded, 4, dtype=torch.int32)
        self._member_counts = zeros(rows, dtype=torch.int32)
        self._told = zeros(rows, _TOLD_WORDS, dtype=torch.int64)
        locked = device.type == "cuda"
        self._random = torch.zeros(slots, RING, dtype=torch.float64, pin_memory=locked)
        self._results = torch.zeros(slots, RING, dtype=torch.int64, pin_memory=locked)
        self._random_seen = self._random.numpy()
        self._results_seen: NDArray[np.uint64] = self._results.numpy().view(np.uint64)
        self._given = [0] * slots
        self._taken = [0] * slots
        self._device = device

    @property
    def nbytes(self) -> int:
        """Bytes on the card."""
        tensors = (value for value in vars(self).values() if isinstance(value, Tensor))
        return sum(tensor.nbytes for tensor in tensors if not tensor.is_pinned())

    def leave_uncounted(self, tokens: Collection[int]) -> None:
        """Change which tokens' counts do not grow, in all slots."""
        self._uncounted.copy_(_bits(tokens, self._flags.shape[1]))

    def load(
        self,
        slot: int,
        drawing: Drawing,
        ids: "Sequence[int] | NDArray[np.int64]" = (),
        counts: "Sequence[float] | NDArray[np.float32]" = (),
    ) -> None:
        """Begin a reply in a slot, or go on with one: ids were drawn before, counts are theirs.

        Tokens that were drawn elsewhere since are in ``counts`` already.
        """
        self._parameters[slot] = torch.tensor(
            [
                *(drawing.temperature, drawing.top_p, drawing.min_p, float(drawing.top_k)),
                *(drawing.presence, drawing.frequency, drawing.decay, 0.0),
            ],
            dtype=torch.float64,
        )
        seen = torch.as_tensor(np.asarray(ids, np.int64))
        flags = torch.zeros(self._flags.shape[1], dtype=torch.uint8)
        bias = torch.zeros(self._bias.shape[1])
        for token, amount in drawing.bias:
            bias[token] += amount
            flags[token] |= _BIASED
        flags[seen] |= _SEEN
        masked = torch.tensor(sorted(set(drawing.masked)), dtype=torch.int64)
        flags[masked] |= _MASKED
        self._flags[slot] = flags.to(self._device)
        if drawing.bias:
            self._bias[slot] = bias.to(self._device)
        amounts = torch.as_tensor(np.asarray(counts, np.float32)).to(self._device)
        self._counts[slot, seen.to(self._device)] = amounts
        # Steps that nobody took are not mistaken for those to come: these have other numbers.
        start = ((self._given[slot] | 0xFFFF) + 1) & 0x7FFFFFFF
        self._progress[slot, :2] = torch.tensor([start, -1], dtype=torch.int32)
        self._given[slot] = self._taken[slot] = start

    def bind(
        self, logits: Tensor, row_slots: Tensor, tokens: Tensor, *, greedy: bool = False
    ) -> "list[LaunchLike]":
        """Return the launches that draw for every row of logits, to be run in this order.

        logits: fp32 [R, V], left as they are; row_slots: int32 [R] on the card, each row's slot,
        below 0 for rows that are not there (no slot twice); tokens: int32 [R] on the card, gets the
        drawn tokens. All are read and written at the addresses they have now; row_slots by no
        kernel that the launches may depend on. greedy: all rows' drawings are greedy.
        """
        rows = logits.shape[0]
        if rows > self.rows or logits.shape != (rows, self.vocab):
            raise ValueError(f"logits must be [at most {self.rows}, {self.vocab}]")
        if logits.dtype != torch.float32 or not logits.is_contiguous():
            raise ValueError("logits must be fp32 and contiguous")
        kernel = self._program.kernel
        wide = ((self._segments, rows), self._cut.segment // 4)
        common = (row_slots, self._parameters)
        tops = (self._tops, self._places)
        bins = (self._sums, self._bin_counts, self._totals)
        members = (self._members, self._member_counts)
        turns = self._cut.rehearsals
        weighed = (*common, self._adjusted, self._tops, self._weights, *bins, self._chances)
        scan = kernel("sample_scan").bind(
            *wide,
            (
                *(logits, *common, self._progress, self._flags, self._counts, self._bias),
                *(self._uncounted, self._adjusted, *tops, *bins, self._member_counts, turns[0]),
            ),
            dependent=True,
        )
        pick = kernel("sample_pick").bind(
            *(rows, self._cut.pick_threads),
            (
                *(*common, self._adjusted, *tops, self._weights, self._chances, *members),
                *(self._told, self._random, self._progress, tokens, self._results, turns[3]),
            ),
            dependent=True,
        )
        if greedy:
            return [scan, pick]
        weigh = kernel("sample_weigh").bind(*wide, (*weighed, turns[1]), dependent=True)
        narrow = kernel("sample_narrow").bind(
            *wide, (*weighed, *members, self._told, turns[2]), dependent=True
        )
        return [scan, weigh, narrow, pick]

    def give(self, slot: int, number: float) -> None:
        """Lay ready the random number in [0, 1) of a slot's next step; of a greedy one, any.

        Before the step is launched; at most RING steps ahead of ``take``.
        """
        if self._given[slot] - self._taken[slot] >= RING:
            raise ValueError("too many steps are under way")
        self._random_seen[slot, self._given[slot] % RING] = number
        self._given[slot] += 1

    def take(self, slot: int) -> int:
        """Return the token of a slot's next step, once it is there.

        The wait lets other threads work. Raises NotFinite or NoneLeft, and what the card raises.
        """
        if self._taken[slot] == self._given[slot]:
            raise ValueError("no step is under way")
        place, step = self._taken[slot] % RING, (self._taken[slot] + 1) & 0xFFFFFFFF
        if self._device.type == "cuda":  # Windows holds work back until the driver is asked
            torch.cuda.current_stream(self._device).query()
        impatient = time.monotonic() + _IMPATIENT_S
        while (result := int(self._results_seen[slot, place])) >> 32 != step:
            time.sleep(0)
            if time.monotonic() < impatient:
                continue
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            if int(self._results_seen[slot, place]) >> 32 != step:
                raise RuntimeError("a step that was not launched is waited for")
        self._taken[slot] += 1
        token = result & 0xFFFFFFFF
        if token == _NOT_FINITE:
            raise NotFinite("The logits are not finite.")
        if token == _NONE_LEFT:
            raise NoneLeft("No token is left to choose from.")
        return token


def _bits(tokens: Collection[int], padded: int) -> Tensor:
    """Return one bit a token, int32 [padded / 32]."""
    flags = np.zeros(padded, np.uint8)
    flags[list(tokens)] = 1
    return torch.from_numpy(np.packbits(flags, bitorder="little").view(np.int32).copy())
