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
