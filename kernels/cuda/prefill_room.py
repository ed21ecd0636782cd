"""The memory in which many tokens are read: one set of arrays for all lengths, places shared by
what does not live at the same time.

Knows sizes; knows no kernels and no weights' values.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.cuda.weights import Sizes

CHUNK = 16
RECORD_BYTES = 11648
"""What the chunk of a head leaves for the way through the chunks: see wkv7_read.cuh."""

MOST_NUMBERS = 5 << 20
"""Tokens times width that are read at once: about 40 bytes each."""

EXACT_WIDTH = 2048
"""Up to this width products wait in fp32 for what becomes of them (rounding the channel mix' hidden
numbers is a sixth of all error), and the first chunk's r and k are exact. Wider models have more to
lose by the traffic than by the error."""

EXACT_TOKENS = 256
"""So many tokens' inputs of r, k and the channel mix' products are two fp16 numbers each, where
products wait in fp32: most of the error of reading comes from rounding them. That doubles what is
multiplied, while what takes time for so few is mostly fetching the weights; longer texts would take
a third longer. Of those r and k of the first chunk are exact."""

EARLY = 2 * EXACT_TOKENS
"""The most rows of tokens whose r and k are exact, as fp16 and what that has lost."""

BUCKETS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Numbers of tokens for which a graph may be recorded."""

PIECE_COST = 256
"""What a piece costs whatever its length, in tokens: all weights are read, all kernels launched."""


def most_tokens(width: int) -> int:
    """Return how many tokens a model of this width reads at once, at most: one of BUCKETS."""
    fits = [n for n in BUCKETS if n * width <= MOST_NUMBERS]
    return fits[-1] if fits else BUCKETS[0]


def sums_type(width: int, left: torch.dtype) -> torch.dtype:
    """Return the type in which products wait; left: the best in which they can be left."""
    return left if width <= EXACT_WIDTH else torch.float16


@dataclass(frozen=True, slots=True)
class Room:
    """Arrays for T tokens (D wide, F = ffn's rows, all ranks R); chunks = T / 16.

    x, moved: the residual and where it goes, fp32 [T, D]. delta: what is to be added [T, D].
    pair: h and dx, fp16 [T, 2 D]; mixed: of r, k, v [3, T, D]. hid [T, R]; rkv [3, T, D].
    records: uint8 [chunks, H, RECORD_BYTES]; y: [chunks, H, 4, 32, 8]. gate: [T, D] in the type
    of delta; gate_out: [D, rank], the gate's second matrix where it is not fp16. gated: [T, D].
    ffn_in: [N, T, D], the numbers and for N = 2 what they lost as fp16.
    sums: of the key product [T, F], fp32 or, being hidden itself, fp16; hidden: relu^2 of it,
    [N, T, F].
    v_first: [T, D]. early_mixed, early: the first tokens', for r and k, fp16 and (sums) fp32
    [2, 2 E, D], E = T or, of long texts, CHUNK; empty unless sums wait in fp32. All fp16 where
    nothing is said.

    pair and mixed share their memory with y, gated, gate and ffn_in, and these with hidden where it
    is not sums; rkv and records share theirs with sums, with delta (which lies behind fp16 sums)
    and, at the end, with ``Rooms.folded``.
    """

    tokens: Tensor
    x: Tensor
    moved: Tensor
    delta: Tensor
    pair: Tensor
    mixed: Tensor
    hid: Tensor
    rkv: Tensor
    records: Tensor
    y: Tensor
    gate: Tensor
    gate_out: Tensor
    gated: Tensor
    ffn_in: Tensor
    sums: Tensor
    hidden: Tensor
    v_first: Tensor
    early_mixed: Tensor
    early: Tensor


