"""The trained model against the float64 reference, and its gradients against differences."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from engine.checkpoint import ModelShape, Ranks
from engine.checkpoint.names import expected_tensors
from engine.training.model import FOLDED_WIDTH, InitialState, TrainedModel
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights, write_tiny_pth

VOCAB = 90
RANKS = Ranks(16, 24, 8, 32)  # those of tests.tiny


def make(
    *, width: int = 64, layers: int = 2, dtype: torch.dtype = torch.float32, **options: bool
) -> TrainedModel:
    shape = ModelShape(layers, width, 4 * width, VOCAB, 64, RANKS)
    model = TrainedModel(shape, dtype=dtype, **options)
    model.load(tiny_weights(layers=layers, width=width, vocab=VOCAB))
    return model


def some_tokens(rows: int = 2, length: int = 21) -> Tensor:
    tokens = torch.randint(1, VOCAB, (rows, length), generator=torch.Generator().manual_seed(3))
    tokens[:, 0] = tokens[:, 9] = 0  # a second document in the row: the state runs on
    return tokens


def loss_of(model: nn.Module, state: InitialState | None = None) -> Tensor:
    """In the logits' own type, which may be float64."""
    tokens = some_tokens()
    logits = model(tokens[:, :-1], state)
    return cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def gradients(model: TrainedModel) -> dict[str, Tensor]:
    loss_of(model).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("width", [128, FOLDED_WIDTH + 64])
def test_forward_is_the_reference(width: int) -> None:
    model, tokens = make(width=width), some_tokens()
    reference = Reference(tiny_weights(width=width, vocab=VOCAB))
    logits = model(tokens).detach()
    assert logits.shape == (2, 21, VOCAB)
    for row in range(2):
        truth = reference.forward(tokens[row].tolist(), reference.new_state())
        assert deviation(truth, logits[row].numpy()) < 2e-5


def test_a_model_of_one_layer() -> None:
    model, tokens = make(layers=1), some_tokens(rows=1)
    reference = Reference(tiny_weights(layers=1, width=64, vocab=VOCAB))
    truth = reference.forward(tokens[0].tolist(), reference.new_state())
    assert deviation(truth, model(tokens)[0].detach().numpy()) < 2e-5


@pytest.mark.parametrize("per_row", [False, True])
def test_an_initial_state_is_what_a_row_begins_with(per_row: bool) -> None:
    rng = torch.Generator().manual_seed(5)
    wkv = torch.randn(2, 2, 1, 64, 64, generator=rng)  # two layers, two rows
    model, tokens = make(), some_tokens()
    logits = model(tokens, InitialState(wkv if per_row else wkv[:, 0])).detach()
    reference = Reference(tiny_weights(width=64, vocab=VOCAB))
    for row in range(2):
        state = reference.new_state()
        state.wkv = wkv[:, row if per_row else 0].double().numpy()
        truth = reference.forward(tokens[row].tolist(), state)
        assert deviation(truth, logits[row].numpy()) < 2e-5


@pytest.mark.parametrize("width", [64, FOLDED_WIDTH + 64])
def test_bf16_is_near(width: int) -> None:
    tokens = some_tokens()
    exact = make(width=width)(tokens).detach()
    rough = make(width=width, dtype=torch.bfloat16)(tokens).detach()
    assert rough.dtype == torch.bfloat16
    assert float((rough.float() - exact).square().mean().sqrt() / exact.std()) < 0.02


def test_every_gradient_is_the_slope() -> None:
    model = make(dtype=torch.float64).double()
    wkv = torch.zeros(2, 1, 64, 64, dtype=torch.float64).requires_grad_()
    state = InitialState(wkv)
    loss_of(model, state).backward()
    rng = torch.Generator().manual_seed(11)
    for name, parameter in [*model.named_parameters(), ("state", wkv)]:
        assert parameter.grad is not None, name
        way = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
        with torch.no_grad():
            parameter += 1e-5 * way
            above = loss_of(model, state)
            parameter -= 2e-5 * way
            below = loss_of(model, state)
            parameter += 1e-5 * way
        slope = float(above - below) / 2e-5
        found = float((parameter.grad * way).sum())
        assert found == pytest.approx(slope, rel=1e-5, abs=1e-8), name


