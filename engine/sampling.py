"""From logits to the next token, in the order of the ``rwkv`` package.

Ban and bias, penalties, softmax, then top-p (ties at the cut-off are kept), min-p and top-k as
cuts of the same distribution, then ``p ** (1 / temperature)`` and one draw. The cuts and the draw
are the native library's where it is there, else numpy's: the same random number falls on the same
token. Knows nothing of models, text or why a reply ends.
"""

import json
from collections import deque
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import EngineError
from engine.sampling_params import SamplingParams
from kernels.cpu.library import Library, NativeError, find_library, sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.tokenizer import Tokenizer

_NEAR = 1 / 1024
"""Weights relative to the most likely token's from which on the cut is looked for first."""
_FEW = 2048
"""How many weights are sorted without thinking."""
_BLOCK = 512
"""How many chances are summed up at once while drawing."""
_PERIOD = 1 << 128
"""Steps after which PCG64 is where it began."""
_COLDEST = 1e-6
"""Below, a temperature would no longer be a number in fp32."""

NOT_FINITE = (
    "The model computed numbers that are not finite.",
    "The file may be damaged, or fp16 too narrow for it: try bf16 or fp32.",
)
NONE_LEFT = ("No token is left to choose from: all are banned.", "Ban fewer tokens.")


@dataclass(frozen=True, slots=True)
class SamplerState:
    """All that a sampler remembers: with the model's state and logits, it goes on exactly there.

    ids: int64 [C] tokens generated so far, in the order of their first appearance;
    counts: fp32 [C] their decayed counts; rng_json: the random generator.
    """

    ids: "NDArray[np.int64]"
    counts: "NDArray[np.float32]"
    rng_json: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of a sampler, cheap to take before every token: ``Sampler.saved`` makes it whole."""

    counts: "NDArray[np.float32]"
    numbers: int


class _Scratch:
    """Arrays that are written anew at every draw: getting fresh memory costs more than the sums."""

    __slots__ = ("adjusted", "bins", "weights", "wide")

    def __init__(self, size: int) -> None:
        self.adjusted = np.empty(size, np.float32)
        self.weights = np.empty(size, np.float32)
        self.wide = np.empty(size, np.float64)
        self.bins = np.empty(size, np.int64)


class Sampler:
    """Draws tokens for one reply. Built once per reply: it remembers what it has drawn."""

    def __init__(
        self,
        params: SamplingParams,
        vocab_size: int,
        unused: Sequence[int] = (),
        uncounted: Collection[int] = (),
        *,
        native: bool = True,
    ) -> None:
        """``vocab_size``: the model's rows V; ``unused``: rows that are no token, never drawn.

        ``uncounted``: tokens whose count does not grow (see ``uncounted_ids``).
        ``native``: draw by the native library if it is there.
        Raises EngineError when a parameter is out of range or a token id is not below V.
        """
        self.params = params.validated()
        self.vocab_size = vocab_size
        self.uncounted = frozenset(uncounted)
        self._bias_ids = _ids([token for token, _ in params.bias], vocab_size)
        self._bias = np.array([amount for _, amount in params.bias], np.float32)
        self._masked = _ids([*unused, *params.banned], vocab_size)
        self._generator = np.random.PCG64(params.seed)
        self._rng = np.random.Generator(self._generator)
        self._peeked: deque[float] = deque()  # drawn from the generator, but not yet used up
        self._numbers = 0  # that were used up
        self._library: Library | None = find_library() if native else None
        self._scratch = _Scratch(vocab_size)
        self._addresses = (
            self._scratch.adjusted.ctypes.data,
            self._scratch.weights.ctypes.data,
        )
        self._is_greedy = params.temperature == 0 or params.top_p == 0
        self._presence = np.float32(params.presence_penalty)
        self._frequency = np.float32(params.frequency_penalty)
        # Parallel arrays that double when full; _slots says where a token's count is.
        self._ids = np.zeros(64, np.int64)
        self._counts = np.zeros(64, np.float32)
        self._slots: dict[int, int] = {}

    @property
    def masked(self) -> tuple[int, ...]:
        """Return the tokens that are never drawn."""
        return tuple(self._masked.tolist())

    @property
    def counts(self) -> dict[int, float]:
        """Return the decayed count of every token generated so far."""
        return {token: float(self._counts[slot]) for token, slot in self._slots.items()}

    def sample(self, logits: "NDArray[np.float32]") -> int:
        """Draw the next token and count it. logits: fp32 [V], left unchanged.

        -inf marks a token as impossible. Raises EngineError for NaN, +inf, or nothing possible.
        """
        token = self._draw(self._adjusted(logits))
        self.accept(token)
        return token

    def _adjusted(self, logits: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Return a copy with ban, bias and penalties applied."""
        if logits.shape != (self.vocab_size,):
            raise ValueError(f"logits must have shape ({self.vocab_size},), not {logits.shape}")
        if self._library is None:  # which looks for itself
            _require_finite(logits)
        adjusted = self._scratch.adjusted
        np.copyto(adjusted, logits)
        if self._bias_ids.size:  # add.at: a token may be in the list twice
            np.add.at(adjusted, self._bias_ids, self._bias)
        if used := len(self._slots):
            penalties = self._presence + self._counts[:used] * self._frequency
            adjusted[self._ids[:used]] -= penalties
        if self._masked.size:
            adjusted[self._masked] = -np.inf
        return adjusted

    def _draw(self, logits: "NDArray[np.float32]") -> int:
        """Return a token; logits are written over."""
        if self._library is not None:
            return self._draw_natively(self._library)
        params = self.params
        best = int(logits.argmax())
        if logits[best] == -np.inf:
            raise EngineError(*NONE_LEFT)
        if self._is_greedy:
            return best
        with np.errstate(over="ignore"):  # to -inf, which is right
            relative = np.subtract(logits, logits[best], out=logits)
            _cut(relative, params, self._scratch)
            # p ** (1 / T) is exp(log p / T), which does not underflow first
            relative /= np.float32(max(params.temperature, _COLDEST))
        return _pick(np.exp(relative, out=relative), self._random())

    def _draw_natively(self, library: Library) -> int:
        params = self.params
        adjusted, weights = self._addresses
        try:
            return sample(
                library,
                adjusted,
                self.vocab_size,
                temperature=params.temperature,
                top_p=params.top_p,
                min_p=params.min_p,
                top_k=params.top_k,
                random=0.0 if self._is_greedy else self._random(),
                scratch=weights,
            )
        except NativeError as error:
            not_finite = error.code == NativeError.NOT_FINITE
            raise EngineError(*(NOT_FINITE if not_finite else NONE_LEFT)) from error

    def _random(self) -> float:
        """Return the next random number, which is used up then."""
        self._numbers += 1
        return self._peeked.popleft() if self._peeked else self._rng.random()

    def peek(self, later: int = 0) -> float:
        """Return the random number of the next draw (0 if greedy) without using it up.

        For who draws elsewhere: ``replay`` the token afterwards, then it is used up. later: so many
        draws after the next one.
        """
        if self._is_greedy:
            return 0.0
        while len(self._peeked) <= later:
            self._peeked.append(self._rng.random())
        return self._peeked[later]

    def accept(self, token: int) -> None:
        """Let all counts decay, then count a token that was drawn, here or elsewhere."""
        used = len(self._slots)
        self._counts[:used] *= np.float32(self.params.penalty_decay)
        slot = self._slots.get(token)
        if slot is None:
            slot = self._slots[token] = used
            if used == len(self._ids):
                self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
                self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
            self._ids[slot] = token
        if token not in self.uncounted:
            self._counts[slot] += np.float32(1)

    def replay(self, token: int) -> None:
        """Count a token as if ``sample`` had drawn it just now, random number and all."""
        if not self._is_greedy:
            self._random()
        self.accept(token)

    def save(self) -> SamplerState:
        """Return a copy of all that decides the next tokens, besides the parameters."""
        return self.saved(self.mark())

    def mark(self) -> Mark:
        """Return this moment: the microsecond of it that cannot be worked out later."""
        return Mark(self._counts[: len(self._slots)].copy(), self._numbers)

    def saved(self, mark: Mark) -> SamplerState:
        """Return what ``save`` returned when ``mark`` was taken; nothing was restored since.

        Tokens are only ever added, and the generator (PCG64) is wound back: one step a number.
        """
        now = copy(self._generator)
        if back := self._numbers - mark.numbers + len(self._peeked):
            now.advance(_PERIOD - back)
        ids = self._ids[: len(mark.counts)].copy()
        return SamplerState(ids, mark.counts, json.dumps(now.state))

    def restore(self, state: SamplerState) -> None:
        """Go on from a saved state, drawing bit-identically what would have come.

        Raises EngineError when it is not the state of a sampler of this vocabulary.
        """
        try:
            ids = _ids(state.ids, self.vocab_size)
            counts = np.array(state.counts, np.float32)
            slots = {int(token): slot for slot, token in enumerate(ids)}
            if ids.shape != counts.shape or len(slots) != len(ids):
                raise ValueError("ids and counts do not belong together")
            self._rng.bit_generator.state = json.loads(state.rng_json)
        except (ValueError, TypeError, KeyError) as error:
            raise EngineError("The saved state of the sampler is damaged.") from error
        self._peeked.clear()
        spare = np.zeros(64, np.int64)
        self._ids = np.concatenate([ids, spare])
        self._counts = np.concatenate([counts, spare.astype(np.float32)])
        self._slots = slots


