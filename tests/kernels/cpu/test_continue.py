"""The end of a model in the library, after layers that the equations in float64 stand for."""

import numpy as np
import pytest
import torch

from kernels.cpu.library import ABI_VERSION, Library, NativeError, NativeModel, Pool, Sizes
from tests.kernels.cpu.native import DTYPES, Array, sizes_of
from tests.reference import Array as Exact
from tests.reference import Reference, ReferenceState, deviation
from tests.tiny import tiny_weights

LAYERS, WIDTH, VOCAB = 3, 320, 100
TOKENS = [
    int(t) for t in torch.randint(0, VOCAB, (40,), generator=torch.Generator().manual_seed(5))
]
BOUNDS = {"fp32": 1e-4, "fp16": 0.02, "bf16": 0.1, "int8": 0.25, "q4": 1.5}


class Beginning(Reference):
    """Remembers what layer ``first`` would begin with."""

    def __init__(self, weights: dict[str, torch.Tensor], first: int) -> None:
        super().__init__(weights)
        self._first = first
        self.residual: list[Array] = []
        self.v_first: list[Array] = []

    def _norm(self, x: Exact, name: str) -> Exact:
        last = "ln_out" if self._first == self.layers else f"blocks.{self._first}.ln1"
        if name == last:
            self.residual.append(x.astype(np.float32))
        return super()._norm(x, name)

    def _time_mix(self, i, h, state, v_first):  # type: ignore[no-untyped-def]
        y, own = super()._time_mix(i, h, state, v_first)
        if i == 0:
            self.v_first.append(own.astype(np.float32))
        return y, own


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return tiny_weights(layers=LAYERS, width=WIDTH, vocab=VOCAB)


def end_of(
    library: Library, weights: dict[str, torch.Tensor], first: int, kind: str
) -> NativeModel:
    whole = sizes_of(weights)
    sizes = Sizes(
        *(LAYERS - first, WIDTH, whole.heads, 64, whole.ffn, VOCAB),
        *(whole.rank_w, whole.rank_a, whole.rank_v, whole.rank_g, first),
    )
    model = NativeModel(library, sizes, kind, Pool(library, 2))
    for name, value in weights.items():
        block = int(name.split(".")[1]) if name.startswith("blocks.") else first
        if block >= first and name != "emb.weight":
            model.tensor(name, DTYPES[value.dtype], value.data_ptr(), value.numel())
    model.ready()
    return model


class Run:
    """A model's end and its state."""

    def __init__(self, model: NativeModel, layers: int) -> None:
        self.model, self.layers = model, layers
        self.att, self.ffn = (np.zeros((layers, WIDTH), np.float32) for _ in range(2))
        self.wkv = np.zeros((layers, WIDTH // 64, 64, 64), np.float32)

    def take(self, residual: Array, v_first: Array) -> Array:
        logits = np.full((len(residual), VOCAB), np.nan, np.float32)
        arrays = (self.att, self.wkv, self.ffn)
        state = [array.ctypes.data if self.layers else 0 for array in arrays]
        before = residual.ctypes.data, v_first.ctypes.data
        self.model.resume(before, len(residual), state, None, logits.ctypes.data)
        return logits


@pytest.mark.parametrize(
    ("first", "kind"), [(1, "fp32"), (2, "fp32"), (3, "fp32"), *((1, k) for k in BOUNDS)]
)
def test_it_goes_on_where_the_beginning_ended(
    library: Library, weights: dict[str, torch.Tensor], first: int, kind: str
) -> None:
    truth = Beginning(weights, first)
    state: ReferenceState = truth.new_state()
    expected = truth.forward(TOKENS, state)
    residual, v_first = np.stack(truth.residual), np.stack(truth.v_first)
    layers = LAYERS - first
    block, steps = (Run(end_of(library, weights, first, kind), layers) for _ in range(2))
    together = block.take(residual, v_first)
    apart = np.concatenate(
        [steps.take(residual[t : t + 1], v_first[t : t + 1]) for t in range(len(TOKENS))]
    )
    for run, got in ((block, together), (steps, apart)):
        assert deviation(expected, got) < BOUNDS[kind]
        if layers:
            assert deviation(state.wkv[first:].swapaxes(2, 3), run.wkv) < BOUNDS[kind]
            assert deviation(state.att_shift[first:], run.att) < BOUNDS[kind]
            assert deviation(state.ffn_shift[first:], run.ffn) < BOUNDS[kind]


def test_tokens_are_for_whole_models_and_residuals_for_ends(
    library: Library, weights: dict[str, torch.Tensor]
) -> None:
    assert ABI_VERSION == 3
    end = Run(end_of(library, weights, 1, "fp32"), 2)
    state = [array.ctypes.data for array in (end.att, end.wkv, end.ffn)]
    with pytest.raises(NativeError, match="begins at layer 1"):
        end.model.decode(0, state, None)
    with pytest.raises(NativeError, match="state"):
        end.model.resume((state[0], state[0]), 1, (0, 0, 0), None, None)
    whole = NativeModel(library, sizes_of(weights), "fp32", Pool(library, 1))
    for name, value in weights.items():
        whole.tensor(name, DTYPES[value.dtype], value.data_ptr(), value.numel())
    whole.ready()
    with pytest.raises(NativeError, match="begins with tokens"):
        whole.resume((state[0], state[0]), 1, state, None, None)


def test_an_end_has_no_tensors_of_the_beginning(
    library: Library, weights: dict[str, torch.Tensor]
) -> None:
    model = end_of(library, weights, 1, "fp32")
    for name in ("emb.weight", "blocks.0.ln0.weight", "blocks.0.att.key.weight"):
        value = weights[name]
        with pytest.raises(NativeError, match=f"no tensor {name}"):
            model.tensor(name, "fp32", value.data_ptr(), value.numel())
    sizes = sizes_of(weights)
    whole = library.packed_bytes(sizes, "int8")
    head = library.packed_bytes(Sizes(0, *_rest(sizes), first_layer=LAYERS), "int8")
    last = library.packed_bytes(Sizes(1, *_rest(sizes), first_layer=LAYERS - 1), "int8")
    assert 0 < head < last < whole
    assert library.packed_bytes(Sizes(0, *_rest(sizes)), "int8") == 0
    assert bytes(model.data()[:4])  # what it holds begins with its first layer


def _rest(sizes: Sizes) -> list[int]:
    names = ("width", "heads", "head_size", "ffn", "vocab", "rank_w", "rank_a", "rank_v", "rank_g")
    return [getattr(sizes, name) for name in names]
