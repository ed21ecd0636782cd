"""The generations of RWKV that are run: how each is told by its tensors' names, and checked.

Knows which module checks which generation; the names themselves stand there.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from engine.checkpoint import names, older_names
from engine.checkpoint.entries import TensorEntry
from engine.checkpoint.info import ArchitectureName
from engine.checkpoint.shape import ModelShape

Entries = Mapping[str, TensorEntry]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One generation. ``infer_shape`` and ``canonical`` raise DamagedFile, UnsupportedModel.

    matches: whether a file with these tensors is one. infer_shape: (entries, file name) -> its
    sizes. canonical: (entries, sizes, file name) -> the entries in the model's order and shapes.
    """

    name: ArchitectureName
    matches: Callable[[Collection[str]], bool]
    infer_shape: Callable[[Entries, str], ModelShape]
    canonical: Callable[[Entries, ModelShape, str], dict[str, TensorEntry]]


_OLDER = (older_names.infer_older_shape, older_names.canonical_older)

ARCHITECTURES = (
    Architecture("rwkv6", older_names.is_rwkv6, *_OLDER),
    Architecture("rwkv5", older_names.is_rwkv5, *_OLDER),
    Architecture("rwkv4", older_names.is_rwkv4, *_OLDER),
    Architecture("rwkv7a", names.is_deep, names.infer_shape, names.canonical),
    Architecture("rwkv7", lambda _: True, names.infer_shape, names.canonical),
)
"""The first that matches is taken; what matches no other is checked as plain RWKV-7."""


def architecture_of(tensors: Collection[str]) -> Architecture:
    """Return the generation of a model whose tensors have these (BlinkDL's) names."""
    return next(kind for kind in ARCHITECTURES if kind.matches(tensors))
