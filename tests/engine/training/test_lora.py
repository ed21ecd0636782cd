"""LoRA training: what learns, what stays, and that the loader makes the same model of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.checkpoint import inspect
from engine.errors import EngineError
from engine.hardware import detect
from engine.lora_files import LoraFile, LoraUse
from engine.model import load_model
from engine.strategy import Strategy
from engine.templates import load_templates
from engine.tokenizer import load_tokenizer
from engine.training.descent import TuneOptions
from engine.training.examples import Encoder, Examples, batches
from engine.training.lora import LoraShape, add_loras, save_lora, train_lora
from engine.training.model import TrainedModel
from engine.training.tuning import batch_loss
from tests.engine.training.repeater import PIRATES, VOCABULARY_ROWS, one_thread

TOKENS = [0, 70, 71, 72, 73, 30, 31]


@pytest.fixture
def base(repeater_path: Path) -> Iterator[Path]:
    with one_thread():
        yield repeater_path


def encoder(base: Path) -> Encoder:
    return Encoder(load_templates()["classic"], load_tokenizer(inspect(base)))


def test_gradients_flow_into_the_pairs_alone(base: Path) -> None:
    model = TrainedModel.from_checkpoint(base, dtype=torch.float32)
    changes = add_loras(model, LoraShape(rank=2, alpha=2.0), seed=0)
    for change in changes.values():
        torch.nn.init.normal_(change.second, std=0.1)
    loss, _ = batch_loss(model, next(batches(Examples(PIRATES), encoder(base), 0)))
    loss.backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {name for name, _ in model.named_parameters() if ".delta." in name}
    assert all(float(p.grad.abs().sum()) > 0 for p in model.parameters() if p.grad is not None)
    assert set(changes) == {
        f"blocks.{i}.{part}.weight"
        for i in range(2)
        for part in ("att.receptance", "att.key", "att.value", "att.output", "ffn.key", "ffn.value")
    }


def test_parts_choose_the_matrices(base: Path) -> None:
    model = TrainedModel.from_checkpoint(base, dtype=torch.float32)
    changes = add_loras(model, LoraShape(parts=("ffn",)), seed=0)
    assert {name.split(".")[2] for name in changes} == {"ffn"}


def test_it_begins_at_the_model_itself(base: Path) -> None:
    model = TrainedModel.from_checkpoint(base, dtype=torch.float32)
    tokens = torch.tensor([TOKENS])
    before = model(tokens)
    add_loras(model, LoraShape(), seed=0)
    torch.testing.assert_close(model(tokens), before)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_the_loader_makes_the_model_that_was_trained(
    base: Path, tmp_path: Path, ending: str
) -> None:
    model = TrainedModel.from_checkpoint(base, dtype=torch.float32)
    shape = LoraShape(rank=4, alpha=6.0)
    changes, result = train_lora(
        model,
        batches(Examples(PIRATES), encoder(base), 0),
        shape,
        TuneOptions(learning_rate=1e-2, steps=16),
    )
    assert result.last_loss < result.first_loss / 2
    path = tmp_path / f"learned.{ending}"
    save_lora(path, changes, shape)
    with LoraFile(path) as file:
        assert (file.alpha, {pair.rank for pair in file.pairs.values()}) == (6.0, {4})
    loaded = load_model(base, Strategy.parse("cpu fp32"), detect(None), loras=[LoraUse(path)])
    logits = loaded.backend.forward(TOKENS, loaded.backend.new_state(), all_logits=True)
    with torch.no_grad():
        expected = model(torch.tensor([TOKENS]))[0]
    assert logits.shape == (len(TOKENS), VOCABULARY_ROWS)
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)


def test_the_same_seed_learns_the_same(base: Path) -> None:
    def learned() -> torch.Tensor:
        model = TrainedModel.from_checkpoint(base, dtype=torch.float32)
        changes, _ = train_lora(
            model,
            batches(Examples(PIRATES), encoder(base), 3),
            LoraShape(rank=2),
            TuneOptions(learning_rate=1e-3, steps=2, seed=3),
        )
        return changes["blocks.1.ffn.key.weight"].second.detach()

    assert torch.equal(learned(), learned())


@pytest.mark.parametrize(
    "shape", [LoraShape(rank=0), LoraShape(alpha=0), LoraShape(parts=("emb",)), LoraShape(parts=())]
)
def test_an_impossible_shape_is_refused(shape: LoraShape) -> None:
    with pytest.raises(EngineError):
        shape.validated()
