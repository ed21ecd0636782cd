"""An index with a tiny pack for every test, reached without any proxy of the machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.gpu_pack.install import PackInstall
from engine.gpu_pack.table import PackRow
from tests.pack_kit import SELF_TEST, IndexServer, tiny_index

Make = Callable[..., PackInstall]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[IndexServer, PackRow]]:
    from huggingface_hub.utils import close_session

    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    close_session()
    with tiny_index() as made:
        yield made
    close_session()


@pytest.fixture
def server(offered: tuple[IndexServer, PackRow]) -> IndexServer:
    return offered[0]


@pytest.fixture
def row(offered: tuple[IndexServer, PackRow]) -> PackRow:
    return offered[1]


@pytest.fixture
def packs_folder(tmp_path: Path) -> Path:
    return tmp_path / "däta 中 x" / "packs"


@pytest.fixture
def make(server: IndexServer, row: PackRow, packs_folder: Path) -> Make:
    """Return what makes an install of the tiny pack, or of another row."""

    def made(
        another: PackRow | None = None, folder: Path = packs_folder, **more: Any
    ) -> PackInstall:
        values = {"self_test": SELF_TEST, "pauses_s": (0.01, 0.01), "margin_bytes": 0}
        return PackInstall(another or row, folder, server.address, **(values | more))

    return made
