"""One seeded model in every format and quantisation, written by the field's own writers.

Plain types give the model's own logits. For a quantised file two things are shown: it decodes to
what the format says (the float64 reference on the package's decoded weights), and its logits are
as far from the model's as an error of that size in the weights makes them: measured with noise of
the same size in every tensor, not with a constant.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import quants
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoint import inspect, open_checkpoint
from engine.checkpoint.ggml import PLAIN, TYPES
from engine.checkpoint.gguf_names import gguf_name
from engine.convert import convert
from engine.model import load_backend
from engine.strategy import Strategy
from tests.gguf_files import in_blocks, is_pair, write_gguf
from tests.peer_engines import quantised
from tests.reference import Reference
from tests.tiny import tiny_weights

TOKENS = [3, 141, 59, 300]
BLOCKS = [Kind(n) for n, kind in TYPES.items() if kind.name not in PLAIN]
WRITTEN = [Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1, Kind.Q8_0]
NOT_WRITTEN = [kind for kind in BLOCKS if kind not in WRITTEN]
_EXACT = 2e-4  # of the largest logit: fp32 against float64


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """A model whose rows are whole blocks of every type, in values that all types hold."""
    made = tiny_weights(width=256, vocab=320, ranks=(32, 32, 32, 32))
    return {name: tensor.bfloat16().half().float() for name, tensor in made.items()}


@pytest.fixture(scope="module")
def truth(weights: dict[str, Tensor]) -> np.ndarray:
    return reference(weights)


def reference(weights: dict[str, Tensor]) -> np.ndarray:
    """Return logits [T, V] in float64."""
    model = Reference(weights)
    return model.forward(TOKENS, model.new_state())


def logits(path: Path) -> np.ndarray:
    """Return what our torch engine computes in fp32 from a file, [T, V]."""
    info = inspect(path)
    backend = load_backend(info, Strategy.parse("cpu fp32"), native=False)
    return backend.forward(TOKENS, backend.new_state(), all_logits=True).double().numpy()


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the root of the mean square of what differs."""
    return float(np.sqrt(np.square(one - other).mean()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("form", ["pth", "safetensors", "gguf"])
def test_plain_types(
    tmp_path: Path, weights: dict[str, Tensor], truth: np.ndarray, form: str, dtype: torch.dtype
) -> None:
    path = tmp_path / f"x.{form}"
    cast = {name: tensor.to(dtype) for name, tensor in weights.items()}
    if form == "pth":
        torch.save(cast, path)
    elif form == "safetensors":
        save_file(cast, path)
    else:
        names = {torch.float32: Kind.F32, torch.float16: Kind.F16, torch.bfloat16: Kind.BF16}
        write_gguf(path, weights, in_blocks(names[dtype]))
    assert np.abs(logits(path) - truth).max() < _EXACT * np.abs(truth).max()


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_quantised(
    tmp_path: Path, weights: dict[str, Tensor], truth: np.ndarray, kind: Kind
) -> None:
    path = write_gguf(tmp_path / "x.gguf", weights, in_blocks(kind))
    assert inspect(path).weights == kind.name
    decoded = {name: as_decoded(name, tensor, kind) for name, tensor in weights.items()}
    found, exact = logits(path), reference(decoded)
    assert np.abs(found - exact).max() < _EXACT * np.abs(exact).max()
    noisy = [distance(reference(with_noise(weights, decoded, seed)), truth) for seed in range(2)]
    assert distance(found, truth) < 1.5 * max(noisy)


def as_decoded(name: str, tensor: Tensor, kind: Kind) -> Tensor:
    """Return what the package makes of a tensor after its own quantisation."""
    if tensor.ndim != 2 or name.endswith(".r_k") or is_pair(gguf_name(name)):
        return tensor
    values = quants.dequantize(quants.quantize(tensor.numpy(), kind), kind)
    return torch.from_numpy(values.reshape(tensor.shape))


def with_noise(
    weights: dict[str, Tensor], decoded: dict[str, Tensor], seed: int
) -> dict[str, Tensor]:
    """Return the weights with random errors, in each tensor as large as the quantisation's."""
    rng = torch.Generator().manual_seed(seed)
    made = {}
    for name, tensor in weights.items():
        error = (decoded[name] - tensor).square().mean().sqrt()
        made[name] = tensor + error * torch.randn(tensor.shape, generator=rng)
    return made


@pytest.mark.parametrize("kind", NOT_WRITTEN, ids=lambda kind: kind.name)
def test_types_that_only_llama_cpp_writes(
    tmp_path: Path, weights: dict[str, Tensor], kind: Kind
) -> None:
    """Random blocks with small scales stand for matrices; the package says what they mean."""
    rng = np.random.default_rng(int(kind))
    decoded: dict[str, np.ndarray] = {}

    def quantise(name: str, values: np.ndarray) -> tuple[np.ndarray, Kind]:
        if values.ndim != 2 or is_pair(name):
            return np.ascontiguousarray(values), Kind.F32
        raw = random_blocks(rng, values.shape, kind)
        decoded[name] = quants.dequantize(raw, kind).reshape(values.shape)
        return raw, kind

    path = write_gguf(tmp_path / "x.gguf", weights, quantise)
    assert inspect(path).weights == kind.name
    with open_checkpoint(path) as checkpoint:
        for name in weights:
            if not name.split(".")[-1].startswith("x_") and gguf_name(name) in decoded:
                assert np.array_equal(checkpoint.read(name), decoded[gguf_name(name)])
    assert np.isfinite(logits(path)).all()


def random_blocks(rng: np.random.Generator, shape: tuple[int, ...], kind: Kind) -> np.ndarray:
    """Return rows of random blocks, of bytes below 40: an fp16 or fp8 of these is small."""
    block, block_bytes = TYPES[int(kind)].block, TYPES[int(kind)].block_bytes
    size = (shape[0], shape[1] // block * block_bytes)
    return rng.integers(0, 40, size, dtype=np.uint8)


if importlib.util.find_spec("llama_cpp"):

    @pytest.mark.parametrize("name", ["Q4_K_M", "Q5_K_M", "Q6_K", "Q3_K_M", "IQ4_NL"])
    def test_what_llama_cpp_writes(tmp_path: Path, weights: dict[str, Tensor], name: str) -> None:
        """Decoded weights are nearer to the model's than those of a plainer type of fewer bits."""
        convert(write_gguf(tmp_path / "x.gguf", weights, in_blocks(Kind.F32)), tmp_path / "y.gguf")
        made = quantised(tmp_path / "y.gguf", tmp_path / "z.gguf", name)
        assert inspect(made).weights == name.removesuffix("_M")
        matrix = "blocks.1.ffn.key.weight"
        with open_checkpoint(made) as checkpoint:
            found = torch.from_numpy(checkpoint.read(matrix)) - weights[matrix]
        plainer = as_decoded(matrix, weights[matrix], Kind.Q4_0) - weights[matrix]
        room = 2.5 if name == "Q3_K_M" else 1.0  # one bit less: twice the error
        assert found.square().mean() < (room * plainer).square().mean()
        assert np.isfinite(logits(made)).all()
