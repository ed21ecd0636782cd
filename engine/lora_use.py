"""How LoRAs are asked for: a file and a strength, several of them in an order. Opens no file."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError

STRENGTH_MAX = 2.0


@dataclass(frozen=True, slots=True)
class LoraUse:
    """One LoRA as the user asks for it. strength: 0 (nothing) to 2 (twice what was trained)."""

    path: Path
    strength: float = 1.0

    def __str__(self) -> str:
        """Return what ``parse_lora`` reads: FILE:STRENGTH."""
        return f"{self.path}:{self.strength:g}"


def parse_lora(text: str) -> LoraUse:
    """Read ``FILE`` or ``FILE:STRENGTH``. Raises EngineError for a strength out of 0 to 2."""
    file, colon, strength = text.rpartition(":")
    if not colon or not re.fullmatch(r"[+-]?[\d.]+", strength):
        return LoraUse(Path(text))  # a colon of a Windows drive, or none
    try:
        value = float(strength)
    except ValueError:
        value = math.nan
    if not 0 <= value <= STRENGTH_MAX:
        raise EngineError(
            f"A LoRA's strength is a number from 0 to 2, not {strength}.",
            "Write FILE:0.5 for half of it, FILE alone for all of it.",
        )
    return LoraUse(Path(file), value)


def parse_loras(lines: str) -> tuple[LoraUse, ...]:
    """Read one LoRA a line, as settings keep them; what cannot be read is left out."""
    uses: list[LoraUse] = []
    for line in lines.splitlines():
        try:
            if line.strip():
                uses.append(parse_lora(line.strip()))
        except EngineError:
            continue
    return tuple(uses)


def as_lines(uses: Sequence[LoraUse]) -> str:
    """Return what ``parse_loras`` reads."""
    return "\n".join(str(use) for use in uses)
