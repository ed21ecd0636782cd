"""What one model file holds, as a record. Knows nothing of how it was read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.checkpoint.shape import ModelShape

if TYPE_CHECKING:
    from engine.lora_files import LoraUse

VOCABULARY_FILE = "vocabulary.txt"
"""A vocabulary in the World format, beside a model that has one of its own."""

VocabularyKind = Literal["world", "vocabulary.txt", "tokenizer.json"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model file in brief, read without its weights.

    parameters: elements in use, of the whole model. size_bytes: the file's.
    weights: the number type of all tensors, or "mixed".
    tokenizer: the World vocabulary, or the name of the file beside the model that holds its own.
    fingerprint: identifies the weights, see ``engine.checkpoint.fingerprint``.
    loras: what changes the weights while they are loaded (``engine.lora_files.with_loras``).
    """

    path: Path
    name: str
    architecture: Literal["rwkv7"]
    format: Literal["pth", "safetensors"]
    shape: ModelShape
    weights: Literal["bf16", "fp16", "fp32", "mixed"]
    parameters: int
    size_bytes: int
    tokenizer: VocabularyKind
    fingerprint: str
    loras: "tuple[LoraUse, ...]" = ()
