"""How the products of a step are cut for a card and a model, and what else is worth measuring.

What is here changes how fast a step is, and of its sums the order, nothing else. Knows sizes and
types; the launches are made of it in ``kernels.cuda.step``.
"""

from dataclasses import dataclass, replace

from kernels.cuda.matrices import GROUP, Kind
from kernels.cuda.weights import Sizes

_MOST_PARTS, _MOST_GROUPS = 8, 64  # of shared memory


@dataclass(frozen=True, slots=True)
class Cut:
    """How the products are cut for a card: what tuning chooses.

    warps: of a block. blocks: on an SM at a time; half of what fits leaves room for the kernel
    that follows. ahead: loads of 16 bytes that a lane has under way. resident: warps that the
    registers of an SM are to suffice for. groups: of 64 inputs, that a block of the sparse value
    product has; tile: its columns; value_warps: of a block. split: warps to a row of the dense one.
    output_warps: of a block of output. head_turns: blocks of the head one after the other.
    apart: norms and mixes are kernels of their own. recur_split: blocks to a head. in_value,
    in_output: KiB of later weights that are fetched to L2 meanwhile. norm_threads: of a block of a
    norm, which has norm_channels of the channels. deep: fours of rows that a lane of the sparse
    value product has asked for.
    """

    warps: int = 8
    blocks: int = 2
    ahead: int = 8
    resident: int = 32
    groups: int = 4
    tile: int = 32
    value_warps: int = 16
    output_warps: int = 16
    split: int = 1
    head_turns: int = 4
    apart: bool = False
    recur_split: int = 4
    in_value: int = 0
    in_output: int = 0
    norm_threads: int = 512
    norm_channels: int = 256
    deep: int = 4


# By the width from which on they hold. From 2,048 on many bytes of a norm's inputs stand beside a
# block's weights: not every block reads them (apart).
_16_BITS = {
    4096: Cut(
        *(16, 2, 8, 32, 64, 128, 16),
        apart=True,
        recur_split=2,
        in_value=12288,
        in_output=8192,
        norm_threads=1024,
        norm_channels=512,
    ),
    2560: Cut(
        *(16, 2, 6, 32, 64, 64, 16), apart=True, recur_split=2, in_value=4096, in_output=4096
    ),
    2048: Cut(16, 2, 8, 32, 26, 128, 16, apart=True, recur_split=2),
    0: Cut(warps=8, blocks=2, ahead=10, resident=24),
}
_MEASURED: dict[Kind, dict[int, Cut]] = {
    "fp16": _16_BITS,
    "bf16": _16_BITS,
    "int8": {
        4096: Cut(
            *(8, 4, 8, 32, 40, 256, 20),
            apart=True,
            recur_split=2,
            in_output=6144,
            norm_channels=512,
            deep=3,
        ),
        2560: Cut(
            *(8, 3, 12, 24, 32, 128, 16), apart=True, recur_split=2, in_value=2048, in_output=8192
        ),
        2048: Cut(16, 2, 8, 32, 26, 128, 16, apart=True),
        0: Cut(warps=8, blocks=2, ahead=12, resident=16),
    },
    "q4": {
        4096: Cut(
            *(8, 3, 6, 24, 40, 256, 20),
            apart=True,
            in_value=6144,
            in_output=4096,
            head_turns=8,
            norm_channels=512,
            deep=3,
        ),
        2560: Cut(
            *(8, 3, 6, 24, 20, 256, 20), apart=True, output_warps=24, norm_channels=512, deep=8
        ),
        2048: Cut(
            *(16, 2, 6, 32, 16, 256, 16),
            apart=True,
            recur_split=2,
            output_warps=24,
            norm_channels=64,
            deep=8,
        ),
        0: Cut(warps=8, blocks=2, ahead=4, resident=32),
    },
}
"""What was quickest on an H100 (132 SMs), searched coordinate by coordinate."""

_SHAPES = [(16, 2, 8, 32), (16, 2, 6, 32), (8, 3, 8, 24), (8, 4, 4, 32), (8, 4, 8, 32)]
_SHAPES += [(8, 3, 12, 24), (8, 2, 12, 16)]
_NARROW_SHAPES = [(8, 2, 10, 24), (8, 3, 6, 24), (8, 2, 8, 32), (16, 2, 4, 32)]
_VALUES = [(64, 128, 16), (32, 128, 16), (64, 64, 16), (40, 256, 20), (20, 256, 20)]


def default_cut(sizes: Sizes, kind: Kind) -> Cut:
    """Return what was quickest on an H100 for sizes like these."""
    by_width = _MEASURED[kind]
    cut = by_width[max(width for width in by_width if width <= sizes.width)]
    cut = replace(cut, groups=_fitting(sizes, cut.groups))
    return replace(cut, split=2) if not cut.apart and sizes.ffn // 64 % 2 == 0 else cut


def candidates(sizes: Sizes, kind: Kind) -> list[Cut]:
    """Return what is worth measuring on a card, the default first. Each costs a compilation."""
    best = default_cut(sizes, kind)
    cuts = [best] + [
        replace(best, warps=warps, blocks=blocks, ahead=ahead, resident=resident)
        for warps, blocks, ahead, resident in _SHAPES + ([] if best.apart else _NARROW_SHAPES)
    ]
    cuts.append(replace(best, recur_split=6 - best.recur_split))
    if best.apart:
        cuts += [
            replace(best, groups=_fitting(sizes, groups), tile=tile, value_warps=warps)
            for groups, tile, warps in _VALUES
        ]
        cuts += [replace(best, output_warps=40 - best.output_warps), replace(best, deep=6)]
        cuts.append(replace(best, in_value=0, in_output=0))
    return list(dict.fromkeys(cuts))


def _fitting(sizes: Sizes, groups: int) -> int:
    """Return so many groups, or more, where the kernel after it could not add so many parts."""
    least = -(-sizes.ffn // GROUP // _MOST_PARTS)
    most = -(-sizes.ffn // GROUP)
    return min(max(min(groups, most + most % 2), least + least % 2), _MOST_GROUPS)
