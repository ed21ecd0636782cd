"""The sizes of an RWKV-7 model and what follows from them. Knows no file and no device."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ranks:
    """Inner widths of the low-rank pairs: w (decay), a (in-context rate), v (residual), g (gate).

    ``v`` is 0 only in a model of one layer, which needs none.
    """

    w: int
    a: int
    v: int
    g: int

    @property
    def total(self) -> int:
        """Sum of the four."""
        return self.w + self.a + self.v + self.g


@dataclass(frozen=True, slots=True)
class ModelShape:
    """L ``layers``, D ``width``, F ``ffn`` rows, V ``vocab`` rows, N ``head_size``.

    deep: the side n of DeepEmbed's rows (v7a: each layer has a table [V, n * n]); 0 without it.
    """

    layers: int
    width: int
    ffn: int
    vocab: int
    head_size: int
    ranks: Ranks
    deep: int = 0

    @classmethod
    def released(cls, label: str) -> "ModelShape":
        """Return the shape of a released size: "0.1b", "0.4b", "1.5b", "2.9b", "7.2b", "13.3b".

        Raises KeyError for any other label (case does not matter).
        """
        layers, width, ranks = _RELEASED[label.lower()]
        return cls(layers, width, 4 * width, 65536, 64, ranks)

    @property
    def generation(self) -> str:
        """ "7"; of other generations see ``engine.checkpoint.older_shape``."""
        return "7"

    @property
    def heads(self) -> int:
        """H = D / N."""
        return self.width // self.head_size

    @property
    def layer_matrix_parameters(self) -> int:
        """Elements of the six large matrices of one layer: 4 D*D + 2 D*F."""
        return 4 * self.width**2 + 2 * self.width * self.ffn

    @property
    def layer_parameters(self) -> int:
        """Elements of one layer after the first; ln0 belongs to no layer here.

        19 vectors of length D (r_k counted as one), four low-rank pairs, six matrices.
        """
        vectors = 19 * self.width
        pairs = 2 * self.width * self.ranks.total
        return vectors + pairs + self.layer_matrix_parameters + self.layer_deep_parameters

    @property
    def layer_deep_parameters(self) -> int:
        """Elements of DeepEmbed in one layer besides its table: s_emb_x, s1, s2 and s0."""
        if not self.deep:
            return 0
        return self.deep * (self.deep * self.width + self.width + self.ffn) + self.ffn

    @property
    def table_parameters(self) -> int:
        """Elements of DeepEmbed's tables; one row of each is read for a token."""
        return self.layers * self.vocab * self.deep**2

    @property
    def embedding_parameters(self) -> int:
        """Elements of the embedding table V*D; one token reads a single row of it."""
        return self.vocab * self.width

    @property
    def matrix_parameters(self) -> int:
        """Elements of all layers' large matrices and of the head.

        Every token reads all of them: they are nearly all of the memory traffic, and they are
        what a quantised weight type applies to. The low-rank pairs and the embedding are not in it.
        """
        return self.layers * self.layer_matrix_parameters + self.vocab * self.width

    @property
    def parameters(self) -> int:
        """All elements that are used: layer 0 has no v pair, ln0 and ln_out are in."""
        unused = self.width + 2 * self.width * self.ranks.v
        norms = 4 * self.width
        layers = self.layers * self.layer_parameters + self.table_parameters
        return 2 * self.embedding_parameters + norms + layers - unused

    @property
    def wkv_shape(self) -> tuple[int, ...]:
        """Sizes of what all layers remember: [L, H, N, N]."""
        return (self.layers, self.heads, self.head_size, self.head_size)

    @property
    def loaded_parameters(self) -> int:
        """Elements that a backend holds: all but DeepEmbed's tables, which stay in the file."""
        return self.parameters - self.table_parameters

    @property
    def state_bytes(self) -> int:
        """Bytes of one chat's fp32 state: two shifts [L,D] and wkv [L,H,N,N]."""
        per_layer = 2 * self.width + self.heads * self.head_size**2
        return 4 * self.layers * per_layer


# Layers, width, ranks. Only for predictions about a file that is not here yet: a file that is
# here is always measured. The ranks of 13.3b are not published; their sum (896) follows from
# the size of the .pth, how it divides does not.
_RELEASED = {
    "0.1b": (12, 768, Ranks(64, 64, 32, 128)),
    "0.4b": (24, 1024, Ranks(64, 64, 32, 128)),
    "1.5b": (24, 2048, Ranks(96, 96, 64, 256)),
    "2.9b": (32, 2560, Ranks(96, 96, 64, 320)),
    "7.2b": (32, 4096, Ranks(128, 128, 96, 480)),
    "13.3b": (61, 4096, Ranks(128, 128, 128, 512)),
}
