"""RWKV-4, 5 and 6 behind our contract: the package's own numbers, and a reference's in float64."""

import importlib.util
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.backends.author_package import _package
from engine.backends.older import READ_CHUNK, OlderBackend
from engine.checkpoint import inspect
from engine.errors import Cancelled, DamagedFile, EngineError, StateMismatch, UnsupportedStrategy
from engine.hardware import detect
from engine.lora_files import LoraUse, with_loras
from engine.model import RWKV, load_model
from engine.snapshot import Snapshot, load_snapshot, save_snapshot
from engine.state import State
from engine.state_formats import export_state, import_state
from engine.strategy import Strategy
from tests.engine.training.repeater import one_thread
from tests.older import GENERATIONS, older_weights, write_older_pth
from tests.older_reference import OlderReference
from tests.reference import deviation

VOCAB = 288
TOKENS = [int(token) for token in np.random.default_rng(3).integers(0, VOCAB, 150)]
SPELLINGS = {
    "cpu fp32": "cpu fp32",
    "cpu bf16": "cpu bf16",
    "cpu fp16": "cpu fp16",
    "cpu int8": "cpu fp32i8",
    "cpu fp16i8": "cpu fp16i8",
    "cpu fp32 *3 -> cpu bf16": "cpu fp32 *3 -> cpu bf16",
}


@pytest.fixture(autouse=True)
def on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def package() -> Iterator[ModuleType]:
    """The author's module as its users import it, with its own loader; without scripts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("JIT", "0"), ("CUDA", "0"), ("V7", "0")):
            patch.setenv(f"RWKV_{name}_ON", value)
        found = importlib.util.find_spec("rwkv")
        assert found is not None
        assert found.submodule_search_locations is not None
        path = Path(found.submodule_search_locations[0]) / "model.py"
        spec = importlib.util.spec_from_file_location("package_as_it_is", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        # It looks for garbage after each layer, which takes long among all that pytest holds.
        patch.setattr(module, "gc", SimpleNamespace(collect=lambda: None))
        yield module


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> str:
    return request.param


def opened(path: Path, strategy: str = "cpu fp32") -> OlderBackend:
    return OlderBackend(inspect(path), Strategy.parse(strategy))


def written(folder: Path, generation: str, **options: Any) -> Path:
    return write_older_pth(folder / "older.pth", generation, vocab=VOCAB, **options)


def theirs(package: ModuleType, path: Path, spelling: str) -> tuple[Tensor, list[Tensor]]:
    """Return the package's logits of all tokens, read as we read them, and its state."""
    model = package.RWKV(str(path), spelling, verbose=False)
    state, rows = None, []
    for start in range(0, len(TOKENS), READ_CHUNK):
        logits, state = model.forward(TOKENS[start : start + READ_CHUNK], state, full_output=True)
        rows.append(logits)
    assert state is not None
    return torch.cat(rows), state


@pytest.mark.parametrize("strategy", SPELLINGS)
def test_bit_for_bit_what_the_package_says(
    tmp_path: Path, package: ModuleType, generation: str, strategy: str
):
    """Eight layers: in fp16 the package halves the residual after six."""
    path = written(tmp_path, generation, layers=8, dtype=torch.bfloat16)
    backend = opened(path, strategy)
    state = backend.new_state()
    expected, their_state = theirs(package, path, SPELLINGS[strategy])
    assert torch.equal(backend.forward(TOKENS, state, all_logits=True), expected)
    for ours, of_theirs in zip(backend._unpacked(state), their_state, strict=True):
        assert torch.equal(ours, of_theirs)
    model = package.RWKV(str(path), SPELLINGS[strategy], verbose=False)
    assert torch.equal(backend.forward([7], state), model.forward([7], their_state)[0])
    assert state.tokens_read == len(TOKENS) + 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_bit_for_bit_from_every_type_of_file(
    tmp_path: Path, package: ModuleType, generation: str, dtype: torch.dtype
):
    path = written(tmp_path, generation, layers=7, dtype=dtype)
    for strategy in ("cpu fp32", "cpu fp16"):
        backend = opened(path, strategy)
        got = backend.forward(TOKENS, backend.new_state(), all_logits=True)
        assert torch.equal(got, theirs(package, path, strategy)[0])


