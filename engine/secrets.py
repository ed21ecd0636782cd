"""The Hugging Face token, in the system's keyring. Never in a file of ours, never in a log.

Asking a keyring can take seconds (it may want a password): not for the GUI thread.
"""

import logging
from typing import TYPE_CHECKING

from engine.errors import EngineError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_log = logging.getLogger(__name__)

_SERVICE = "Skein"
_HUB_TOKEN = "huggingface-token"  # the name of the entry


class NoKeyring(EngineError):
    """There is no place on this system that keeps a secret."""


class Secrets:
    """What must not be readable by others."""

    def __init__(self, backend: "KeyringBackend | None" = None) -> None:
        """backend: where to keep them; None: what this system offers."""
        self._given = backend

    def hub_token(self) -> str:
        """Return the token, or "" when there is none or it cannot be read; never raises."""
        from keyring.errors import KeyringError

        try:
            return self._backend().get_password(_SERVICE, _HUB_TOKEN) or ""
        except (KeyringError, NoKeyring, OSError, RuntimeError) as error:
            _log.info("No token was read from the keyring: %s", type(error).__name__)
            return ""

    def set_hub_token(self, token: str) -> None:
        """Keep the token; "" deletes it. Raises NoKeyring when it cannot be kept safely."""
        from keyring.errors import KeyringError, PasswordDeleteError

        try:
            backend = self._backend()
            if token.strip():
                backend.set_password(_SERVICE, _HUB_TOKEN, token.strip())
                return
            try:
                backend.delete_password(_SERVICE, _HUB_TOKEN)
            except PasswordDeleteError:
                pass  # there was none
        except (KeyringError, OSError, RuntimeError) as error:
            # "from None" and no text of the error: it could quote the token
            _log.warning("The keyring refused the token: %s", type(error).__name__)
            raise _no_keyring() from None

    def _backend(self) -> "KeyringBackend":
        """Return a keyring that encrypts. Raises NoKeyring when there is none."""
        if self._given is not None:
            return self._given
        import keyring
        from keyring.backends import fail, null

        backend = keyring.get_keyring()
        in_a_file = type(backend).__module__.startswith("keyrings.alt")
        if in_a_file or isinstance(backend, (fail.Keyring, null.Keyring)):
            raise _no_keyring()
        return backend


def _no_keyring() -> NoKeyring:
    return NoKeyring(
        "The system's keyring cannot be used, so the token was not saved.",
        "Unlock or install one (GNOME Keyring, KWallet), or set HF_TOKEN before starting Skein.",
    )