class Rooms:
    """The memory, and its arrays for any number of tokens that fits.

    place: int32 [2]: how many tokens are there, and whose state (see wkv7_read.cuh).
    shifts: the layers' last inputs on their way out, fp32 [2, L, D]. folded: fp16 [R, 2 D].
    expanded: fp16, for one matrix of another type; empty if there is none. sums: the type in which
    products wait.
    """

    def __init__(
        self, sizes: Sizes, device: torch.device, left: torch.dtype, expanded: int
    ) -> None:
        self.sizes = sizes
        self.most_tokens = most_tokens(sizes.width)
        self.sums = sums_type(sizes.width, left)
        parts = _bytes(sizes, self.most_tokens, self.sums)
        self._memory = {
            name: torch.zeros(size, dtype=torch.uint8, device=device)
            for name, size in parts.items()
        }
        self.place = torch.zeros(2, dtype=torch.int32, device=device)
        shape = (2, sizes.layers, sizes.width)
        self.shifts = torch.zeros(shape, dtype=torch.float32, device=device)
        fp16 = {"dtype": torch.float16, "device": device}
        last = self._memory["products"][-_folded_bytes(sizes) :]
        self.folded = last.view(torch.float16).view(-1, 2 * sizes.width)
        self.expanded = torch.empty(expanded, **fp16)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        others = (self.place, self.shifts, self.expanded)
        return sum(x.nbytes for x in (*self._memory.values(), *others))

    def of(self, tokens: int) -> Room:
        """Return the arrays of so many tokens, a multiple of 16."""
        d, heads, chunks = self.sizes.width, self.sizes.heads, tokens // CHUNK
        plane = 2 * tokens * d

        def at(name: str, first: int, dtype: torch.dtype, *shape: int) -> Tensor:
            size = torch.Size(shape).numel() * dtype.itemsize
            return self._memory[name][first : first + size].view(dtype).view(shape)

        half, single = torch.float16, torch.float32
        exact = self.sums == single
        short = tokens <= EXACT_TOKENS
        early, numbers = 0, 1
        if exact:
            early, numbers = (2 * tokens, 2) if short else (2 * CHUNK, 1)
        sums = at("products", 0, self.sums, tokens, self.sizes.ffn)
        return Room(
            tokens=at("tokens", 0, torch.int32, tokens),
            x=at("x", 0, single, tokens, d),
            moved=at("moved", 0, single, tokens, d),
            delta=at("products", 2 * tokens * self.sizes.ffn, self.sums, tokens, d),
            pair=at("mixes", 0, half, tokens, 2 * d),
            mixed=at("mixes", 2 * plane, half, 3, tokens, d),
            hid=at("hid", 0, half, tokens, sum(self.sizes.held_ranks)),
            rkv=at("products", 0, half, 3, tokens, d),
            records=at("products", 3 * plane, torch.uint8, chunks, heads, RECORD_BYTES),
            y=at("mixes", 0, half, chunks, heads, 4, 32, 8),
            gate=at("mixes", 2 * plane, self.sums, tokens, d),
            gate_out=at("mixes", 8 * self.most_tokens * d, half, d, self.sizes.held_ranks[3]),
            gated=at("mixes", plane, half, tokens, d),
            ffn_in=at("mixes", 2 * plane, half, numbers, tokens, d),
            sums=sums,
            hidden=at("mixes", 0, half, numbers, tokens, self.sizes.ffn) if exact else sums[None],
            v_first=at("v_first", 0, half, tokens, d),
            early_mixed=at("early_mixed", 0, half, 2, early, d),
            early=at("early", 0, single, 2, early, d),
        )


def room_bytes(sizes: Sizes, expanded: int, left: torch.dtype = torch.float32) -> int:
    """Return what ``Rooms`` takes. expanded: elements of the largest matrix that is not fp16."""
    shifts = 2 * sizes.layers * sizes.width * 4
    sums = sums_type(sizes.width, left)
    parts = _bytes(sizes, most_tokens(sizes.width), sums).values()
    return sum(parts) + 8 + shifts + 2 * expanded


def _folded_bytes(sizes: Sizes) -> int:
    return 4 * sum(sizes.held_ranks) * sizes.width


def _bytes(sizes: Sizes, tokens: int, sums: torch.dtype) -> dict[str, int]:
    numbers = tokens * sizes.width
    records = tokens // CHUNK * sizes.heads * RECORD_BYTES
    early = EARLY * sizes.width if sums == torch.float32 else 0
    delta_end = 2 * tokens * sizes.ffn + sums.itemsize * numbers
    products = (
        6 * numbers + records,
        sums.itemsize * tokens * sizes.ffn,
        delta_end + _folded_bytes(sizes),
        6 * numbers + _folded_bytes(sizes),
    )
    gate_out_end = 8 * numbers + 2 * sizes.width * sizes.held_ranks[3]
    short = 4 * min(tokens, EXACT_TOKENS) * sizes.ffn
    return {
        "tokens": 4 * tokens,
        "x": 4 * numbers,
        "moved": 4 * numbers,
        "mixes": max(10 * numbers, 2 * tokens * sizes.ffn, short, gate_out_end),
        "hid": 2 * tokens * sum(sizes.held_ranks),
        "products": max(products),
        "v_first": 2 * numbers,
        "early_mixed": 4 * early,
        "early": 8 * early,
    }


def pieces_of(length: int, most: int) -> list[tuple[int, int]]:
    """Return (tokens, bucket) of each piece in which so many tokens are read.

    What is left of whole pieces of `most` is filled up to a bucket or cut, whichever costs less.
    """
    whole, rest = divmod(length, most)
    return [(most, most)] * whole + _cheapest(rest, most)[1]


def _cheapest(length: int, most: int) -> tuple[int, list[tuple[int, int]]]:
    """Return (cost in tokens, pieces) of fewer tokens than `most`."""
    if length == 0:
        return 0, []
    bucket = next(b for b in (*BUCKETS, most) if b >= length)
    filled = PIECE_COST + bucket
    smaller = [b for b in BUCKETS if b < bucket]
    if not smaller:
        return filled, [(length, bucket)]
    cost, pieces = _cheapest(length - smaller[-1], most)
    cost += PIECE_COST + smaller[-1]
    if cost >= filled:
        return filled, [(length, bucket)]
    return cost, [(smaller[-1], smaller[-1]), *pieces]
