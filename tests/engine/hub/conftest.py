"""A hub of its own for every test, reached without any proxy of the machine."""

from collections.abc import Iterator

import pytest

from tests.hub_server import HubServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    from huggingface_hub.utils import close_session

    close_session()
    with HubServer() as running:
        yield running
    close_session()