def test_folding_does_not_change_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    folded = gradients(make())
    monkeypatch.setattr("engine.training.model.FOLDED_WIDTH", 0)
    for name, plain in gradients(make()).items():
        assert torch.allclose(folded[name], plain, rtol=1e-3, atol=1e-5), name


def test_checkpointing_gives_the_same_gradients() -> None:
    kept, again = gradients(make()), gradients(make(checkpointing=True))
    assert kept.keys() == again.keys() == dict(make().named_parameters()).keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_the_first_gradients_of_a_fresh_model_are_finite() -> None:
    shape = ModelShape(2, 64, 224, VOCAB, 64, RANKS)
    model = TrainedModel.fresh(shape, 1)
    found = gradients(model)
    assert all(bool(g.isfinite().all()) and g.dtype == torch.float32 for g in found.values())
    assert found.keys() == dict(model.named_parameters()).keys()
    assert float(loss_of(model).detach()) == pytest.approx(np.log(VOCAB), abs=0.5)


def test_names_are_the_ones_of_a_file() -> None:
    model = make()
    wanted = expected_tensors(model.shape)
    weights = model.named_weights()
    assert weights.keys() == wanted.keys()
    assert all(weights[name].numel() == np.prod(size) for name, size in wanted.items())
    assert weights["blocks.1.att.x_r"].shape == (1, 1, 64)


def test_a_checkpoint_is_read(tmp_path: Path) -> None:
    options = {"width": 64, "vocab": VOCAB, "dtype": torch.bfloat16, "layer0_v": True}
    path = write_tiny_pth(tmp_path / "tiny.pth", **options)
    model, tokens = TrainedModel.from_checkpoint(path, dtype=torch.float32), some_tokens(rows=1)
    reference = Reference(tiny_weights(**options))  # type: ignore[arg-type]
    truth = reference.forward(tokens[0].tolist(), reference.new_state())
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert deviation(truth, model(tokens)[0].detach().numpy()) < 2e-5


class Change(nn.Module):
    """What a LoRA is, as far as the model can see."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.change = nn.Parameter(0.1 * torch.ones_like(matrix).tril())

    def forward(self) -> Tensor:
        return self.change


def test_a_delta_adds_to_its_matrix_and_learns() -> None:
    changed, merged = make(), make()
    names = [n for n in changed.matrices() if n == "head.weight" or n.startswith("blocks.1.")]
    assert len(names) == 7
    for name in names:
        matrix = changed.matrices()[name]
        matrix.delta = Change(matrix.weight)
        with torch.no_grad():
            merged.named_weights()[name].add_(0.1 * torch.ones_like(matrix.weight).tril())
        assert torch.equal(changed.matrix(name), merged.matrix(name))
    assert torch.allclose(changed(some_tokens()), merged(some_tokens()), atol=1e-4)
    assert changed.named_weights().keys() == merged.named_weights().keys()
    loss_of(changed).backward()
    deltas = [p.grad for n, p in changed.named_parameters() if ".delta." in n]
    assert len(deltas) == 7
    assert all(grad is not None and float(grad.abs().max()) > 0 for grad in deltas)


def test_a_missing_weight_is_named() -> None:
    weights = tiny_weights(width=64, vocab=VOCAB)
    del weights["blocks.1.att.w2"]
    with pytest.raises(KeyError, match=r"blocks\.1\.att\.w2"):
        make().load(weights)


def test_torch_compile_sees_one_graph() -> None:
    model = make(layers=1)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    tokens = some_tokens()
    assert torch.allclose(compiled(tokens), model(tokens), atol=1e-5)
