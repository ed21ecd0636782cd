"""The token goes to a keyring that encrypts, or nowhere."""

import logging

import keyring.backend
import pytest
from keyring.backends import fail
from keyring.errors import KeyringLocked, PasswordDeleteError

from engine.secrets import NoKeyring, Secrets

TOKEN = "hf_secret"


class MemoryKeyring(keyring.backend.KeyringBackend):
    priority = 0.1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


class LockedKeyring(MemoryKeyring):
    def get_password(self, service, username):
        raise KeyringLocked("locked")

    def set_password(self, service, username, password):
        raise KeyringLocked(f"refused {password}")


def test_a_token_is_kept_and_deleted():
    secrets = Secrets(MemoryKeyring())
    assert secrets.hub_token() == ""
    secrets.set_hub_token(f" {TOKEN}\n")
    assert secrets.hub_token() == TOKEN
    secrets.set_hub_token("")
    secrets.set_hub_token("")
    assert secrets.hub_token() == ""


@pytest.mark.parametrize("backend", [LockedKeyring(), fail.Keyring()])
def test_no_keyring_is_a_sentence_without_the_token(backend, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = Secrets(backend)
    assert secrets.hub_token() == ""
    with pytest.raises(NoKeyring) as caught:
        secrets.set_hub_token(TOKEN)
    assert caught.value.hint
    assert TOKEN not in caplog.text + str(caught.value) + repr(caught.value.__cause__)


def test_a_keyring_that_writes_plain_files_is_not_used(monkeypatch):
    plain = type("PlaintextKeyring", (MemoryKeyring,), {"__module__": "keyrings.alt.file"})()
    monkeypatch.setattr(keyring, "get_keyring", lambda: plain)
    with pytest.raises(NoKeyring):
        Secrets().set_hub_token(TOKEN)
    assert plain.kept == {}
    assert Secrets().hub_token() == ""