def _require_finite(logits: "NDArray[np.float32]") -> None:
    highest = logits.max()
    if np.isnan(highest) or highest == np.inf:
        raise EngineError(*NOT_FINITE)


def _ids(tokens: "Sequence[int] | NDArray[np.int64]", vocab_size: int) -> "NDArray[np.int64]":
    ids = np.array(tokens, np.int64)
    if ids.size and not (ids.min() >= 0 and ids.max() < vocab_size):
        wrong = int(ids.max() if ids.min() >= 0 else ids.min())
        raise EngineError(f"Token {wrong} does not exist: the model has {vocab_size} tokens.")
    return ids


def _pick(chances: "NDArray[np.float32]", random: float) -> int:
    """Return the place that a random number in [0, 1) falls on; a chance of 0 is never taken.

    Sums are fp64, first of blocks and then inside one: five times faster than one long sum.
    """
    begins = np.arange(0, len(chances), _BLOCK)
    blocks = np.add.reduceat(chances, begins, dtype=np.float64).cumsum()
    wanted = random * float(blocks[-1])
    block = _first_above(blocks, wanted)
    before = float(blocks[block - 1]) if block else 0.0
    begin = int(begins[block])
    inside = chances[begin : begin + _BLOCK].cumsum(dtype=np.float64)
    return begin + _first_above(inside, wanted - before)


