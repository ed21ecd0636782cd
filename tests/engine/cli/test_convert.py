"""``skein convert``: what it writes and what it says."""

from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from engine.checkpoint import inspect
from engine.cli.convert import register
from engine.errors import EngineError
from tests.engine.checkpoint.files import weights, write


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    made.callback()(lambda: None)
    return made


def test_a_model_is_written_with_a_lora(tmp_path: Path, app: typer.Typer) -> None:
    source, target = write(tmp_path, "pth", weights()), tmp_path / "out.safetensors"
    pair = {"blocks.0.att.key.lora_A": torch.ones(2, 128)}
    pair["blocks.0.att.key.lora_B"] = torch.ones(128, 2)
    torch.save(pair, tmp_path / "lora.pth")
    arguments = ["convert", str(source), str(target), "--type", "f16"]
    result = CliRunner().invoke(app, [*arguments, "--lora", f"{tmp_path / 'lora.pth'}:0.5"])
    assert result.exit_code == 0, result.output
    assert "safetensors, fp16" in result.output
    assert inspect(target).fingerprint != inspect(source).fingerprint


def test_a_file_is_replaced_only_when_asked(tmp_path: Path, app: typer.Typer) -> None:
    source = write(tmp_path, "pth", weights())
    arguments = ["convert", str(source), str(tmp_path / "x.safetensors")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, EngineError)
    assert "--overwrite" in refused.exception.hint
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
