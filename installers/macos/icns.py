"""An .icns file out of PNG pictures: "icns", the size, then each picture under its name."""

import struct
from collections.abc import Mapping

NAMES = {
    "ic11": 32, "ic12": 64, "ic07": 128, "ic13": 256, "ic08": 256, "ic14": 512, "ic09": 512,
    "ic10": 1024,
}  # fmt: skip
"""Which picture is how many pixels wide; two names for one size: sharp screens, and the others."""


def icns(pictures: Mapping[int, bytes]) -> bytes:
    """Return the file of pictures by their width in pixels (32 to 1024, PNG)."""
    parts = b"".join(
        name.encode() + struct.pack(">I", 8 + len(pictures[width])) + pictures[width]
        for name, width in NAMES.items()
    )
    return b"icns" + struct.pack(">I", 8 + len(parts)) + parts