def test_what_the_equations_say(tmp_path: Path, generation: str):
    weights = older_weights(generation, vocab=VOCAB)
    reference = OlderReference(weights, generation)
    truth_state = reference.new_state()
    truth = reference.forward(TOKENS, truth_state)
    backend = opened(written(tmp_path, generation))
    state = backend.new_state()
    assert deviation(truth, backend.forward(TOKENS, state, all_logits=True)) < 1e-4
    assert deviation(truth_state.att_shift, state.att_shift) < 1e-4
    assert deviation(truth_state.ffn_shift, state.ffn_shift) < 1e-4
    if generation == "4":
        above, below, exponent = (state.wkv[:, i].double().numpy() for i in range(3))
        assert deviation(truth_state.above, above * np.exp(exponent)) < 1e-4
        assert deviation(truth_state.below, below * np.exp(exponent)) < 1e-4
    else:
        assert deviation(truth_state.wkv, state.wkv) < 1e-4


def test_chunks_are_steps(tmp_path: Path, generation: str):
    backend = opened(written(tmp_path, generation))
    at_once, one_by_one = backend.new_state(), backend.new_state()
    together = backend.forward(TOKENS, at_once, all_logits=True)
    apart = torch.stack([backend.forward([token], one_by_one) for token in TOKENS])
    assert deviation(apart.double().numpy(), together) < 1e-4
    for name, tensor in one_by_one.tensors().items():
        torch.testing.assert_close(at_once.tensors()[name], tensor, rtol=1e-3, atol=1e-4)
    last = backend.forward(TOKENS, backend.new_state())
    torch.testing.assert_close(last, together[-1], rtol=1e-4, atol=1e-4)


def test_a_saved_state_goes_on_bit_for_bit(tmp_path: Path, generation: str):
    backend = opened(written(tmp_path, generation))
    state = backend.new_state()
    logits = backend.forward(TOKENS[:70], state)
    file = tmp_path / "state.safetensors"
    save_snapshot(file, Snapshot(state.clone(), logits.numpy()), {})
    expected = backend.forward(TOKENS[70:], state, all_logits=True)
    backend.close()

    again = opened(tmp_path / "older.pth")
    snapshot, _ = load_snapshot(file)
    assert snapshot.logits is not None
    assert np.array_equal(snapshot.logits, logits.numpy())
    resumed = again.new_state()
    resumed.copy_from(snapshot.state)
    assert torch.equal(again.forward(TOKENS[70:], resumed, all_logits=True), expected)
    for name, tensor in state.tensors().items():
        assert torch.equal(resumed.tensors()[name], tensor)
    assert resumed.tokens_read == len(TOKENS)


def test_a_batch_is_its_rows(tmp_path: Path, generation: str):
    backend = opened(written(tmp_path, generation))
    rows = [TOKENS[:5], TOKENS[5:6], TOKENS[6:20]]
    alone = torch.stack([backend.forward(row, backend.new_state()) for row in rows])
    states = [backend.new_state() for _ in rows]
    assert torch.equal(backend.forward_batch(rows, states), alone)
    assert [state.tokens_read for state in states] == [5, 1, 14]


def test_a_stop_leaves_what_was_read(tmp_path: Path):
    backend = opened(written(tmp_path, "6"))
    state, stopped = backend.new_state(), False
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        nonlocal stopped
        told.append((done, total))
        stopped = True

    with pytest.raises(Cancelled):
        backend.forward(TOKENS, state, progress=progress, cancelled=lambda: stopped)
    assert told == [(READ_CHUNK, len(TOKENS))]
    assert state.tokens_read == READ_CHUNK
    expected = backend.new_state()
    backend.forward(TOKENS[:READ_CHUNK], expected)
    assert torch.equal(state.wkv, expected.wkv)


def test_a_tuned_beginning_is_where_chats_begin(tmp_path: Path, package: ModuleType):
    for generation in ("5.2", "6"):
        path = written(tmp_path, generation, start_state=True)
        backend = opened(path)
        got = backend.forward(TOKENS, backend.new_state(), all_logits=True)
        assert torch.equal(got, theirs(package, path, "cpu fp32")[0])
        weights = older_weights(generation, vocab=VOCAB, start_state=True)
        assert torch.equal(backend.new_state().wkv[1], weights["blocks.1.att.time_state"])


