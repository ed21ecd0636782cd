"""The engine for cards, run by the emulator: against the equations, however the text is cut."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import ref

import pytest
import torch

from engine.backends.base import HostWriter, Writer
from engine.backends.card_source import FileSource
from engine.backends.cuda import CudaBackend, serves, sizes_of
from engine.backends.graphs import NoGraphs
from engine.checkpoint import ModelShape, Ranks, inspect, open_checkpoint
from engine.errors import Cancelled, EngineError, NotEnoughMemory, StateMismatch
from engine.generate import Generation
from engine.needs import card_workspace_bytes
from engine.plan import RELEASED
from engine.sampling import Sampler
from engine.sampling_params import SamplingParams
from engine.state import State
from engine.strategy import Strategy
from kernels.cuda import prefill_room
from tests.kernels.cuda.emulator.emulator import EmulatedPrograms
from tests.reference import Reference, deviation
from tests.tiny import tiny_weights

VOCAB = 320
TOKENS = [int(t) for t in torch.randint(1, 300, (45,), generator=torch.Generator().manual_seed(3))]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.pth"
    torch.save(tiny_weights(vocab=VOCAB, dtype=torch.bfloat16, layers=2), path)
    return path


def load(path: Path, strategy: str = "cuda fp16") -> CudaBackend:
    programs = EmulatedPrograms()
    with open_checkpoint(path) as file:
        source = FileSource(file, programs.device)
        return CudaBackend(inspect(path), Strategy.parse(strategy), source, programs, NoGraphs())


@pytest.fixture(scope="module")
def backend(checkpoint: Path) -> Iterator[CudaBackend]:
    backend = load(checkpoint)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def expected(checkpoint: Path):
    truth = Reference(torch.load(checkpoint, weights_only=True))
    state = truth.new_state()
    return truth.forward(TOKENS, state), state


def test_logits_and_state_are_those_of_the_equations(backend: CudaBackend, expected) -> None:
    logits, truth = expected
    together, apart = backend.new_state(), backend.new_state()
    read = backend.forward(TOKENS, together, all_logits=True)
    steps = torch.stack([backend.forward([token], apart) for token in TOKENS])
    assert read.dtype == steps.dtype == torch.float32
    assert deviation(logits, read) < 6e-3
    assert deviation(logits, steps) < 6e-3
    for name in ("att_shift", "wkv", "ffn_shift"):
        assert deviation(getattr(truth, name), together.tensors()[name]) < 6e-3
        assert deviation(getattr(truth, name), apart.tensors()[name]) < 6e-3
    assert together.tokens_read == apart.tokens_read == len(TOKENS)


@pytest.mark.parametrize(("weights", "bound"), [("int8", 0.15), ("q4", 1.0), ("bf16", 0.1)])
def test_other_types_are_near(checkpoint: Path, expected, weights: str, bound: float) -> None:
    backend = load(checkpoint, f"cuda {weights}")
    logits, _ = expected
    read = backend.forward(TOKENS, backend.new_state(), all_logits=True)
    state = backend.new_state()
    steps = torch.stack([backend.forward([token], state) for token in TOKENS[:12]])
    assert deviation(logits, read) < bound
    assert deviation(read[:12].double().numpy(), steps) < bound / 4
    backend.close()


@pytest.mark.parametrize("cuts", [[1], [17, 18], [2, 30, 44]])
def test_cut_anywhere_is_nearly_the_same(backend: CudaBackend, cuts: list[int]) -> None:
    whole, state = backend.new_state(), backend.new_state()
    expected = backend.forward(TOKENS, whole)
    parts = zip([0, *cuts], [*cuts, len(TOKENS)], strict=True)
    logits = [backend.forward(TOKENS[start:end], state) for start, end in parts][-1]
    assert deviation(expected.double().numpy(), logits) < 6e-3
    assert deviation(whole.wkv.double().numpy(), state.wkv) < 6e-3


def test_the_same_call_gives_the_same_bits(backend: CudaBackend) -> None:
    first, second = backend.new_state(), backend.new_state()
    assert torch.equal(backend.forward(TOKENS, first), backend.forward(TOKENS, second))
    assert torch.equal(backend.forward([5], first), backend.forward([5], second))
    assert torch.equal(first.wkv, second.wkv)


def test_a_state_that_was_away_goes_on_bit_for_bit(backend: CudaBackend) -> None:
    state = backend.new_state()
    backend.forward(TOKENS[:20], state)
    kept = state.clone().to("cpu")
    went = [backend.forward([token], state) for token in TOKENS[20:26]]
    back = backend.new_state()
    back.copy_from(kept)
    came = [backend.forward([token], back) for token in TOKENS[20:26]]
    assert all(torch.equal(x, y) for x, y in zip(went, came, strict=True))
    assert torch.equal(state.wkv, back.wkv)


def test_chats_in_turns_do_not_disturb_each_other(backend: CudaBackend) -> None:
    alone = [backend.new_state() for _ in range(2)]
    turns = [backend.new_state() for _ in range(2)]
    texts = TOKENS[:6], TOKENS[6:12]
    expected = [
        [backend.forward([t], s) for t in text] for text, s in zip(texts, alone, strict=True)
    ]
    got = [[backend.forward([texts[i][t]], turns[i]) for i in range(2)] for t in range(6)]
    for row in range(2):
        assert all(torch.equal(expected[row][t], got[t][row]) for t in range(6))
        assert torch.equal(alone[row].wkv, turns[row].wkv)


@pytest.mark.parametrize("count", [2, 3, 17])
def test_batch_rows_are_the_single_rows(backend: CudaBackend, count: int) -> None:
    states = [backend.new_state() for _ in range(count)]
    for i, state in enumerate(states[:3]):
        backend.forward(TOKENS[: 2 + i], state)
    single = [state.clone() for state in states]
    for ids in (range(5, 5 + count), range(9, 9 + count)):
        batch = backend.forward_batch([[token] for token in ids], states)
        for row in sorted({0, 1, count - 1}):
            logits = backend.forward([ids[row]], single[row])
            assert deviation(logits.double().numpy(), batch[row]) < 6e-3
            assert deviation(single[row].wkv.double().numpy(), states[row].wkv) < 6e-3
            assert states[row].tokens_read == single[row].tokens_read


def test_rows_join_leave_and_read_alone(backend: CudaBackend) -> None:
    states = [backend.new_state() for _ in range(4)]
    single = [backend.new_state() for _ in range(4)]
    steps = ([0, 1, 2], [2, 1], [1], [3, 0, 1, 2])
    for turn, rows in enumerate(steps):
        batch = backend.forward_batch([[20 + turn + i] for i in rows], [states[i] for i in rows])
        for place, i in enumerate(rows):
            logits = backend.forward([20 + turn + i], single[i])
            assert deviation(logits.double().numpy(), batch[place]) < 6e-3
    mixed = backend.forward_batch([TOKENS[:3], [7]], states[:2])
    assert mixed.shape == (2, VOCAB)


@pytest.fixture
def in_pieces(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CudaBackend]:
    """One that reads 16 tokens at once, at most."""
    monkeypatch.setattr(prefill_room, "MOST_NUMBERS", 16 * 128)
    backend = load(checkpoint)
    yield backend
    backend.close()


def test_stopping_between_pieces_keeps_what_was_read(in_pieces: CudaBackend) -> None:
    seen: list[tuple[int, int]] = []
    state = in_pieces.new_state()
    with pytest.raises(Cancelled):
        in_pieces.forward(
            TOKENS,
            state,
            progress=lambda done, total: seen.append((done, total)),
            cancelled=lambda: len(seen) == 2,
        )
    assert seen == [(17, 45), (33, 45)]  # a chat's first token is read by a step of its own
    assert state.tokens_read == 33
    whole = in_pieces.new_state()
    expected = in_pieces.forward(TOKENS, whole)
    assert torch.equal(in_pieces.forward(TOKENS[33:], state), expected)
    assert torch.equal(state.wkv, whole.wkv)
    with pytest.raises(Cancelled):
        in_pieces.forward(TOKENS, state, cancelled=lambda: True)
    assert torch.equal(state.wkv, whole.wkv)


def test_full_memory_while_reading_is_said_and_leaves_the_state(
    in_pieces: CudaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = in_pieces.new_state()
    in_pieces.forward(TOKENS[:5], state)
    before = state.clone()

    def full(*_: object, **__: object) -> None:
        in_pieces._slots.wkv.fill_(7.0)  # half done
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(in_pieces._prefill, "read", full)
    with pytest.raises(NotEnoughMemory, match="memory is full") as caught:
        in_pieces.forward(TOKENS, state)
    assert caught.value.suggestion == "cuda int8"
    assert torch.equal(state.wkv, before.wkv)
    assert state.tokens_read == before.tokens_read == 5


def test_wrong_tokens_and_states_are_refused(backend: CudaBackend) -> None:
    with pytest.raises(EngineError, match="empty"):
        backend.forward([], backend.new_state())
    with pytest.raises(EngineError, match="outside the vocabulary"):
        backend.forward([VOCAB], backend.new_state())
    other = State(torch.zeros(1, 64), torch.zeros(1, 1, 64, 64), torch.zeros(1, 64))
    with pytest.raises(StateMismatch, match="att_shift"):
        backend.forward([1], other)


class Letters:
    """A tokenizer whose tokens are single letters."""

    vocab_size = VOCAB

    def token_bytes(self, token: int) -> bytes:
        return bytes([97 + token % 26])

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


@pytest.mark.parametrize("params", [SamplingParams(temperature=0), SamplingParams(seed=2)])
def test_a_reply_is_written_as_by_hand(backend: CudaBackend, params: SamplingParams) -> None:
    state = backend.new_state()
    logits = backend.forward(TOKENS, state)
    by_hand, sampler = state.clone(), Sampler(params, VOCAB)
    tokens, own = [], logits.clone()
    for _ in range(9):
        tokens.append(sampler.sample(own.numpy()))
        own = backend.forward([tokens[-1]], by_hand)
    drawer = Sampler(params, VOCAB)
    generation = Generation(
        backend,
        Letters(),  # type: ignore[arg-type]
        drawer,
        state,
        logits,
        stop_tokens=(),
        max_tokens=9,
    )
    list(generation.run(lambda: False))
    assert generation.tokens == tokens
    assert torch.equal(generation.logits, own)
    assert torch.equal(generation.state.wkv, by_hand.wkv)
    if params.seed is not None:
        assert drawer.save().rng_json == sampler.save().rng_json
    assert state.tokens_read == by_hand.tokens_read


def another_steps(backend: CudaBackend, _state: State, other: State) -> None:
    backend.forward([7], other)


def another_reads(backend: CudaBackend, _state: State, other: State) -> None:
    backend.forward([7, 8, 9], other)


def it_reads_more(backend: CudaBackend, state: State, _other: State) -> None:
    backend.forward([7], state)


def it_is_a_row(backend: CudaBackend, state: State, other: State) -> None:
    backend.forward_batch([[5], [6]], [state, other])


def it_is_written(_backend: CudaBackend, state: State, _other: State) -> None:
    state.wkv.mul_(0.5)


def it_is_exchanged(_backend: CudaBackend, state: State, _other: State) -> None:
    state.ffn_shift = state.ffn_shift * 0.5


def it_is_looked_at(_backend: CudaBackend, state: State, _other: State) -> None:
    state.clone()


BETWEEN = [
    *(another_steps, another_reads, it_reads_more, it_is_a_row),
    *(it_is_written, it_is_exchanged, it_is_looked_at),
]


@pytest.mark.parametrize("draws_first", [True, False])
@pytest.mark.parametrize("between", BETWEEN)
def test_whatever_comes_between_steps_one_of_which_is_ahead(
    backend: CudaBackend,
    between: Callable[[CudaBackend, State, State], None],
    draws_first: bool,
) -> None:
    def written(writer: Writer) -> tuple[list[int], State]:
        state, other, tokens = backend.new_state(), backend.new_state(), []
        logits = backend.forward(TOKENS, state)
        for i in range(6):
            if i % 2 and not draws_first:
                between(backend, state, other)
            tokens.append(writer.draw(logits))
            if i % 2 and draws_first:
                between(backend, state, other)
            logits = writer.read(tokens[-1], state)
        return tokens, state

    params = SamplingParams(seed=3, top_p=0.9)
    expected, truth = written(HostWriter(backend, Sampler(params, VOCAB)))
    tokens, state = written(backend.writer(Sampler(params, VOCAB)))
    assert tokens == expected
    assert all(torch.equal(t, truth.tensors()[name]) for name, t in state.tensors().items())
    assert state.tokens_read == truth.tokens_read


def test_a_token_that_ends_a_reply_was_not_read(backend: CudaBackend) -> None:
    state = backend.new_state()
    writer = backend.writer(Sampler(SamplingParams(seed=3), VOCAB))
    logits = writer.read(writer.draw(backend.forward(TOKENS, state)), state)
    before = state.clone()
    writer.draw(logits)  # and a step has read it
    assert all(torch.equal(t, before.tensors()[name]) for name, t in state.tensors().items())
    backend.forward([7], state)
    backend.forward([7], before)
    assert torch.equal(state.wkv, before.wkv)


class Forgetful:
    """Repeats nothing, as a graph on a card: what was recorded is not kept by it."""

    def captured(self, work):
        work()
        return lambda: None


def test_closing_gives_the_weights_back_without_a_collection(checkpoint: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        programs = EmulatedPrograms()
        with open_checkpoint(checkpoint) as file:
            source = FileSource(file, programs.device)
            strategy = Strategy.parse("cuda fp16")
            closed: list[bool] = []
            backend = CudaBackend(
                *(inspect(checkpoint), strategy, source, programs, Forgetful()),
                closing=lambda: closed.append(head() is None),
            )
        backend.forward(TOKENS, backend.new_state())
        head = ref(backend._weights.head.data)
        for _ in range(2):
            backend.close()
        assert closed == [True]
    finally:
        gc.enable()


def test_what_it_serves() -> None:
    strategy = Strategy.parse("cuda int8")
    for label in ("0.1b", "1.5b", "2.9b", "7.2b", "13.3b"):
        assert serves(ModelShape.released(label), strategy)
    assert serves(ModelShape(4, 256, 1024, 2304, 64, Ranks(32, 32, 32, 64)), strategy)
    assert not serves(ModelShape(2, 128, 512, 320, 32, Ranks(16, 24, 8, 32)), strategy)
    assert not serves(ModelShape.released("0.1b"), Strategy.parse("cuda fp32"))
    assert not serves(ModelShape.released("0.1b"), Strategy.parse("cuda fp16 *3 -> cpu fp16"))


def test_resident_bytes_are_those_of_the_weights(checkpoint: Path) -> None:
    info = inspect(checkpoint)
    backend = load(checkpoint)
    assert backend.resident_bytes == pytest.approx(2 * info.parameters, rel=0.06)
    backend.close()
    gc.collect()


@pytest.mark.parametrize("label", RELEASED)
@pytest.mark.parametrize("weights", ["fp16", "int8"])
def test_the_planned_workspace_is_what_reading_takes(label: str, weights: str) -> None:
    shape = ModelShape.released(label)
    expanded = 0 if weights == "fp16" else shape.width * shape.ffn
    taken = prefill_room.room_bytes(sizes_of(shape), expanded)
    assert card_workspace_bytes(shape, weights) == pytest.approx(taken, rel=0.05)
    assert taken < 300e6
