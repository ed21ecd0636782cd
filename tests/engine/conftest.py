"""A tiny model on disk and loaded, shared by the tests of the engine."""

from pathlib import Path

import pytest

from engine.hardware import detect
from engine.model import Model, load_model
from engine.strategy import Strategy
from tests.tiny import write_tiny_pth


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_pth(tmp_path_factory.mktemp("tiny") / "rwkv7-g1d-tiny.pth", width=64)


@pytest.fixture(scope="session")
def tiny_model(tiny_path: Path) -> Model:
    return load_model(tiny_path, Strategy.parse("cpu fp32"), detect(None))


@pytest.fixture(scope="session")
def repeater_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned for two seconds: it repeats a word, now and then as a pirate."""
    from tests.engine.training.repeater import write_repeater

    return write_repeater(tmp_path_factory.mktemp("repeater"))
