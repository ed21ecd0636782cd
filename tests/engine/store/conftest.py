from collections.abc import Iterator

import pytest

from engine.folders import Folders
from engine.store import Store


@pytest.fixture
def store(folders: Folders) -> Iterator[Store]:
    opened = Store(folders.database)
    yield opened
    opened.close()
