"""DeepEmbed (v7a) on the torch and the native backend: the equations, cuts, batches, files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from engine.backends import cuda
from engine.backends.base import Backend
from engine.backends.cpu import CpuBackend, sizes_of
from engine.backends.table_rows import TableRows
from engine.backends.torch import TorchBackend
from engine.checkpoint import ModelShape, inspect
from engine.convert import convert
from engine.errors import DamagedFile, UnsupportedModel
from engine.lora_files import LoraUse, with_loras
from engine.needs import embedding_bytes, head_bytes, layer_bytes
from engine.packed_files import PackedFiles
from engine.strategy import Strategy
from engine.training.model import TrainedModel
from kernels.cpu.library import find_library
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

KINDS = ["torch", "cpu"]
VOCAB, LENGTH = 320, 290  # more than one chunk or block
TOKENS = [
    int(t) for t in torch.randint(1, VOCAB, (LENGTH,), generator=torch.Generator().manual_seed(3))
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "rwkv7a-tiny.pth"
    torch.save(tiny_weights(vocab=VOCAB, layers=3, deep=32, dtype=torch.bfloat16), path)
    return path


@pytest.fixture(scope="module")
def truth(path: Path) -> Reference:
    return Reference(torch.load(path, weights_only=True))


def load(path: Path, kind: str = "torch", strategy: str = "cpu fp32 @2", **more) -> Backend:  # type: ignore[no-untyped-def]
    info, wanted = inspect(path), Strategy.parse(strategy)
    if kind == "torch":
        return TorchBackend(info, wanted, **more)
    library = find_library()
    assert library is not None
    return CpuBackend(library, info, wanted, **more)


@pytest.fixture(scope="module", params=KINDS)
def backend(path: Path, request: pytest.FixtureRequest) -> Iterator[Backend]:
    backend = load(path, request.param)
    yield backend
    backend.close()


def test_the_file_is_of_its_own_generation(path: Path) -> None:
    info = inspect(path)
    assert info.architecture == "rwkv7a"
    assert info.shape.deep == 32
    assert info.parameters == sum(
        tensor.numel() for tensor in torch.load(path, weights_only=True).values()
    )


_AUTHORS = """
import sys, numpy, torch
from rwkv.model import RWKV
model = RWKV(sys.argv[1].removesuffix(".pth"), "cpu fp32")
logits, _ = model.forward([int(token) for token in sys.argv[3:]], None, full_output=True)
numpy.save(sys.argv[2], torch.as_tensor(logits).double().numpy())
"""


def test_the_equations_are_those_of_the_authors_package(
    path: Path, truth: Reference, tmp_path: Path
) -> None:
    """The package reads its switches when it is imported, so it runs in a process of its own."""
    out, tokens = tmp_path / "logits.npy", TOKENS[:20]
    switches = {"RWKV_V7_ON": "1", "RWKV_DE_VERSION": "1", "RWKV_JIT_ON": "0", "RWKV_CUDA_ON": "0"}
    command = [sys.executable, "-c", _AUTHORS, str(path), str(out), *map(str, tokens)]
    subprocess.run(command, env=os.environ | switches, check=True, capture_output=True)
    assert deviation(truth.forward(tokens, truth.new_state()), np.load(out)) < 1e-4


# These weights are random, so what rounding does to them is large. The real bounds of int8 and q4
# are checked against weights rounded in the same way: tests/kernels/cpu/test_deep.py.
@pytest.mark.parametrize(
    ("kind", "weights", "bound"),
    [
        *(("torch", "fp32", 1e-4), ("torch", "bf16", 5e-2), ("torch", "fp16", 1e-2)),
        *(("cpu", "fp32", 1e-4), ("cpu", "bf16", 3e-2), ("cpu", "fp16", 3e-2)),
        *(("cpu", "int8", 0.3), ("cpu", "q4", 2)),
    ],
)
def test_logits_and_state_are_those_of_the_equations(
    path: Path, truth: Reference, kind: str, weights: str, bound: float
) -> None:
    expected_state = truth.new_state()
    expected = truth.forward(TOKENS[:40], expected_state)
    backend = load(path, kind, f"cpu {weights}")
    state = backend.new_state()
    logits = backend.forward(TOKENS[:40], state, all_logits=True)
    backend.close()
    assert deviation(expected, logits) < bound
    for name, array in state.tensors().items():
        assert deviation(getattr(expected_state, name), array) < 2 * bound


@pytest.mark.parametrize("cuts", [[1], [17, 18], [2, 130, 131], [289]])
def test_cut_anywhere_is_the_same(backend: Backend, cuts: Sequence[int]) -> None:
    whole, state = backend.new_state(), backend.new_state()
    expected = backend.forward(TOKENS, whole)
    parts = zip([0, *cuts], [*cuts, LENGTH], strict=True)
    logits = [backend.forward(TOKENS[start:end], state) for start, end in parts][-1]
    assert deviation(expected.double().numpy(), logits) < 1e-4
    assert deviation(whole.wkv.double().numpy(), state.wkv) < 1e-4


def test_rows_of_a_batch_are_what_they_are_alone(backend: Backend) -> None:
    states, alone = ([backend.new_state() for _ in range(3)] for _ in range(2))
    for step in range(3):
        tokens = [[TOKENS[3 * step + row]] for row in range(3)]
        logits = backend.forward_batch(tokens, states)
        for row, token, state in zip(logits, tokens, alone, strict=True):
            expected = backend.forward(token, state)
            assert deviation(expected.double().numpy(), row) < 1e-4


def test_the_tables_are_not_held(backend: Backend) -> None:
    shape = backend.info.shape
    assert backend.resident_bytes < 4 * (shape.parameters - shape.table_parameters) * 1.05


@pytest.mark.parametrize("weights", ["fp32", "bf16", "fp16", "int8", "q4"])
def test_the_plan_counts_what_is_held(weights: str) -> None:
    shape = replace(ModelShape.released("0.1b"), deep=32)
    planned = shape.layers * layer_bytes(shape, weights) + head_bytes(shape, weights)
    planned += embedding_bytes(shape, weights)
    library = find_library()
    assert library is not None
    assert planned == pytest.approx(library.packed_bytes(sizes_of(shape), weights), rel=0.03)


def test_our_engine_for_cards_leaves_it_to_torch(backend: Backend) -> None:
    assert not cuda.serves(backend.info.shape, Strategy.parse("cuda fp16"))
    assert cuda.serves(replace(backend.info.shape, deep=0), Strategy.parse("cuda fp16"))


@pytest.mark.parametrize("kind", KINDS)
def test_loading_tells_of_all_that_it_reads(path: Path, kind: str) -> None:
    told: list[tuple[int, int]] = []
    load(path, kind, progress=lambda *now: told.append(now)).close()
    assert told[-1][0] == told[-1][1] < path.stat().st_size


def test_rows_are_the_files_own_and_the_last_are_kept(path: Path) -> None:
    weights = torch.load(path, weights_only=True)
    rows = TableRows(inspect(path))
    got = torch.from_numpy(rows.read([5, 319, 5])).view(torch.bfloat16)
    for i in range(3):
        assert torch.equal(got[i], weights[f"blocks.{i}.ffn.s_emb.weight"][[5, 319, 5]])
    rows.close()
    assert rows.read([319, 5]).shape == (3, 2, 2048)  # without the file
    with pytest.raises(ValueError, match="closed"):
        rows.read([6])


def test_only_so_many_rows_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.table_rows._KEPT_BYTES", 0)
    rows = TableRows(inspect(path))
    for token in range(VOCAB):
        rows.read([token])
    assert len(rows._kept) == 64
    assert list(rows._kept)[-1] == VOCAB - 1
    rows.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_went_away_is_an_error_in_words(path: Path, tmp_path: Path, kind: str) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.pth"))
    backend = load(copy, kind)
    state = backend.new_state()
    os.truncate(copy, 1000)
    with pytest.raises(DamagedFile, match="shorter"):
        backend.forward([3], state)
    with pytest.raises(DamagedFile, match="shorter"):
        backend.forward([3, 4, 5], state)
    with pytest.raises(DamagedFile, match="shorter"):
        backend.forward_batch([[3], [4]], [state, state.clone()])
    assert state.tokens_read == 0
    assert not state.att_shift.any()
    backend.close()


@pytest.mark.parametrize("kind", KINDS)
def test_closing_closes_the_file(path: Path, tmp_path: Path, kind: str) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.pth"))
    backend = load(copy, kind)
    backend.forward([3], backend.new_state())
    assert _open_files(copy)
    backend.close()
    assert not _open_files(copy)


def _open_files(path: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if file.path == str(path)]


def test_packed_weights_are_kept_without_the_tables(path: Path, tmp_path: Path) -> None:
    packed = PackedFiles(tmp_path / "packed", least_bytes=1, delay_s=0)
    first = load(path, "cpu", "cpu bf16", packed=packed)
    expected = first.forward(TOKENS[:20], first.new_state())
    assert isinstance(first, CpuBackend)
    first.settle()
    first.close()
    (kept,) = [file for file in (tmp_path / "packed").rglob("*") if file.stat().st_size > 1 << 16]
    tables = 2 * first.info.shape.table_parameters
    assert kept.stat().st_size < path.stat().st_size - tables // 2
    again = load(path, "cpu", "cpu bf16", packed=packed)
    assert torch.equal(again.forward(TOKENS[:20], again.new_state()), expected)
    again.close()


def test_threads_change_no_bit(path: Path) -> None:
    results = []
    for threads in (1, 2, 3):
        backend = load(path, "cpu", f"cpu int8 @{threads}")
        results.append(backend.forward(TOKENS, backend.new_state()))
        backend.close()
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def lora(path: Path, name: str, size: tuple[int, int]) -> LoraUse:
    """Save a LoRA of rank 2 that changes one matrix [rows, columns]."""
    rng = torch.Generator().manual_seed(8)
    halves = {"A": (2, size[1]), "B": (size[0], 2)}
    pairs = {f"{name}.lora_{half}": torch.randn(at, generator=rng) for half, at in halves.items()}
    torch.save(pairs, path)
    return LoraUse(path, 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_loras_change_what_is_multiplied(path: Path, tmp_path: Path, kind: str) -> None:
    name = "blocks.1.ffn.s_emb_x"
    use = lora(tmp_path / "turn.pth", name, (1024, 128))
    weights, change = torch.load(path, weights_only=True), torch.load(use.path, weights_only=True)
    product = change[f"{name}.lora_B"] @ change[f"{name}.lora_A"]
    changed = weights | {f"{name}.weight": weights[f"{name}.weight"].float() + product / 2}
    truth = Reference(changed)
    library = find_library()
    assert library is not None
    info, strategy = with_loras(inspect(path), [use]), Strategy.parse("cpu fp32")
    backend = CpuBackend(library, info, strategy) if kind == "cpu" else TorchBackend(info, strategy)
    logits = backend.forward(TOKENS[:9], backend.new_state(), all_logits=True)
    backend.close()
    assert deviation(truth.forward(TOKENS[:9], truth.new_state()), logits) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_lora_of_a_table_is_refused_and_can_be_merged(
    path: Path, tmp_path: Path, kind: str
) -> None:
    use = lora(tmp_path / "table.pth", "blocks.1.ffn.s_emb", (VOCAB, 1024))
    library = find_library()
    assert library is not None
    info, strategy = with_loras(inspect(path), [use]), Strategy.parse("cpu fp32")
    with pytest.raises(UnsupportedModel, match="DeepEmbed tables"):
        CpuBackend(library, info, strategy) if kind == "cpu" else TorchBackend(info, strategy)
    merged = convert(path, tmp_path / "merged.safetensors", "f32", [use])
    backend = load(merged.path, kind)
    truth = Reference(load_file(merged.path))
    logits = backend.forward(TOKENS[:9], backend.new_state(), all_logits=True)
    backend.close()
    assert deviation(truth.forward(TOKENS[:9], truth.new_state()), logits) < 1e-4


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".st"])
def test_it_can_be_converted_and_is_the_same_model(
    path: Path, tmp_path: Path, truth: Reference, suffix: str
) -> None:
    info = convert(path, tmp_path / f"other{suffix}")
    assert info.architecture == "rwkv7a"
    assert info.fingerprint == inspect(path).fingerprint
    backend = load(info.path, "cpu")
    logits = backend.forward(TOKENS[:20], backend.new_state(), all_logits=True)
    backend.close()
    assert deviation(truth.forward(TOKENS[:20], truth.new_state()), logits) < 1e-4


def test_gguf_files_and_training_are_for_plain_models(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="GGUF"):
        convert(path, tmp_path / "other.gguf")
    with pytest.raises(UnsupportedModel, match="not trained"):
        TrainedModel.from_checkpoint(path)
