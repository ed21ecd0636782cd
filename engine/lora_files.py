"""LoRA files: changes to a model's weights in the names of RWKV-PEFT, and how they are asked for.

For a matrix ``X.weight`` [out, in] such a file holds ``X.lora_A`` [r, in] and ``X.lora_B``
[out, r]: the model becomes W + (alpha / r) B A (merge/merge.py of github.com/JL-er/RWKV-PEFT).
Beside the pairs it may hold whole tensors of the model (norms, time_*), which take their place.
RWKV-PEFT keeps alpha in its command line: a file without ``lora_alpha`` counts as alpha = r.
Files are read by our own readers: nothing in them is ever run. Knows numpy, not torch.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.checkpoint.entries import NUMPY_TYPES, TensorEntry, element_count
from engine.checkpoint.info import ModelInfo
from engine.checkpoint.names import Shape, expected_tensors
from engine.checkpoint.older_names import older_tensors
from engine.checkpoint.older_shape import OlderShape
from engine.checkpoint.shape import ModelShape
from engine.checkpoint.sniff import check_is_file
from engine.errors import DamagedFile, UnsupportedModel
from engine.lora_use import LoraUse as LoraUse
from engine.lora_use import parse_lora as parse_lora
from engine.tensor_file import TensorFile

ALPHA = "lora_alpha"
"""A tensor of one element with the scale that the pairs were trained with. Ours; RWKV-PEFT's
tools pass over it."""

_PAIR = re.compile(r"(?:base_model\.model\.|model\.)?(.+)\.lora_([AB])(?:\.default)?(?:\.weight)?")
_OTHERS = {
    ".init_lora_A": "a PiSSA start file",
    ".init_lora_B": "a PiSSA start file",
    ".bone": "a Bone adapter",
    ".disha": "a DiSHA adapter",
    ".lora_magnitude_vector": "a DoRA adapter",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A low-rank change of one matrix [out, in]: first [r, in], second [out, r]."""

    first: TensorEntry
    second: TensorEntry

    @property
    def rank(self) -> int:
        """r."""
        return self.first.shape[0]


class LoraFile:
    """An open LoRA file: its table, and its tensors one by one. Close it, or use ``with``."""

    def __init__(self, path: Path) -> None:
        """Read the table. Raises DamagedFile, UnsafeFile, UnsupportedModel, OSError."""
        check_is_file(path)
        self.path = path
        self._file = TensorFile(path)
        try:
            self._read_table()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "LoraFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_table(self) -> None:
        name, entries = self.path.name, dict(self._file.entries)
        _refuse_others(entries, name)
        alpha = entries.pop(ALPHA, None)
        self.pairs, rest = _pairs(entries, name)
        """By the name of the matrix that is changed."""
        self.replacements = {_plain(key): entry for key, entry in rest.items()}
        """Whole tensors, by name."""
        if not self.pairs:
            raise UnsupportedModel(
                f"{name} is not a LoRA: it holds no pair of lora_A and lora_B.",
                "A model is loaded by itself; a state is imported with `skein states import`.",
            )
        self.alpha = None if alpha is None else self._alpha(alpha)
        """The scale that it was trained with; None where the file does not tell."""

    def _alpha(self, entry: TensorEntry) -> float:
        alpha = float(self.read(entry).item()) if element_count(entry.shape) == 1 else 0.0
        if not alpha > 0:
            raise DamagedFile(f"{self.path.name} is damaged: its {ALPHA} is no positive number.")
        return alpha

    def scale(self, pair: Pair) -> float:
        """Return alpha / r; 1 where the file does not tell alpha."""
        return 1.0 if self.alpha is None else self.alpha / pair.rank

    def read(self, entry: TensorEntry) -> np.ndarray:
        """Return a tensor as fp32 in its entry's shape.

        Raises UnsupportedModel for an odd number type, DamagedFile for values that are no numbers.
        """
        if entry.dtype not in NUMPY_TYPES:
            raise UnsupportedModel(
                f"{self.path.name} holds {entry.name[:80]} as {entry.dtype}; "
                "bf16, fp16 or fp32 was expected."
            )
        values = self._file.read(entry)
        if not np.isfinite(values).all():
            raise DamagedFile(
                f"{self.path.name} holds values that are not numbers (NaN or infinity) in "
                f"{entry.name[:80]}.",
                "It cannot be used; train it again with a lower learning rate.",
            )
        return values

    def digest(self) -> str:
        """Return 64 hex digits that tell these tensors from others, whatever the container."""
        total = hashlib.sha256(repr(self.alpha).encode())
        tensors = {f"{name} A": pair.first for name, pair in self.pairs.items()}
        tensors |= {f"{name} B": pair.second for name, pair in self.pairs.items()}
        tensors |= self.replacements
        for name in sorted(tensors):
            entry = tensors[name]
            total.update(f"\0{name} {entry.dtype} {entry.shape}\0".encode())
            total.update(self._file.raw(entry))
        return total.hexdigest()

    def require_fit(self, shape: ModelShape, model_name: str) -> None:
        """Raise UnsupportedModel unless every tensor has its place in a model of this shape."""
        sizes = _tensors_of(shape)
        for name, pair in self.pairs.items():
            found = (pair.second.shape[0], pair.first.shape[1])
            self._require(name, found, sizes.get(name), model_name)
        for name, entry in self.replacements.items():
            self._require(name, entry.shape, sizes.get(name), model_name)

    def _require(self, name: str, found: Shape, wanted: Shape | None, model_name: str) -> None:
        if wanted is None:
            raise UnsupportedModel(
                f"{self.path.name} does not fit {model_name}: it changes {name[:80]}, "
                "which this model does not have.",
                "Load the model that the LoRA was trained on.",
            )
        if _squeezed(found) != _squeezed(wanted):
            raise UnsupportedModel(
                f"{self.path.name} does not fit {model_name}: its {name} is {list(found)}, "
                f"and the model's is {list(wanted)}.",
                "Load the model that the LoRA was trained on.",
            )


