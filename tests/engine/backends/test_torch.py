"""The torch backend against the equations, in every type, and however the text is cut."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.backends.torch import TorchBackend
from engine.checkpoint import inspect
from engine.errors import Cancelled, DamagedFile, EngineError, StateMismatch, UnsupportedStrategy
from engine.model import load_backend
from engine.state import State
from engine.strategy import Strategy
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

TOKENS = [int(t) for t in torch.randint(1, 300, (45,), generator=torch.Generator().manual_seed(3))]
VOCAB = 320


def write(path: Path, dtype: torch.dtype = torch.float32, **options) -> Path:  # type: ignore[no-untyped-def]
    torch.save(tiny_weights(vocab=VOCAB, dtype=dtype, **options), path)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.pth", torch.bfloat16, layers=3)


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A processor of four cores, and torch's number of threads as it was afterwards."""
    before = torch.get_num_threads()
    monkeypatch.setattr("engine.backends.threads.count_cores", lambda: (4, 8))
    yield
    torch.set_num_threads(before)


def load(path: Path, strategy: str = "cpu fp32") -> TorchBackend:
    return TorchBackend(inspect(path), Strategy.parse(strategy))


@pytest.fixture(scope="module")
def backend(checkpoint: Path) -> TorchBackend:
    return load(checkpoint)


@pytest.mark.parametrize(
    ("strategy", "bound"), [("cpu fp32", 1e-5), ("cpu bf16", 1e-5), ("cpu fp16", 1e-4)]
)
def test_logits_and_state_are_those_of_the_equations(
    checkpoint: Path, strategy: str, bound: float
) -> None:
    truth = Reference(torch.load(checkpoint, weights_only=True))
    expected_state = truth.new_state()
    expected = truth.forward(TOKENS, expected_state)
    backend = load(checkpoint, strategy)
    state = backend.new_state()
    logits = backend.forward(TOKENS, state, all_logits=True)
    assert logits.dtype == torch.float32
    assert deviation(expected, logits) < bound
    for name, array in state.tensors().items():
        assert deviation(getattr(expected_state, name), array) < bound
    assert state.tokens_read == len(TOKENS)


@pytest.mark.parametrize("head", [None, True])
def test_vectors_squeezed_or_not_and_spare_layer_0_values(
    tmp_path: Path, head: bool | None
) -> None:
    weights = tiny_weights(vocab=VOCAB, layer0_v=True)
    squeezed = {name: value.squeeze() for name, value in weights.items()}
    if head:
        squeezed = {n: v.flatten() if n.endswith("r_k") else v for n, v in squeezed.items()}
    torch.save(weights, tmp_path / "a.pth")
    torch.save(squeezed, tmp_path / "b.pth")
    one, two = load(tmp_path / "a.pth"), load(tmp_path / "b.pth")
    assert torch.equal(one.forward(TOKENS, one.new_state()), two.forward(TOKENS, two.new_state()))


@pytest.mark.parametrize("strategy", ["cpu fp32", "cpu bf16", "cpu fp16"])
def test_steps_equal_prefill(checkpoint: Path, strategy: str) -> None:
    backend = load(checkpoint, strategy)
    together, apart = backend.new_state(), backend.new_state()
    all_logits = backend.forward(TOKENS, together, all_logits=True)
    steps = torch.stack([backend.forward([token], apart) for token in TOKENS])
    assert deviation(all_logits.double().numpy(), steps) < 1e-5
    assert deviation(together.wkv.double().numpy(), apart.wkv) < 1e-5


@pytest.mark.parametrize("cuts", [[1], [16], [17, 18], [2, 30, 44], [15, 31]])
def test_cut_anywhere_is_the_same(backend: TorchBackend, cuts: list[int]) -> None:
    whole = backend.new_state()
    expected = backend.forward(TOKENS, whole)
    state = backend.new_state()
    parts = zip([0, *cuts], [*cuts, len(TOKENS)], strict=True)
    logits = [backend.forward(TOKENS[start:end], state) for start, end in parts][-1]
    assert deviation(expected.double().numpy(), logits) < 1e-5
    assert deviation(whole.wkv.double().numpy(), state.wkv) < 1e-5


def test_the_same_call_gives_the_same_bits(backend: TorchBackend) -> None:
    first, second = backend.new_state(), backend.new_state()
    assert torch.equal(backend.forward(TOKENS, first), backend.forward(TOKENS, second))
    assert torch.equal(first.wkv, second.wkv)


