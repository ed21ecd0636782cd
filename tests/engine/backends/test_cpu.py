"""The native backend against the equations, in every type, and however the text is cut."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
import torch

from engine.backends.cpu import CpuBackend, serves, sizes_of
from engine.backends.threads import candidates, choose_threads, most_threads
from engine.built_in import require_built_in
from engine.checkpoint import inspect
from engine.errors import Cancelled, DamagedFile, EngineError, StateMismatch, UnsupportedStrategy
from engine.hardware.processor import count_cores
from engine.model import load_backend
from engine.needs import embedding_bytes, head_bytes, layer_bytes
from engine.packed_files import PackedFiles
from engine.state import State
from engine.strategy import Strategy
from kernels.cpu.library import Library, find_library
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

LENGTH = 300  # more than one block of the library's
TOKENS = [
    int(t) for t in torch.randint(1, 300, (LENGTH,), generator=torch.Generator().manual_seed(3))
]
VOCAB = 320


def write(path: Path, dtype: torch.dtype = torch.float32, **options) -> Path:  # type: ignore[no-untyped-def]
    torch.save(tiny_weights(vocab=VOCAB, dtype=dtype, **options), path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.pth", torch.bfloat16, layers=3)


@pytest.fixture(scope="module")
def library() -> Library:
    found = find_library()
    assert found is not None, "not built: cmake -S . -B build/cpu && cmake --build build/cpu"
    return found


def load(path: Path, strategy: str = "cpu fp32 @2", **more) -> CpuBackend:  # type: ignore[no-untyped-def]
    library = find_library()
    assert library is not None
    return CpuBackend(library, inspect(path), Strategy.parse(strategy), **more)


@pytest.fixture(scope="module")
def backend(checkpoint: Path) -> CpuBackend:
    return load(checkpoint)


# These weights are random, so what rounding does to them is large. The real bounds of int8 and q4
# are checked against weights rounded in the same way: tests/kernels/cpu.
@pytest.mark.parametrize(
    ("strategy", "bound"),
    [("cpu fp32", 1e-4), ("cpu bf16", 3e-2), ("cpu fp16", 3e-2), ("cpu int8", 0.3), ("cpu q4", 2)],
)
def test_logits_and_state_are_those_of_the_equations(
    checkpoint: Path, strategy: str, bound: float
) -> None:
    truth = Reference(torch.load(checkpoint, weights_only=True))
    expected_state = truth.new_state()
    expected = truth.forward(TOKENS[:60], expected_state)
    backend = load(checkpoint, strategy)
    state = backend.new_state()
    logits = backend.forward(TOKENS[:60], state, all_logits=True)
    assert logits.dtype == torch.float32
    assert deviation(expected, logits) < bound
    for name, array in state.tensors().items():
        assert deviation(getattr(expected_state, name), array) < bound
    assert state.tokens_read == 60


@pytest.mark.parametrize("weights", ["fp32", "bf16", "fp16", "int8", "q4"])
def test_the_number_of_threads_changes_no_bit(checkpoint: Path, weights: str) -> None:
    results = []
    for threads in (1, 2, 3):
        backend = load(checkpoint, f"cpu {weights} @{threads}")
        state = backend.new_state()
        logits = backend.forward(TOKENS, state)
        step = backend.forward([7], state)
        results.append((logits, step, state.wkv.clone()))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("cuts", [[1], [16], [17, 18], [2, 130, 131], [299]])
def test_cut_anywhere_is_the_same(backend: CpuBackend, cuts: list[int]) -> None:
    whole = backend.new_state()
    expected = backend.forward(TOKENS, whole)
    state = backend.new_state()
    parts = zip([0, *cuts], [*cuts, LENGTH], strict=True)
    logits = [backend.forward(TOKENS[start:end], state) for start, end in parts][-1]
    assert deviation(expected.double().numpy(), logits) < 1e-4
    assert deviation(whole.wkv.double().numpy(), state.wkv) < 1e-4
    assert state.tokens_read == LENGTH


def test_one_token_with_all_logits_is_one_row(backend: CpuBackend) -> None:
    one = backend.forward([5], backend.new_state())
    row = backend.forward([5], backend.new_state(), all_logits=True)
    assert row.shape == (1, VOCAB)
    assert torch.equal(row[0], one)


def test_a_state_laid_out_otherwise_is_taken_and_its_clone_is_not_copied(
    backend: CpuBackend,
) -> None:
    ours, plain = backend.new_state(), State.zeros(backend.info.shape)
    for state in (ours, plain):
        backend.forward(TOKENS[:20], state)
    assert torch.equal(ours.wkv, plain.wkv)
    again = plain.clone()
    address = again.wkv.data_ptr()
    backend.forward([3], again)
    assert again.wkv.data_ptr() == address
    assert again.wkv.mT.is_contiguous()


def test_batch_rows_are_the_single_rows(backend: CpuBackend) -> None:
    prompts = [TOKENS[i : i + 1 + i % 4] for i in range(19)]
    states = [backend.new_state() for _ in prompts]
    backend.forward_batch(prompts, states)
    single = [state.clone() for state in states]
    batch = backend.forward_batch([[7 + row] for row in range(19)], states)
    for row, state in enumerate(single):
        logits = backend.forward([7 + row], state)
        assert deviation(logits.double().numpy(), batch[row]) < 1e-4
        assert deviation(state.wkv.double().numpy(), states[row].wkv) < 1e-4
        assert states[row].tokens_read == state.tokens_read


def test_stopping_between_blocks_keeps_what_was_read(backend: CpuBackend) -> None:
    seen: list[tuple[int, int]] = []
    state = backend.new_state()
    with pytest.raises(Cancelled):
        backend.forward(
            TOKENS,
            state,
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) == 1,
        )
    ((done, total),) = seen
    assert 0 < done < total == LENGTH
    assert state.tokens_read == done
    expected = backend.forward(TOKENS, backend.new_state())
    rest = backend.forward(TOKENS[done:], state)
    assert deviation(expected.double().numpy(), rest) < 1e-4


def test_stopped_before_it_began_nothing_is_read(backend: CpuBackend) -> None:
    state = backend.new_state()
    with pytest.raises(Cancelled):
        backend.forward(TOKENS, state, cancelled=lambda: True)
    assert (state.tokens_read, float(state.wkv.abs().sum())) == (0, 0.0)


def test_an_error_of_the_one_who_is_told_comes_through(backend: CpuBackend) -> None:
    def fail(_done: int, _total: int) -> None:
        raise RuntimeError("the window is gone")

    with pytest.raises(RuntimeError, match="the window is gone"):
        backend.forward(TOKENS, backend.new_state(), progress=fail)


def test_wrong_tokens_and_states_are_refused(backend: CpuBackend) -> None:
    with pytest.raises(EngineError, match="empty"):
        backend.forward([], backend.new_state())
    with pytest.raises(EngineError, match="outside the vocabulary"):
        backend.forward([VOCAB], backend.new_state())
    other = State(torch.zeros(1, 64), torch.zeros(1, 1, 64, 64), torch.zeros(1, 64))
    with pytest.raises(StateMismatch, match="att_shift"):
        backend.forward([1], other)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    weights = tiny_weights(vocab=VOCAB)
    weights["blocks.1.ffn.key.weight"][3, 5] = value
    torch.save(weights, tmp_path / "nan.pth")
    with pytest.raises(DamagedFile, match=r"blocks\.1\.ffn\.key\.weight"):
        load(tmp_path / "nan.pth")


def test_loading_reports_progress_and_can_be_stopped(checkpoint: Path) -> None:
    seen: list[tuple[int, int]] = []
    load(checkpoint, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)
    with pytest.raises(Cancelled):
        load(checkpoint, cancelled=lambda: True)


def test_a_split_model_is_not_for_this_backend(checkpoint: Path, library: Library) -> None:
    strategy = Strategy.parse("cpu fp32 *1 -> cpu bf16")
    assert not serves(library, inspect(checkpoint).shape, strategy)
    with pytest.raises(UnsupportedStrategy):
        load(checkpoint, str(strategy))
    assert load_backend(inspect(checkpoint), strategy).name == "torch"
    assert load_backend(inspect(checkpoint), Strategy.parse("cpu int8 @1")).name == "cpu"


@pytest.mark.parametrize("size", ["0.4b", "built in"])
@pytest.mark.parametrize("weights", ["fp32", "bf16", "int8", "q4"])
def test_the_plan_counts_the_bytes_that_are_taken(
    library: Library, weights: str, size: str
) -> None:
    from engine.checkpoint import ModelShape

    shape = inspect(require_built_in()).shape if size == "built in" else ModelShape.released(size)
    planned = shape.layers * layer_bytes(shape, weights) + head_bytes(shape, weights)
    planned += embedding_bytes(shape, weights)
    assert planned == pytest.approx(library.packed_bytes(sizes_of(shape), weights), rel=0.03)


def test_the_measured_number_of_threads_is_remembered(checkpoint: Path, tmp_path: Path) -> None:
    def choose(busy: bool) -> int:
        backend = load(checkpoint, "cpu int8 @2")
        model = backend._model
        choose_threads(model, backend._try_step, "int8", tmp_path, is_busy=lambda: busy)
        assert backend.forward([1], backend.new_state()).isfinite().all()
        return backend.threads

    assert choose(busy=True) == 2
    assert not list(tmp_path.iterdir()), "a busy minute decides nothing"
    chosen = choose(busy=False)
    (file,) = tmp_path.iterdir()
    ((key, remembered),) = json.loads(file.read_text()).items()
    assert remembered == chosen
    file.write_text(json.dumps({key: 1}))
    assert choose(busy=True) == choose(busy=False) == 1
    file.write_text("no JSON")
    assert choose(busy=True) == 2


def test_measuring_threads_can_be_stopped(checkpoint: Path, tmp_path: Path) -> None:
    backend = load(checkpoint, "cpu int8 @2")
    asked = iter([False] * 7)
    with pytest.raises(Cancelled):
        choose_threads(
            *(backend._model, backend._try_step, "int8", tmp_path),
            is_busy=lambda: False,
            cancelled=lambda: next(asked, True),
        )
    assert not list(tmp_path.iterdir()), "half of a measurement decides nothing"
    assert step(backend).isfinite().all()


@pytest.mark.parametrize(("cores", "counts"), [(1, [1]), (2, [2, 1]), (16, [16, 12, 8, 4, 2, 1])])
def test_thread_counts_that_are_tried(cores: int, counts: list[int]) -> None:
    assert candidates(cores) == counts


def kept(folder: Path, delay_s: float = 0) -> PackedFiles:
    return PackedFiles(folder / "packed", least_bytes=1, delay_s=delay_s)


def step(backend: CpuBackend) -> torch.Tensor:
    return backend.forward(TOKENS[:20], backend.new_state())


@pytest.mark.parametrize("weights", ["bf16", "fp16", "int8", "q4"])
def test_what_was_packed_once_is_read_back(checkpoint: Path, tmp_path: Path, weights: str) -> None:
    files = kept(tmp_path)
    first = load(checkpoint, f"cpu {weights} @2", packed=files)
    assert first._kept.is_writing
    first.settle()
    seen: list[tuple[int, int]] = []
    again = load(
        checkpoint,
        f"cpu {weights} @2",
        packed=files,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert not again._kept.is_writing, "it came from the file"
    assert seen[-1] == (again.resident_bytes, again.resident_bytes)
    assert torch.equal(step(first), step(again))
    first.close()
    again.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_share_the_pages_of_what_was_packed(checkpoint: Path, tmp_path: Path) -> None:
    files = kept(tmp_path)
    first = load(checkpoint, "cpu bf16 @1", packed=files)
    first.settle()
    first.close()
    (path,) = files.folder.iterdir()
    again = load(checkpoint, "cpu bf16 @1", packed=files)
    arguments = [sys.executable, "-c", OTHER_PROCESS, str(checkpoint), str(tmp_path / "packed")]
    with subprocess.Popen(arguments, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        told = other.stdout.readline()
        shared, private = mapped_bytes(path)
        assert shared >= again.resident_bytes
        assert private == 0
        other.communicate("end")
    assert float(told) == float(step(again).sum()), "and compute the same with them"
    again.close()
    assert mapped_bytes(path) == (0, 0)


OTHER_PROCESS = """
import sys
from pathlib import Path
from engine.packed_files import PackedFiles
from tests.engine.backends.test_cpu import load, step
files = PackedFiles(Path(sys.argv[2]), least_bytes=1)
backend = load(Path(sys.argv[1]), "cpu bf16 @1", packed=files)
assert not backend._kept.is_writing
print(float(step(backend).sum()), flush=True)
sys.stdin.read()
"""


def mapped_bytes(path: Path) -> tuple[int, int]:
    """Return (shared, private) bytes of a file's pages in this process."""
    _, found, rest = Path("/proc/self/smaps").read_text().partition(str(path))
    if not found:
        return 0, 0
    sizes = dict(re.findall(r"(\w+): +(\d+) kB", rest.partition("VmFlags")[0]))
    shared = int(sizes["Shared_Clean"]) + int(sizes["Shared_Dirty"])
    return 1024 * shared, 1024 * (int(sizes["Private_Clean"]) + int(sizes["Private_Dirty"]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_load_that_is_stopped_lets_go_of_what_it_mapped(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = kept(tmp_path)
    first = load(checkpoint, "cpu int8 @1", packed=files)
    first.settle()
    (path,) = files.folder.iterdir()

    def stopped(*_args: object, **_more: object) -> None:
        raise Cancelled

    monkeypatch.setattr("engine.backends.cpu.choose_threads", stopped)
    with pytest.raises(Cancelled):
        load(checkpoint, "cpu int8", packed=files)
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_a_changed_model_file_is_packed_anew(tmp_path: Path) -> None:
    path, files = write(tmp_path / "a.pth"), kept(tmp_path)
    first = load(path, "cpu int8 @1", packed=files)
    assert first._kept.is_writing
    first.settle()
    write(path, seed=1)
    other = load(path, "cpu int8 @1", packed=files)
    assert other._kept.is_writing
    other.close()
    assert not torch.equal(step(first), step(load(path, "cpu int8 @1")))


def test_a_damaged_file_of_packed_weights_loses_nothing(checkpoint: Path, tmp_path: Path) -> None:
    files = kept(tmp_path)
    first = load(checkpoint, "cpu int8 @2", packed=files)
    assert first._kept.is_writing
    first.settle()
    (path,) = files.folder.iterdir()
    with path.open("rb+") as file:
        file.seek(-1000, os.SEEK_END)
        file.write(bytes(1000))
    again = load(checkpoint, "cpu int8 @2", packed=files)
    assert again._kept.is_writing, "packed from the model file"
    assert torch.equal(step(first), step(again))
    again.close()


def test_ejecting_stops_the_writing(checkpoint: Path, tmp_path: Path) -> None:
    files = kept(tmp_path, delay_s=3600)
    load(checkpoint, "cpu int8 @2", packed=files).close()
    assert files.usage() == 0
    load(checkpoint, "cpu int8 @2", packed=files)  # forgotten by its owner: nobody writes it
    assert files.usage() == 0


def test_fp32_is_not_kept(checkpoint: Path, tmp_path: Path) -> None:
    assert not load(checkpoint, packed=kept(tmp_path))._kept.is_writing


def test_saving_power_takes_half_of_the_cores_at_most(checkpoint: Path, tmp_path: Path) -> None:
    cores = count_cores()[0]
    half = max(1, cores // 2)
    assert (most_threads(power_saving=False), most_threads(power_saving=True)) == (cores, half)
    backend = load(checkpoint, "cpu int8", cache=tmp_path)
    before = step(backend)
    backend.set_power_saving(True)
    assert backend.threads <= half
    assert torch.equal(step(backend), before)
    backend.set_power_saving(False)
    assert torch.equal(step(backend), before)
    assert load(checkpoint, "cpu int8", cache=tmp_path, power_saving=True).threads <= half


def test_a_number_of_threads_in_the_strategy_counts_more(checkpoint: Path) -> None:
    backend = load(checkpoint, "cpu int8 @3", power_saving=True)
    backend.set_power_saving(True)
    assert backend.threads == 3
