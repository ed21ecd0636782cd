"""A server, a publisher on it, and a copy that is installed, for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.installation import Installation
from tests.engine.updates.kit import Publisher, installed, new_publisher
from tests.hub_server import HubServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    from huggingface_hub.utils import close_session

    close_session()
    with HubServer() as running:
        yield running
    close_session()


@pytest.fixture
def publisher(tmp_path: Path, server: HubServer) -> Publisher:
    return new_publisher(tmp_path / "releases", server)


@pytest.fixture
def copy(tmp_path: Path, publisher: Publisher) -> Installation:
    """Version 0.1.0 as a person has it; the publisher knows its manifest."""
    found = installed(tmp_path / "ünï 中 dir" / "skein")
    publisher.trees["0.1.0"] = found.tree
    return found
