"""The sizes of a model of RWKV-4, 5 or 6, and what follows from them. Knows no file, no device."""

from dataclasses import dataclass
from typing import Literal

from engine.checkpoint.shape import ModelShape, Ranks

OlderGeneration = Literal["4", "5.0", "5.1", "5.2", "6"]

NO_RANKS = Ranks(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class OlderShape(ModelShape):
    """As ``ModelShape``; ``ranks`` are none. One head as wide as the model in RWKV-4.

    mix_rank, decay_rank: inner widths of RWKV-6's low-rank pairs (five mixes, one decay).
    """

    older: OlderGeneration = "6"
    mix_rank: int = 0
    decay_rank: int = 0

    @property
    def generation(self) -> str:
        """ "4", "5" or "6"."""
        return self.older[0]

    @property
    def gated(self) -> bool:
        """Whether the time mix has a gate's matrix: from 5.1 on."""
        return self.older in ("5.1", "5.2", "6")

    @property
    def layer_matrix_parameters(self) -> int:
        """Elements of one layer's large matrices: (5 or, with a gate, 6) D*D + 2 D*F."""
        squares = 6 if self.gated else 5
        return squares * self.width**2 + 2 * self.width * self.ffn

    @property
    def pair_parameters(self) -> int:
        """Elements of one layer's low-rank pairs, which only RWKV-6 has."""
        return 2 * self.width * (5 * self.mix_rank + self.decay_rank)

    @property
    def vector_parameters(self) -> int:
        """Elements of one layer's vectors: norms, mixes, decay and the bonus of the first token."""
        mixes = {"4": 5, "5.0": 5, "5.1": 6, "5.2": 6, "6": 8}[self.older]
        norms = 4 if self.older == "4" else 6
        per_head = 2 * (self.heads if self.older in ("5.0", "5.1") else self.width)
        return (norms + mixes) * self.width + per_head

    @property
    def layer_parameters(self) -> int:
        """Elements of one layer; ln0 belongs to no layer here."""
        return self.layer_matrix_parameters + self.pair_parameters + self.vector_parameters

    @property
    def parameters(self) -> int:
        """All elements; ln0 and ln_out are in."""
        return 2 * self.embedding_parameters + 4 * self.width + self.layers * self.layer_parameters

    @property
    def wkv_shape(self) -> tuple[int, ...]:
        """[L, H, N, N]; of RWKV-4 [L, 3, D]: sums above and below, and what both are scaled by."""
        if self.older == "4":
            return (self.layers, 3, self.width)
        return (self.layers, self.heads, self.head_size, self.head_size)

    @property
    def state_bytes(self) -> int:
        """Bytes of one chat's fp32 state: two shifts [L, D] and wkv."""
        per_layer = self.heads * self.head_size**2 if self.older != "4" else 3 * self.width
        return 4 * self.layers * (2 * self.width + per_layer)


def released_older(version: int, label: str) -> OlderShape | None:
    """Return the shape of a released model of RWKV-4, 5 or 6, such as (6, "1.6B"), or None.

    For predictions about a file that is not here yet: those of the Pile have fewer tokens.
    """
    sizes = _RELEASED.get(label.lower())
    if sizes is None or version not in (4, 5, 6):
        return None
    layers, width = sizes
    if version == 4:
        layers = min(layers, 40)
        width = 5120 if layers == 40 else width
        return OlderShape(layers, width, 4 * width, 65536, width, NO_RANKS, older="4")
    ffn = int(3.5 * width) // 32 * 32
    sizes = (layers, width, ffn, 65536, 64)
    if version == 5:
        return OlderShape(*sizes, NO_RANKS, older="5.2")
    rank = 64 if width >= 4096 else 32
    return OlderShape(*sizes, NO_RANKS, older="6", mix_rank=rank, decay_rank=2 * rank)


_RELEASED = {
    **dict.fromkeys(("0.1b", "169m"), (12, 768)),
    **dict.fromkeys(("0.4b", "430m"), (24, 1024)),
    **dict.fromkeys(("1.5b", "1.6b"), (24, 2048)),
    **{"3b": (32, 2560), "7b": (32, 4096), "14b": (61, 4096)},
}
"""Layers and width by the size in a file's name; RWKV-4 of 14B has 40 of 5120."""