def _first_above(rising: "NDArray[np.float64]", wanted: float) -> int:
    """Return the first place above ``wanted``; where rounding leaves none, the last step up."""
    place = int(rising.searchsorted(wanted, side="right"))
    return min(place, int(rising.searchsorted(rising[-1])))


def _cut(relative: "NDArray[np.float32]", params: SamplingParams, scratch: _Scratch) -> None:
    """Set to -inf what top-p, min-p and top-k leave out.

    relative: fp32 [V], logits minus the highest; each cut looks at the whole distribution.
    """
    weights = np.exp(relative, out=scratch.weights)
    least = max(params.min_p, _top_p_cutoff(weights, params.top_p, scratch))
    surplus: NDArray[np.int64] | None = None
    if 0 < params.top_k < len(weights):
        lowest = _kth_largest(weights, params.top_k, scratch)
        if lowest >= least:
            least = lowest
            equal = np.flatnonzero(weights == lowest)
            above = int(np.count_nonzero(weights > lowest))
            surplus = equal[params.top_k - above :]
    if least > 0:
        np.copyto(relative, -np.inf, where=weights < least)
    if surplus is not None:
        relative[surplus] = -np.inf


def _top_p_cutoff(weights: "NDArray[np.float32]", top_p: float, scratch: _Scratch) -> float:
    """Return the smallest weight that is kept: the first at which the sorted sum reaches top_p.

    weights: fp32 [V], relative to the most likely token's. The result is that of sorting all of
    them; only those around the cut are really sorted (sums of fp32 in fp64 hardly depend on
    their order). 0 keeps everything.
    """
    if top_p >= 1:
        return 0.0
    target = top_p * float(weights.sum(dtype=np.float64))
    few = _near(weights)
    if few is not None and few.sum(dtype=np.float64) >= target:
        return _reached(few, target)
    bins = _bins(weights, scratch)
    np.copyto(scratch.wide, weights)
    last, higher = _crossing(np.bincount(bins, scratch.wide), target)
    return _reached(weights[np.flatnonzero(bins == last)], target - higher)


