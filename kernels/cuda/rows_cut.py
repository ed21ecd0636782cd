"""How the kernels of a step of many rows cut their work: shapes of blocks, parts, what comes early.

Knows sizes and numbers of processors; knows no kernel and no weight. ``rows.cu`` says what each
number does.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from kernels.cuda.matrices import GROUP

if TYPE_CHECKING:
    from kernels.cuda.weights import Sizes

MOST_PARTS = 16
"""Parts along k in which a product may be cut."""
MOST_DIGITS = 2
"""fp16 numbers whose sum an activation may be."""

_PROCESSORS = 132
_ALL_STAGES = 12
_SMALL, _MIDDLE, _LARGE = 1024, 2048, 4096  # widths
_LEAST_SHARED, _MUCH_SHARED, _MOST_SHARED = 64 << 10, 96 << 10, 112 << 10
_SOME_SHARED, _AHEAD = 80 << 10, 16 << 10
_ALL_SHARED = 200 << 10  # of a block that has its processor for itself, where two of the most fit


@dataclass(frozen=True, slots=True)
class Shape:
    """How a product is cut into blocks.

    side, deep: warps of a block beside each other and along k (each of those has 64 of k of a
    stage; of a matrix by inputs half as much); tiles: of 16 weight rows a warp (by inputs 4).
    shared: bytes of a block's stages. ahead: bytes of a block's weights that are fetched to L2
    before the kernel waits for the one before, beyond its first stages. digits: of activations.
    """

    side: int
    deep: int
    tiles: int
    shared: int
    ahead: int = 0
    digits: int = 1

    @property
    def rows(self) -> int:
        """Weight rows of a block."""
        return 16 * self.tiles * self.side

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * self.side * self.deep

    @property
    def text(self) -> str:
        """The arguments of a Shape in rows_product.cuh."""
        numbers = (self.side, self.deep, self.tiles, self.shared, self.ahead, self.digits)
        return ",".join(map(str, numbers))


@dataclass(frozen=True, slots=True)
class Cut:
    """How the kernels cut their work.

    into: receptance, key and value of the time mix, and with lora_tiles the loras' first halves;
    output_split, value_split: blocks along k; group: rows of a block of the recurrence (2, 4, 8);
    early: stages of weights that are asked for before the wait, at most; line: bytes around a
    weight that are fetched to L2 with it (128, 256; 0: as the card likes); recur_ahead: bytes of
    the output matrix that the recurrence fetches to L2; in_states, recur_states: the kernel before
    the recurrence, or that itself before it waits, fetches the states to L2. recur: what that loads
    before it waits (steps of the loras, passes of a state), and its blocks on a processor.
    """

    into: Shape
    output: Shape
    key: Shape
    value: Shape
    head: Shape
    lora_tiles: int
    output_split: int
    value_split: int
    group: int
    early: int = _ALL_STAGES
    line: int = 0
    recur_ahead: int = 0
    in_states: bool = False
    recur_states: bool = False
    recur: tuple[int, int, int] = (4, 4, 2)

    def changed(self, name: str, **values: int) -> "Cut":
        """Return the same with other numbers in the shape of this name, or in all (``"*"``)."""
        names = ("into", "output", "key", "value", "head") if name == "*" else (name,)
        return replace(self, **{each: replace(getattr(self, each), **values) for each in names})


def cut_of(sizes: "Sizes", rows: int, *, scaled: bool, by_input: bool, shared: int) -> Cut:
    """Return a cut whose blocks have together some 40 KB of weights under way for each of 132
    processors, and are mostly one to a processor, so that the next kernel's begin beside them.

    Taller tiles read the activations less often; scaled weights take half the room and less.
    """
    width = sizes.width
    wide = width > _SMALL and width % 128 == 0 and rows <= 32
    if wide and shared >= _MUCH_SHARED and not scaled:
        return _exact(_wide(sizes, rows, by_input, shared), width, rows)
    if shared < _MUCH_SHARED:
        side, deep, tiles, input_side, input_deep = 4, 1, 1, 1, 2
    elif width >= _LARGE:
        side, deep, tiles, input_side = 4, 2 if scaled else 1, 2, 2
        input_deep = 4 if scaled else 2
    else:
        side, deep, tiles, input_side, input_deep = 2, 2, 2, 1, 4
        if width <= _SMALL:
            deep, tiles = 4 if rows <= 32 else 2, 1  # inputs of two digits want their room
    if width % (64 * input_side):
        input_side = 1
    shape = Shape(side, deep, tiles, shared)
    value = Shape(input_side, input_deep, 4, shared) if by_input else shape
    stage = input_deep // 2 if by_input else deep
    group = 8 if rows > 8 else 4
    cut = Cut(
        *(shape, shape, shape, value, shape),
        lora_tiles=max(1, tiles // 2) if scaled else tiles,
        output_split=split_of(-(-width // shape.rows), width // GROUP // deep),
        value_split=split_of(-(-width // value.rows), sizes.ffn // GROUP // stage),
        group=group // 2 if width < 2048 else group,
    )
    return _exact(cut, width, rows)


def _wide(sizes: "Sizes", rows: int, by_input: bool, shared: int) -> Cut:
    """Return what was found on an H100 for wide models in 16 bits: two blocks of eight warps on a
    processor, and long lines of each row.
    """
    width, few = sizes.width, rows <= 16
    long, tall = Shape(2, 4, 1, shared), Shape(4, 2, 1, shared)
    high = Shape(4, 2, 2, shared)
    into = output = long if few else tall
    key = long if not few else high if sizes.ffn >= 1 << 14 else tall
    deep = 4 if width >= _LARGE else 2
    value = Shape(2, deep, 4, shared) if by_input else tall
    head, recur = high if few else tall, (4, 4, 2)
    if width >= _LARGE and not few and shared == _MOST_SHARED:
        into, recur = replace(tall, shared=_SOME_SHARED), (2, 4, 2)
        head = replace(high, shared=_SOME_SHARED, ahead=_AHEAD)
        key = replace(high, shared=_ALL_SHARED)  # one block to a processor
        value = replace(value, shared=_ALL_SHARED, ahead=_AHEAD)
    elif width > _MIDDLE and not few and shared == _MOST_SHARED:
        into = output = Shape(2, 4, 2, _ALL_SHARED)
        key, recur = replace(high, shared=_ALL_SHARED), (4, 2, 2)
        value = Shape(4, 4, 2, _ALL_SHARED) if by_input else tall
    stage = value.deep // 2 if by_input else tall.deep
    return Cut(
        *(into, output, key, value, head),
        lora_tiles=into.tiles,
        output_split=split_of(-(-width // output.rows), width // GROUP // output.deep),
        value_split=split_of(-(-width // value.rows), sizes.ffn // GROUP // stage),
        group=8 if rows > 8 else 4,
        recur=recur,
    )


def _exact(cut: Cut, width: int, rows: int) -> Cut:
    """Return a cut whose inputs are two fp16 numbers where that matters and costs little.

    What receptance, key and value are made of matters most: the first tokens' states are small,
    and the norm of what is read from them makes roundings large. With 17 to 32 rows two numbers
    for that and key would cost 10 % at 2,048 wide, and 4 % at 4,096; with more rows it costs 10 %
    everywhere, and only models up to 2,048 wide are promised to be so exact.
    """
    if rows <= 16 or width <= _SMALL or (rows > 32 and width <= _MIDDLE):
        names = ("into", "output", "key", "value", "head")
    else:
        names = ("head",) if width <= _MIDDLE else ()
    for name in names:
        cut = cut.changed(name, digits=MOST_DIGITS)
    return cut


def split_of(blocks: int, most: int) -> int:
    """Return in how many parts each of so many blocks is cut along k, `most` at most.

    What is cut more has fewer stages to go through, but each part has to be added.
    """
    parts = range(1, max(1, min(most, MOST_PARTS, _PROCESSORS // blocks)) + 1)
    return min(parts, key=lambda count: -(-most // count) + count / 10)


def shared_of(architecture: int) -> int:
    """Return the bytes of shared memory that a block of the products has on a card (sm_..).

    Two such blocks are on a processor at once where it has room for them.
    """
    if architecture < 80:
        return _LEAST_SHARED
    return _MOST_SHARED if architecture in (90, 100, 103) else _MUCH_SHARED


def architecture_of(device: torch.device) -> int:
    """Return a card's architecture, 90 of what is none."""
    if device.type != "cuda":
        return 90
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor
