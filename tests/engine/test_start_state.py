"""A state-tuned model brings its initial state among its weights: new chats start from it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import inspect, open_checkpoint
from engine.errors import DamagedFile
from engine.hardware import detect
from engine.model import RWKV, load_model, start_of
from engine.strategy import Strategy
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

TOKENS = [5, 77, 3000, 5]


def tuned(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(9)
    made = tiny_weights(dtype=dtype)
    for i in range(2):
        made[f"blocks.{i}.att.time_state"] = 0.3 * torch.randn(2, 64, 64, generator=rng).to(dtype)
    return made


def write(path: Path, content: dict[str, torch.Tensor]) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("strategy", ["cpu fp32", "cpu fp32 @1"])
def test_the_first_token_is_read_on_top_of_it(tmp_path: Path, strategy: str):
    made = tuned()
    weights = {name: t for name, t in made.items() if not name.endswith("time_state")}
    truth = Reference(weights)
    state = truth.new_state()
    for i in range(2):
        state.wkv[i] = made[f"blocks.{i}.att.time_state"].double().numpy()
    wanted = truth.forward(TOKENS, state)[-1]
    path = write(tmp_path / "tuned.pth", made)
    model = load_model(path, Strategy.parse(strategy), detect(None))
    logits = model.backend.forward(TOKENS, model.new_state())
    assert deviation(wanted, logits.numpy()) < 1e-4
    assert deviation(wanted, RWKV(path, strategy).forward(TOKENS)[0].numpy()) < 1e-4
    plain = model.backend.forward(TOKENS, model.backend.new_state())
    assert deviation(wanted, plain.numpy()) > 1e-2  # it matters
    model.close()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_it_is_told_and_read_as_it_was_written(tmp_path: Path, dtype: torch.dtype):
    made = tuned(dtype)
    info = inspect(write(tmp_path / "tuned.pth", made))
    assert info.has_state
    state = start_of(info)
    assert state is not None
    assert state.tokens_read == 0
    for i in range(2):
        assert torch.equal(state.wkv[i], made[f"blocks.{i}.att.time_state"].float())


def test_it_is_another_model_than_without_it(tmp_path: Path):
    plain = inspect(write(tmp_path / "plain.pth", tiny_weights()))
    other = tuned()
    other["blocks.1.att.time_state"].neg_()
    prints = {inspect(write(tmp_path / "a.pth", made)).fingerprint for made in (tuned(), other)}
    assert len(prints | {plain.fingerprint}) == 3
    assert not plain.has_state
    assert start_of(plain) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.pop("blocks.0.att.time_state"),
        lambda made: made.update({"blocks.0.att.time_state": torch.zeros(3, 64, 64)}),
        lambda made: made.update({"blocks.0.att.time_state": torch.zeros(2, 64, 64).long()}),
        lambda made: made.update({"blocks.2.att.time_state": torch.zeros(2, 64, 64)}),
    ],
)
def test_one_that_does_not_fit_is_damage(tmp_path: Path, change):
    made = tuned()
    change(made)
    with pytest.raises(DamagedFile, match="initial state"):
        inspect(write(tmp_path / "a.pth", made))


def test_one_that_is_no_number_is_refused(tmp_path: Path):
    made = tuned()
    made["blocks.1.att.time_state"][0, 0, 5] = np.nan
    with (
        open_checkpoint(write(tmp_path / "a.pth", made)) as checkpoint,
        pytest.raises(DamagedFile, match="not numbers"),
    ):
        checkpoint.read_start()
