"""Whom to ask for newer versions, and whose signature counts: written into a built copy.

Both are empty in the repository: a clone asks nobody.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from importlib.resources import files

from engine.errors import UpdateFailed


@dataclass(frozen=True, slots=True)
class UpdateSource:
    """``address``: of the feed, "" for none. ``keys``: public ed25519 keys, 32 bytes in hex."""

    address: str = ""
    keys: tuple[str, ...] = ()

    @classmethod
    def built_in(cls) -> "UpdateSource":
        """Return what ``resources/release.json`` says; nothing when it says nothing usable."""
        try:
            values = json.loads(files("resources").joinpath("release.json").read_bytes())
            keys = tuple(str(key).lower() for key in values["update_keys"])
            return cls(str(values["update_address"]).strip(), keys)
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    @property
    def configured(self) -> bool:
        """Whether anybody can be asked."""
        return bool(self.address and self.keys)

    def require_signed(self, data: bytes, signature: bytes) -> None:
        """Raise UpdateFailed unless one of the keys signed ``data``; signature: base64."""
        if not is_signed(data, signature, self.keys):
            raise UpdateFailed(
                "What the update server sent is not signed by Skein's makers, so it was not used.",
                "Try again later. If it stays so, somebody may be changing your connection.",
                kind="signature",
            )


def is_signed(data: bytes, signature: bytes, keys: tuple[str, ...]) -> bool:
    """Say whether one of the public keys (hex) made this ed25519 signature (base64) of ``data``."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(raw, data)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False
