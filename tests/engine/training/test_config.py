"""Configurations: what is read, and how a wrong one is named."""

from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.training.config import Phase, load_config, parse_config
from tests.engine.training.small_run import small_table

TEXT = """
[model]
layers = 2
width = 128
ffn = 512
vocab = 300
ranks = [8, 8, 8, 16]
[data]
kind = "text"
path = "texts"
[train]
learning_rate = 1
export = ["a.pth", "b.safetensors"]
[[phase]]
steps = 5
batch = 4
length = 32
learning_rate = 2e-3
"""


def test_a_file_is_read(tmp_path: Path):
    (tmp_path / "run.toml").write_text(TEXT)
    config = load_config(tmp_path / "run.toml", ["train.clip=0.5", "phase.0.batch=8"])
    assert config.model.shape.heads == 2
    assert config.model.shape.ranks.g == 16
    assert config.data.path == tmp_path / "texts"
    assert config.data.vocabulary is None
    assert config.train.learning_rate == 1.0
    assert config.train.clip == 0.5
    assert config.train.export == ("a.pth", "b.safetensors")
    assert config.phases == (Phase(batch=8, length=32, steps=5, learning_rate=2e-3),)
    assert config.steps == 5


def test_a_word_needs_no_quotes(tmp_path: Path):
    (tmp_path / "run.toml").write_text(TEXT)
    assert load_config(tmp_path / "run.toml", ["train.device=cpu"]).train.device == "cpu"


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("train", "larning_rate", 1.0, "no setting train.larning_rate"),
        ("train", "learning_rate", "high", "train.learning_rate = 'high'"),
        ("train", "workers", 1.5, "train.workers = 1.5"),
        ("train", "workers", True, "train.workers = True"),
        ("train", "export", ["a.pth", 1], "train.export = 1"),
        ("train", "device", "gpu", "train.device cannot be 'gpu'"),
        ("train", "read_steps", 0, "train.read_steps"),
        ("train", "budget_seconds", -1.0, "train.budget_seconds must be"),
        ("train", "workers", -1, "train.workers must be"),
        ("train", "clip", float("nan"), "train.clip must be"),
        ("train", "spike", float("inf"), "train.spike must be"),
        ("train", "micro_batches", 3, "phase.0.batch"),
        ("train", "learning_rate", 0.0, "above 0"),
        ("train", "budget_seconds", 60.0, "needs a share"),
        ("model", "layers", 0, "sizes of a fresh one"),
        ("model", "width", 100, "multiple of 64"),
        ("model", "vocab", 65537, "65536"),
        ("model", "ranks", [1, 2, 3], "sizes of a fresh one"),
        ("data", "kind", 1, "data.kind"),
        ("train", "clip", {"x": 1}, "train.clip"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, part: str, key: str, value: Any, said: str):
    table = small_table(tmp_path)
    table[part][key] = value
    with pytest.raises(EngineError) as error:
        parse_config(table, tmp_path)
    assert said in error.value.message


def test_parts_that_are_missing_or_too_many(tmp_path: Path):
    for change, said in (
        ({"phases": []}, "no part named 'phases'"),
        ({"phase": []}, "no [[phase]]"),
        ({"phase": [{"batch": 1, "length": 1}]}, "phase.0 needs steps"),
        ({"phase": [{"batch": 1}]}, "lacks phase.0.length"),
        ({"phase": [{"batch": 0, "length": 1, "steps": 1}]}, "1 or more"),
        ({"phase": {"batch": 1}}, "phase must be a list"),
        (
            {"phase": [{"batch": 1, "length": 1, "steps": 1, "learning_rate": 0}]},
            "phase.0.learning_rate must be above 0",
        ),
        ({"phase": [3]}, "phase.0 must be a table"),
        ({"train": {}}, "lacks train.learning_rate"),
    ):
        with pytest.raises(EngineError) as error:
            parse_config(small_table(tmp_path) | change, tmp_path)
        assert said in error.value.message, change


def test_files_that_are_no_configuration(tmp_path: Path):
    with pytest.raises(EngineError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[model\n")
    with pytest.raises(EngineError, match="no TOML"):
        load_config(tmp_path / "bad.toml")
    (tmp_path / "run.toml").write_text(TEXT)
    for change in ("phase.7.batch=1", "phase.x=1"):
        with pytest.raises(EngineError, match="names nothing"):
            load_config(tmp_path / "run.toml", [change])


def test_the_second_run_goes_on_from_the_first_ones_model():
    config = load_config(
        Path(__file__).parents[3] / "resources" / "training" / "gosling_finish.toml"
    )
    assert config.model.start is not None
    assert config.model.start.parts[-3:] == ("runs", "gosling", "model.safetensors")


@pytest.mark.parametrize("name", ["gosling", "tiny"])
def test_the_configurations_of_the_repository(name: str):
    folder = Path(__file__).parents[3] / "resources" / "training"
    config = load_config(folder / f"{name}.toml")
    assert config.model.shape.parameters < 8_000_000