def _kth_largest(weights: "NDArray[np.float32]", k: int, scratch: _Scratch) -> float:
    """Return the k-th largest weight, equal ones counted singly."""
    few = _near(weights)
    if few is None or len(few) < k:
        bins = _bins(weights, scratch)
        last, higher = _crossing(np.bincount(bins), k)
        few = weights[np.flatnonzero(bins == last)]
        k -= int(higher)
    return float(np.partition(few, len(few) - k)[len(few) - k])


def _near(weights: "NDArray[np.float32]") -> "NDArray[np.float32] | None":
    """Return the weights not far below the largest, unless there are many of them."""
    near = weights >= _NEAR
    return weights[np.flatnonzero(near)] if np.count_nonzero(near) <= _FEW else None


def _bins(weights: "NDArray[np.float32]", scratch: _Scratch) -> "NDArray[np.int64]":
    """Return the bin of a histogram that each weight falls into; higher bins, larger weights.

    The bits of positive floats are ordered as the floats are: the upper half will do.
    """
    return np.right_shift(weights.view(np.uint32), 16, out=scratch.bins, casting="unsafe")


def _crossing(sums: "NDArray[Any]", target: float) -> tuple[int, float]:
    """Return the bin in which the sum from the highest bin down reaches the target.

    And the sum of the bins above it. Where rounding keeps the whole sum below, the lowest bin.
    """
    falling = sums[::-1].cumsum()
    place = min(int(falling.searchsorted(target)), len(sums) - 1)
    return len(sums) - 1 - place, float(falling[place - 1]) if place else 0.0


def _reached(weights: "NDArray[np.float32]", target: float) -> float:
    """Return the weight at which the sum, from the largest on, reaches the target."""
    falling = np.sort(weights)[::-1]
    if not len(falling):
        return 0.0
    place = int(falling.cumsum(dtype=np.float64).searchsorted(target))
    return float(falling[min(place, len(falling) - 1)])


def uncounted_ids(tokenizer: "Tokenizer") -> frozenset[int]:
    """Return the tokens whose count never grows: spaces, tabs and digits repeat by nature.

    As in the ``rwkv`` package: every token whose text is a part of ' \\t0123456789'. Such a token
    still gets the presence penalty once it has appeared.
    """
    text = " \t0123456789"
    parts = {
        text[begin:end] for begin in range(len(text)) for end in range(begin + 1, len(text) + 1)
    }
    encoded = (tokenizer.encode(part) for part in parts)
    return frozenset(tokens[0] for tokens in encoded if len(tokens) == 1)
