"""What one model holds, as a record. Knows nothing of how it was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.checkpoint.shape import ModelShape

if TYPE_CHECKING:
    from engine.lora_use import LoraUse

VOCABULARY_FILE = "vocabulary.txt"
"""A vocabulary in the World format, beside a model that has one of its own."""
TOKENIZER_FILE = "tokenizer.json"
PILE_TOKENIZER_FILE = "20B_tokenizer.json"
"""The tokenizer of models that were trained on the Pile, under their author's name for it."""
PILE_VOCABS = (50277, 50304)
"""How many rows their embeddings have: those of RWKV-4, and of later generations."""

ArchitectureName = Literal["rwkv7", "rwkv7a", "rwkv4", "rwkv5", "rwkv6"]
ARCHITECTURE_WORDS: Mapping[ArchitectureName, str] = {
    "rwkv7": "RWKV-7",
    "rwkv7a": "RWKV-7a (DeepEmbed)",
    "rwkv4": "RWKV-4",
    "rwkv5": "RWKV-5",
    "rwkv6": "RWKV-6",
}
"""How people call each generation; the same in every language."""
FormatName = Literal["pth", "safetensors", "huggingface", "gguf"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model in brief, read without its weights.

    path: the file, or the folder of a model in the Hugging Face layout. files: all that belong
    to its weights. parameters: elements in use, of the whole model. size_bytes: all files'.
    weights: the number type of all tensors ("bf16", "fp16", "fp32"), "mixed", or the name of a
    quantisation ("Q8_0").
    tokenizer: "world", "gguf" (inside the model's file), or the name of the file beside the model
    that holds its own: ``.txt`` in the World format, ``.json`` for the tokenizers library.
    fingerprint: identifies the weights, see ``engine.checkpoint.fingerprint``.
    has_state: it brings an initial state (it was state-tuned); new chats start from that.
    loras: what changes the weights while they are loaded (``engine.lora_files.with_loras``).
    """

    path: Path
    name: str
    architecture: ArchitectureName
    format: FormatName
    shape: ModelShape
    weights: str
    parameters: int
    size_bytes: int
    tokenizer: str
    fingerprint: str
    loras: "tuple[LoraUse, ...]" = ()
    files: tuple[Path, ...] = ()
    has_state: bool = False
