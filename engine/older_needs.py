"""Bytes that a model of RWKV-4, 5 or 6 needs in the author's package, on whatever device.

Knows where ``engine.backends.older`` puts what; knows no machine.
"""

from engine.checkpoint.older_shape import OlderShape
from engine.older_strategy import EIGHT_BITS, counted_types
from engine.strategy import Stage

_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, EIGHT_BITS: 1}
_OPENED = 3
"""Copies of a matrix, in the activations' type, that are alive while its 8 bits are opened."""


def older_layer_bytes(shape: OlderShape, weights: str) -> int:
    """Bytes of one layer in type ``weights``; what is no large matrix is counted generously."""
    each = _matrix_bytes(weights)
    small = (shape.pair_parameters + shape.vector_parameters) * (2 if each == 2 else 4)
    return shape.layer_matrix_parameters * each + small


def older_head_bytes(shape: OlderShape, weights: str) -> int:
    """Bytes of the head and the norm before it."""
    return shape.vocab * shape.width * _matrix_bytes(weights) + 8 * shape.width


def older_embedding_bytes(shape: OlderShape, first: Stage) -> int:
    """Bytes of the table, which is in main memory in the first stage's type of activations."""
    return shape.vocab * shape.width * _BYTES[counted_types(first)[0]]


def opened_bytes(shape: OlderShape, stage: Stage) -> int:
    """Bytes that computing takes for a while on a device whose matrices have 8 bits, else 0."""
    activation, weight = counted_types(stage)
    if weight != EIGHT_BITS:
        return 0
    largest = shape.width * max(shape.vocab, shape.ffn)
    return _OPENED * largest * _BYTES[activation]


def _matrix_bytes(weights: str) -> int:
    return _BYTES[counted_types(Stage("cpu", weights))[1]]
