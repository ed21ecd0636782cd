"""A model shared by a card and the native library: as whole, wherever it is cut.

Where there is no card, the emulator stands for it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.backends import split_card
from engine.backends.cuda import programs_for
from engine.backends.split import SplitBackend, serves
from engine.checkpoint import inspect
from engine.errors import Cancelled, EngineError, UnsupportedStrategy
from engine.packed_files import PackedFiles
from engine.strategy import Strategy
from kernels.cpu.library import find_library
from kernels.cuda.program import missing
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

VOCAB = 320
TOKENS = [int(t) for t in torch.randint(1, 300, (37,), generator=torch.Generator().manual_seed(3))]
ARRAYS = ("att_shift", "wkv", "ffn_shift")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.pth"
    torch.save(tiny_weights(vocab=VOCAB, dtype=torch.bfloat16, layers=3), path)
    return path


def load(path: Path, strategy: str, **options) -> SplitBackend:  # type: ignore[no-untyped-def]
    library = find_library()
    assert library is not None, "not built: cmake -S . -B build/cpu && cmake --build build/cpu"
    if torch.cuda.is_available() and not missing():
        programs = programs_for(torch.device("cuda"))
    else:
        programs = EmulatedPrograms()
    return SplitBackend(inspect(path), Strategy.parse(strategy), library, programs, **options)


@pytest.fixture(scope="module")
def backend(checkpoint: Path) -> Iterator[SplitBackend]:
    backend = load(checkpoint, "cuda fp16 *2 -> cpu fp32")
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def expected(checkpoint: Path):
    truth = Reference(torch.load(checkpoint, weights_only=True))
    state = truth.new_state()
    return truth.forward(TOKENS, state), state


@pytest.mark.parametrize("first", [1, 2, 3])
def test_cut_anywhere_it_is_the_whole_model(checkpoint: Path, expected, first: int) -> None:
    logits, truth = expected
    backend = load(checkpoint, f"cuda fp16 *{first} -> cpu fp32")
    together, apart = backend.new_state(), backend.new_state()
    read = backend.forward(TOKENS, together, all_logits=True)
    steps = torch.stack([backend.forward([token], apart) for token in TOKENS])
    assert read.dtype == steps.dtype == torch.float32
    assert deviation(logits, read) < 6e-3
    assert deviation(logits, steps) < 6e-3
    for name in ARRAYS:
        assert deviation(getattr(truth, name), together.tensors()[name]) < 6e-3
        assert deviation(getattr(truth, name), apart.tensors()[name]) < 6e-3
    assert together.tokens_read == apart.tokens_read == len(TOKENS)
    backend.close()


@pytest.mark.parametrize(
    ("strategy", "bound"),
    [
        ("cuda fp16 *2 -> cpu fp16", 0.02),
        ("cuda bf16 *2 -> cpu bf16", 0.1),
        ("cuda int8 *2 -> cpu int8", 0.15),
        ("cuda q4 *2 -> cpu q4", 1.0),
        ("cuda fp16 *1 -> cpu int8", 0.15),
        ("cuda q4 *1 -> cpu fp32", 1.0),
    ],
)
def test_all_types(checkpoint: Path, expected, strategy: str, bound: float) -> None:
    backend = load(checkpoint, strategy)
    logits, _ = expected
    read = backend.forward(TOKENS, backend.new_state(), all_logits=True)
    state = backend.new_state()
    steps = torch.stack([backend.forward([token], state) for token in TOKENS[:8]])
    assert deviation(logits, read) < bound
    assert deviation(read[:8].double().numpy(), steps) < bound / 2
    backend.close()


@pytest.mark.parametrize(("weights", "bound"), [("int8", 0.15), ("q4", 1.0)])
def test_models_that_are_not_narrow(tmp_path: Path, weights: str, bound: float) -> None:
    """Up to 256 wide the processor holds 16 bits whatever is asked for."""
    tensors = tiny_weights(vocab=96, width=320, layers=2, dtype=torch.bfloat16)
    torch.save(tensors, tmp_path / "wide.pth")
    truth = Reference(tensors)
    tokens = [token % 96 for token in TOKENS[:20]]
    logits = truth.forward(tokens, truth.new_state())
    backend = load(tmp_path / "wide.pth", f"cuda {weights} *1 -> cpu {weights}")
    assert deviation(logits, backend.forward(tokens, backend.new_state(), all_logits=True)) < bound
    state = backend.new_state()
    steps = torch.stack([backend.forward([token], state) for token in tokens])
    assert deviation(logits, steps) < bound
    backend.close()


def test_what_the_processor_packed_is_kept(checkpoint: Path, tmp_path: Path) -> None:
    files = PackedFiles(tmp_path, least_bytes=1)
    strategy = "cuda fp16 *2 -> cpu bf16"
    first = load(checkpoint, strategy, packed=files)
    first.settle()
    again = load(checkpoint, strategy, packed=files)
    assert not again._kept.is_writing, "it came from the file"
    logits = [one.forward(TOKENS, one.new_state()) for one in (first, again)]
    assert torch.equal(*logits)
    other = load(checkpoint, "cuda fp16 *1 -> cpu bf16", packed=files)
    assert other._kept.is_writing, "another cut is another end"
    for backend in (first, again, other):
        backend.close()


def test_pieces_are_the_whole(checkpoint: Path, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_card, "PIECE", 16)
    backend = load(checkpoint, "cuda fp16 *2 -> cpu fp32")
    logits, _ = expected
    seen: list[tuple[int, int]] = []
    state = backend.new_state()
    with pytest.raises(Cancelled):
        backend.forward(
            TOKENS,
            state,
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) == 2,
        )
    assert seen == [(16, 37), (32, 37)]
    assert state.tokens_read == 32
    whole = backend.new_state()
    last = backend.forward(TOKENS, whole)
    assert deviation(logits[-1], last) < 6e-3
    assert torch.equal(backend.forward(TOKENS[32:], state), last)
    assert torch.equal(state.wkv, whole.wkv)
    with pytest.raises(Cancelled):
        backend.forward(TOKENS, state, cancelled=lambda: True)
    assert torch.equal(state.wkv, whole.wkv)
    backend.close()


def test_a_failure_leaves_the_state(backend: SplitBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    state = backend.new_state()
    backend.forward(TOKENS[:5], state)
    before = state.clone()

    def full(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(backend._processor, "forward", full)
        with pytest.raises(MemoryError):
            backend.forward(TOKENS, state)
    assert torch.equal(state.wkv, before.wkv)
    assert state.tokens_read == before.tokens_read == 5
    assert torch.equal(backend.forward([7], state), backend.forward([7], before))


def test_a_state_that_was_away_goes_on_bit_for_bit(backend: SplitBackend) -> None:
    state = backend.new_state()
    backend.forward(TOKENS[:20], state)
    kept = state.clone().to("cpu")
    went = [backend.forward([token], state) for token in TOKENS[20:26]]
    back = backend.new_state()
    back.copy_from(kept)
    came = [backend.forward([token], back) for token in TOKENS[20:26]]
    assert all(torch.equal(x, y) for x, y in zip(went, came, strict=True))
    for name in ARRAYS:
        assert torch.equal(state.tensors()[name], back.tensors()[name])


def test_what_others_write_into_a_state_counts(backend: SplitBackend) -> None:
    state, other = backend.new_state(), backend.new_state()
    first = backend.forward([5], state)
    backend.forward([6], other)
    state.copy_from(other)
    assert torch.equal(backend.forward([7], state), backend.forward([7], other))
    state.copy_from(backend.new_state())
    assert torch.equal(backend.forward([5], state), first)
    state.wkv = torch.zeros_like(state.wkv)  # another array, in another order
    state.att_shift, state.ffn_shift = (torch.zeros_like(state.att_shift) for _ in range(2))
    with torch.inference_mode():
        assert torch.equal(backend.forward([5], state), first)


def test_chats_in_turns_and_batches(backend: SplitBackend) -> None:
    alone = [backend.new_state() for _ in range(2)]
    turns = [backend.new_state() for _ in range(2)]
    texts = TOKENS[:4], TOKENS[6:10]
    expected = [
        [backend.forward([t], s) for t in text] for text, s in zip(texts, alone, strict=True)
    ]
    got = [backend.forward_batch([[text[t]] for text in texts], turns) for t in range(4)]
    for row in range(2):
        assert all(torch.equal(expected[row][t], got[t][row]) for t in range(4))
        assert torch.equal(alone[row].wkv, turns[row].wkv)


def test_threads_change_nothing(checkpoint: Path) -> None:
    read = []
    for threads in (1, 2):
        backend = load(checkpoint, f"cuda int8 *2 -> cpu int8 @{threads}")
        assert backend.threads == threads
        backend.set_power_saving(True)
        read.append(backend.forward(TOKENS, backend.new_state()))
        backend.close()
    assert torch.equal(*read)


def test_loading_tells_how_far_it_is_and_stops(checkpoint: Path) -> None:
    seen: list[tuple[int, int]] = []
    load(checkpoint, "cuda int8 *2 -> cpu int8", progress=lambda *at: seen.append(at)).close()
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] == seen[0][1]
    with pytest.raises(Cancelled):
        load(checkpoint, "cuda int8 *2 -> cpu int8", cancelled=lambda: True)


def test_what_cannot_be_shared_is_refused(backend: SplitBackend, checkpoint: Path) -> None:
    library, shape = find_library(), backend.info.shape
    assert library is not None
    for text in ("cuda int8", "cpu int8", "cuda fp32 *1 -> cpu int8", "cuda int8 *4 -> cpu int8"):
        assert not serves(library, shape, Strategy.parse(text))
        with pytest.raises(UnsupportedStrategy):
            load(checkpoint, text)
    with pytest.raises(EngineError, match="empty"):
        backend.forward([], backend.new_state())
    with pytest.raises(EngineError, match="outside the vocabulary"):
        backend.forward([VOCAB], backend.new_state())
