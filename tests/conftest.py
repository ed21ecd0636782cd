"""Shared fixtures: every test lives in its own SKEIN_HOME, offscreen, without a network."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.folders import Folders

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Whatever the developer reads, the window of the tests is English where no setting says else.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ.pop("LANGUAGE", None)


@pytest.fixture(autouse=True)
def garbage_of_this_test() -> Iterator[None]:
    """Collect here, never on a thread that a test started: see app.gui_collector."""
    gc.disable()
    yield
    gc.collect(1)


@pytest.fixture(autouse=True, scope="module")
def garbage_of_this_file() -> Iterator[None]:
    """Collect what outlived single tests, too."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def skein_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "skein-home"
    monkeypatch.setenv("SKEIN_HOME", str(home))
    # No test asks the real hub: this port answers nobody.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return home


@pytest.fixture
def folders(skein_home: Path) -> Folders:
    made = Folders.below(skein_home)
    made.create()
    return made
