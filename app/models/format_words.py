"""What a file is, in the fewest words: its bits and its format, its generation. Knows no disk."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.models.units import size_text
from engine.hub.variant_choice import Reason

if TYPE_CHECKING:
    from engine.checkpoint.info import ModelInfo
    from engine.hub.remote_model import RemoteModel

translate = QCoreApplication.translate

_ENDINGS = {"pth": ".pth", "safetensors": ".safetensors", "gguf": "GGUF"}


def local_form(info: "ModelInfo") -> str:
    """Return what a model on this computer is: "bf16 .pth", "Q8_0 GGUF"."""
    weights = translate("Formats", "mixed") if info.weights == "mixed" else info.weights
    return f"{weights} {_format(info.format, info.path.suffix)}"


def remote_form(remote: "RemoteModel") -> str:
    """Return what a file on the hub is: "16-bit .pth", "Q8_0 GGUF"."""
    bits = translate("Formats", "{0}-bit").format(remote.bits) if remote.bits else ""
    suffix = f".{remote.file.rpartition('.')[2]}" if remote.file else ""
    return f"{remote.quantisation or bits} {_format(remote.format, suffix)}".strip()


def file_words(remote: "RemoteModel") -> str:
    """Return the same with its size."""
    size = size_text(remote.size_bytes) if remote.size_bytes else ""
    return " · ".join(part for part in (remote_form(remote), size) if part)


def generation_text(info: "ModelInfo") -> str:
    """Return the label of a model that is no plain RWKV-7; "" for one that is."""
    from engine.checkpoint.info import ARCHITECTURE_WORDS

    name = ARCHITECTURE_WORDS[info.architecture]
    if info.architecture == "rwkv7":
        return ""
    return name if info.architecture == "rwkv7a" else older_text(name)


def older_text(name: str) -> str:
    """Return the label of a model before RWKV-7."""
    return translate("Formats", "{0}, an older generation").format(name)


def reason_text(reason: Reason) -> str:
    """Return why a file suits this computer; "" where there was nothing to choose."""
    return {
        "": "",
        "whole": translate("Formats", "Nothing of it was rounded after training."),
        "eight_bits": translate(
            "Formats", "The smaller download: this computer computes in 8 bits in any case."
        ),
        "fewer_bits": translate("Formats", "There is no file of this release with more bits."),
    }[reason]


def _format(name: str, suffix: str) -> str:
    if name in ("folder", "huggingface"):
        return translate("Formats", "Hugging Face folder")
    return ".st" if suffix.lower() == ".st" else _ENDINGS.get(name, name)