def test_batch_rows_are_the_single_rows(backend: TorchBackend) -> None:
    prompts = [TOKENS[:5], TOKENS[5:20], TOKENS[20:21]]
    states = [backend.new_state() for _ in prompts]
    backend.forward_batch(prompts, states)
    single = [state.clone() for state in states]
    batch = backend.forward_batch([[7], [8], [9]], states)
    for row, (token, state) in enumerate(zip((7, 8, 9), single, strict=True)):
        logits = backend.forward([token], state)
        assert deviation(logits.double().numpy(), batch[row]) < 1e-5
        assert deviation(state.wkv.double().numpy(), states[row].wkv) < 1e-5
        assert states[row].tokens_read == state.tokens_read


def test_a_split_over_stages_changes_nothing(checkpoint: Path, backend: TorchBackend) -> None:
    split = load(checkpoint, "cpu fp32 *1 -> cpu bf16")
    logits = split.forward(TOKENS, split.new_state())
    expected = backend.forward(TOKENS, backend.new_state())
    assert deviation(expected.double().numpy(), logits) < 1e-5


def test_stopping_between_chunks_keeps_what_was_read(
    backend: TorchBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.backends.torch.READ_CHUNK", 16)
    seen: list[tuple[int, int]] = []
    state = backend.new_state()
    with pytest.raises(Cancelled):
        backend.forward(
            TOKENS,
            state,
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) == 2,
        )
    assert seen == [(16, 45), (32, 45)]
    assert state.tokens_read == 32
    whole = backend.new_state()
    expected = backend.forward(TOKENS, whole)
    assert torch.equal(backend.forward(TOKENS[32:], state), expected)


def test_wrong_tokens_and_states_are_refused(backend: TorchBackend) -> None:
    with pytest.raises(EngineError, match="empty"):
        backend.forward([], backend.new_state())
    with pytest.raises(EngineError, match="outside the vocabulary"):
        backend.forward([VOCAB], backend.new_state())
    other = State(torch.zeros(1, 64), torch.zeros(1, 1, 64, 64), torch.zeros(1, 64))
    with pytest.raises(StateMismatch, match="att_shift"):
        backend.forward([1], other)


def test_unknown_weight_types_and_devices_are_refused(checkpoint: Path) -> None:
    with pytest.raises(UnsupportedStrategy, match="int8"):
        load(checkpoint, "cpu int8")
    if not torch.cuda.is_available():
        with pytest.raises(UnsupportedStrategy, match="cuda"):
            load(checkpoint, "cuda fp16")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    weights = tiny_weights(vocab=VOCAB)
    weights["blocks.1.ffn.key.weight"][3, 5] = value
    torch.save(weights, tmp_path / "nan.pth")
    with pytest.raises(DamagedFile, match=r"blocks\.1\.ffn\.key\.weight"):
        load(tmp_path / "nan.pth")


def test_loading_reports_progress_and_can_be_stopped(checkpoint: Path) -> None:
    seen: list[tuple[int, int]] = []
    TorchBackend(
        inspect(checkpoint),
        Strategy.parse("cpu bf16"),
        lambda done, all_: seen.append((done, all_)),
    )
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)
    with pytest.raises(Cancelled):
        TorchBackend(
            inspect(checkpoint), Strategy.parse("cpu bf16"), cancelled=lambda: len(seen) > 0
        )


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize("first", ["cpu fp32", "cpu fp32 @3"])
def test_the_next_model_does_not_keep_the_threads_of_the_one_before(
    checkpoint: Path, first: str
) -> None:
    info = inspect(checkpoint)
    saving = load_backend(info, Strategy.parse(first), native=False, power_saving=True)
    assert torch.get_num_threads() == (saving.strategy.threads or 2)
    saving.close()
    load_backend(info, Strategy.parse("cpu fp32"), native=False)
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_cores")
def test_saving_power_while_a_model_is_loaded(checkpoint: Path) -> None:
    backend = load(checkpoint)
    for on, threads in ((True, 2), (False, 4), (True, 2)):
        backend.set_power_saving(on)
        assert torch.get_num_threads() == threads
    pinned = load(checkpoint, "cpu fp32 @3")
    pinned.set_power_saving(True)
    assert torch.get_num_threads() == 3


def test_resident_bytes_are_those_of_the_weights(checkpoint: Path) -> None:
    info = inspect(checkpoint)
    backend = load(checkpoint, "cpu fp32")
    assert backend.resident_bytes == pytest.approx(4 * info.parameters, rel=0.05)
    backend.close()
    gc.collect()