def _tensors_of(shape: ModelShape) -> dict[str, Shape]:
    return older_tensors(shape) if isinstance(shape, OlderShape) else expected_tensors(shape)


def with_loras(info: ModelInfo, uses: Sequence[LoraUse]) -> ModelInfo:
    """Return what a model becomes with these LoRAs: the same file, other weights.

    Its fingerprint is another one, so that states of both are never mixed up; LoRAs of strength 0
    change nothing. Raises UnsupportedModel for one that does not fit, DamagedFile, UnsafeFile.
    """
    used = tuple(use for use in uses if use.strength)
    for use in uses:
        with LoraFile(use.path) as file:
            file.require_fit(info.shape, info.name)
    if not used:
        return info
    total = hashlib.sha256(info.fingerprint.encode())
    for use in used:
        with LoraFile(use.path) as file:
            total.update(f"\0{file.digest()} {use.strength!r}".encode())
    return replace(info, fingerprint=total.hexdigest()[:32], loras=used)


def _pairs(
    entries: Mapping[str, TensorEntry], file_name: str
) -> tuple[dict[str, Pair], dict[str, TensorEntry]]:
    """Return the pairs by the name of their matrix, and what else is in the file."""
    halves: dict[str, dict[str, TensorEntry]] = {}
    rest = {}
    for key, entry in entries.items():
        match = _PAIR.fullmatch(key)
        if match:
            halves.setdefault(f"{match[1]}.weight", {})[match[2]] = entry
        else:
            rest[key] = entry
    return {name: _pair(name, half, file_name) for name, half in halves.items()}, rest


def _pair(name: str, half: Mapping[str, TensorEntry], file_name: str) -> Pair:
    first, second = half.get("A"), half.get("B")
    if first is None or second is None:
        raise DamagedFile(
            f"{file_name} is incomplete: of the pair for {name[:80]} only one half is there.",
            "Copy or download it again.",
        )
    ranks_agree = len(first.shape) == len(second.shape) == 2 and first.shape[0] == second.shape[1]
    if not ranks_agree or not first.shape[0]:
        raise DamagedFile(
            f"{file_name} is damaged: the pair for {name[:80]} has shapes {list(first.shape)} and "
            f"{list(second.shape)}, which cannot be multiplied.",
            "Copy or download it again.",
        )
    return Pair(first, second)


def _refuse_others(entries: Mapping[str, TensorEntry], file_name: str) -> None:
    """Raise UnsupportedModel for other kinds of adapters, which need another formula."""
    for key in entries:
        for ending, kind in _OTHERS.items():
            if key.endswith(ending) or f"{ending}." in key:
                raise UnsupportedModel(
                    f"{file_name} is {kind}, which this version does not apply.",
                    "Merge it with the program that made it, and load the merged model.",
                )


def _plain(name: str) -> str:
    return name.removeprefix("base_model.model.").removeprefix("model.")


def _squeezed(shape: Shape) -> Shape:
    return tuple(n for n in shape if n != 1)