def test_states_of_matrices_go_to_other_programs_and_back(tmp_path: Path):
    backend = opened(written(tmp_path, "6"))
    state = backend.new_state()
    backend.forward(TOKENS, state)
    for name in ("pth", "web-rwkv"):
        export_state(tmp_path / name, state, name)
        back = import_state(tmp_path / name, backend.info.shape)
        torch.testing.assert_close(back.wkv, state.wkv, rtol=2e-3, atol=1e-3)
    sums = State.zeros(inspect(written(tmp_path, "4")).shape)
    with pytest.raises(EngineError, match="RWKV-4"):
        export_state(tmp_path / "x.pth", sums, "pth")
    export_state(tmp_path / "x.safetensors", sums, "skein")
    assert torch.equal(import_state(tmp_path / "x.safetensors").wkv, sums.wkv)


def test_states_of_other_generations_are_refused(tmp_path: Path):
    backend = opened(written(tmp_path, "4"))
    other = State.zeros(inspect(written(tmp_path, "6")).shape)
    with pytest.raises(StateMismatch):
        backend.forward([1], other)


def test_a_lora_is_merged(tmp_path: Path):
    weights = older_weights("6", vocab=VOCAB)
    name = "blocks.1.att.key"
    first, second = torch.randn(4, 64), torch.randn(64, 4)
    torch.save({f"{name}.lora_A": first, f"{name}.lora_B": second}, tmp_path / "lora.pth")
    info = inspect(written(tmp_path, "6"))
    changed = with_loras(info, [LoraUse(tmp_path / "lora.pth", 0.5)])
    assert changed.fingerprint != info.fingerprint
    backend = OlderBackend(changed, Strategy.parse("cpu fp32"))
    weights[f"{name}.weight"] += 0.5 * second @ first
    torch.save(weights, tmp_path / "merged.pth")
    merged = opened(tmp_path / "merged.pth")
    got = backend.forward(TOKENS, backend.new_state())
    torch.testing.assert_close(
        got, merged.forward(TOKENS, merged.new_state()), rtol=1e-4, atol=1e-4
    )


def test_nothing_of_the_process_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where somebody has set the package's switches for other programs."""
    for name in ("RWKV_V7_ON", "RWKV_CUDA_ON", "RWKV_JIT_ON"):
        monkeypatch.setenv(name, "1")
    environment = dict(os.environ)
    switches = (torch.backends.cudnn.benchmark, torch.backends.cuda.matmul.allow_tf32)
    _package.cache_clear()
    backend = opened(written(tmp_path, "5.2"))
    backend.forward(TOKENS, backend.new_state())
    assert dict(os.environ) == environment
    assert (torch.backends.cudnn.benchmark, torch.backends.cuda.matmul.allow_tf32) == switches


def test_numbers_that_are_none_are_refused(tmp_path: Path):
    weights = older_weights("6", vocab=VOCAB)
    weights["blocks.1.ffn.value.weight"][3, 4] = float("nan")
    torch.save(weights, tmp_path / "x.pth")
    with pytest.raises(DamagedFile, match=r"blocks\.1\.ffn\.value\.weight"):
        opened(tmp_path / "x.pth")


def test_nothing_in_a_file_is_run(tmp_path: Path):
    """The pickle calls a function: our reader says so, and the package never sees the file."""
    path = written(tmp_path, "4")
    spoilt, ran = tmp_path / "spoilt.pth", tmp_path / "ran"
    call = f"cos\nsystem\n(S'touch {ran}'\ntR.".encode()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(spoilt, "w") as new:
        for name in old.namelist():
            new.writestr(name, call if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(EngineError):
        load_model(spoilt, Strategy.parse("cpu fp32"), detect(None))
    assert not ran.exists()


@pytest.mark.parametrize("strategy", ["cpu q4", "cpu fp32i4", "cuda fp16 *2+"])
def test_what_the_package_lacks_is_refused(tmp_path: Path, strategy: str):
    path = written(tmp_path, "6")
    with pytest.raises(UnsupportedStrategy):
        load_model(path, Strategy.parse(strategy), detect(None))


def test_after_closing_the_file_is_free_and_the_memory_is_given_back(tmp_path: Path):
    path = written(tmp_path, "5.0")
    backend = opened(path)
    assert backend.resident_bytes > VOCAB * 64 * 4 * 2
    backend.close()
    assert not backend._runner.w
    path.unlink()


def test_the_interface_for_programs_runs_them(tmp_path: Path, package: ModuleType):
    path = written(tmp_path, "6")
    logits, state = RWKV(path, "cpu fp32").forward(TOKENS[:60])
    expected, _ = package.RWKV(str(path), "cpu fp32", verbose=False).forward(TOKENS[:60], None)
    assert torch.equal(logits, expected)
    assert state.tokens_read == 60
