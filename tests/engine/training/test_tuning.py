"""State tuning: the loss falls, answers change, and Chat starts with what was trained."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from engine.archive import StateArchive
from engine.errors import Cancelled, EngineError
from engine.events import Turn
from engine.folders import Folders
from engine.hardware import detect
from engine.model import Model, load_model
from engine.sampling_params import SamplingParams
from engine.session import Session
from engine.snapshot import Snapshot
from engine.state import State
from engine.store import Store
from engine.strategy import Strategy
from engine.training.descent import TuneOptions, TuneProgress, TuneResult, descend
from engine.training.examples import Encoder, Examples, batches
from engine.training.model import InitialState, TrainedModel
from engine.training.tuning import batch_loss, tune_state
from tests.engine.training.repeater import PIRATES, one_thread

Tuned = tuple[TrainedModel, State, TuneResult]


@pytest.fixture(scope="module")
def model(repeater_path: Path) -> Iterator[Model]:
    with one_thread():
        yield load_model(repeater_path, Strategy.parse("cpu fp32 @1"), detect(None))


def encoder(model: Model) -> Encoder:
    return Encoder(model.template, model.tokenizer)


def trained(model: Model) -> TrainedModel:
    return TrainedModel.from_checkpoint(model.info.path, dtype=torch.float32)


@pytest.fixture(scope="module")
def tuned(model: Model) -> Tuned:
    with_gradients = trained(model)
    rows = batches(Examples(PIRATES), encoder(model), 0)
    state, result = tune_state(with_gradients, rows, TuneOptions(learning_rate=1.0, steps=24))
    return with_gradients, state, result


def greedy(model: Model, question: str, state: State, tokens: int = 8) -> str:
    ids = [0, *model.tokenizer.encode(f"User: {question}\n\nAssistant:")]
    state = state.clone()
    logits = model.backend.forward(ids, state)
    answer = []
    for _ in range(tokens):
        answer.append(int(logits.argmax()))
        logits = model.backend.forward(answer[-1:], state)
    return model.tokenizer.decode(answer)


def test_the_loss_falls_and_the_greedy_answer_changes(model: Model, tuned: Tuned) -> None:
    _, state, result = tuned
    assert len(result.losses) == 24
    assert result.last_loss < result.first_loss / 3
    for word in ("hello", "think"):  # the second is in no example
        assert greedy(model, word, model.backend.new_state()).startswith(f" {word}\n\nUser")
        assert greedy(model, word, state).startswith(f" Arr {word}\n\nUser")


def test_only_the_state_is_trained(model: Model, tuned: Tuned) -> None:
    with_gradients, state, _ = tuned
    assert all(p.grad is None for p in with_gradients.parameters())
    fresh = trained(model).named_weights()
    for name, weight in with_gradients.named_weights().items():
        assert torch.equal(weight, fresh[name])
    assert state.tokens_read == 0
    assert not state.att_shift.any()
    assert not state.ffn_shift.any()
    assert all(layer.any() for layer in state.wkv)


def test_a_chat_starts_with_what_was_trained(model: Model, tuned: Tuned, folders: Folders) -> None:
    """Persona saved and loaded, Session, logits after the question: as the training read it."""
    with_gradients, state, _ = tuned
    row = encoder(model).chat(PIRATES[0])
    asked = int(row.weights.argmax()) + 1  # tokens before the answer
    with closing(Store(folders.database)) as store:
        with closing(StateArchive(folders.states, store)) as archive:
            archive.save_persona("Pirate", Snapshot(state), model.info.fingerprint)
            chat = store.create_conversation("c")
            question = store.add_node(chat.id, None, "user", "hello")
            reply = store.add_node(chat.id, question.id, "assistant", "", status="writing")
            sampling = SamplingParams(temperature=0.0, max_tokens=12)
            turn = Turn(reply.id, sampling, template=model.template.name, persona="Pirate")
            finished = Session(model, store, archive).run(turn, lambda _: None, lambda: False)
            persona = archive.load_persona("Pirate").state
        assert store.node(reply.id).text == " Arr hello"
    assert finished.stats.read_tokens == asked
    read = row.tokens[:asked]
    logits = model.backend.forward(read.tolist(), persona)
    with torch.no_grad():
        expected = with_gradients(torch.from_numpy(read)[None], InitialState(state.wkv))[0, -1]
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)


def test_rows_of_unlike_length_do_not_touch_each_other(model: Model) -> None:
    with_gradients, encode = trained(model), encoder(model)
    rows = [encode.chat(chat) for chat in PIRATES]
    with torch.no_grad():
        together = float(batch_loss(with_gradients, rows)[1])
        alone = [float(batch_loss(with_gradients, [row])[1]) for row in rows]
    weights = [float(row.weights.sum()) for row in rows]
    mean = sum(a * w for a, w in zip(alone, weights, strict=True)) / sum(weights)
    assert together == pytest.approx(mean, rel=1e-4)


class Square:
    """A number whose square is to become small."""

    def __init__(self, factor: float = 1.0) -> None:
        self.number = torch.tensor([3.0], requires_grad=True)
        self._factor = factor

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        loss = (self.number * self._factor).square().sum()
        return loss, loss


def test_progress_tells_how_long_it_will_take() -> None:
    square = Square()
    told: list[TuneProgress] = []
    descend([square.number], square, TuneOptions(0.1, steps=20), told.append)
    assert [progress.step for progress in told] == list(range(1, 21))
    assert told[-1].seconds_left == 0
    assert told[-1].loss < told[0].loss
    assert told[0].line().startswith("step 1/20  loss 9.0000  ")


def test_seconds_end_it() -> None:
    square = Square()
    result = descend([square.number], square, TuneOptions(0.1, seconds=0.05))
    assert result.seconds >= 0.05
    assert len(result.losses) > 1


def test_a_stop_stops() -> None:
    square, seen = Square(), []

    def progress(told: TuneProgress) -> None:
        seen.append(told.loss)

    with pytest.raises(Cancelled):
        descend(
            [square.number],
            square,
            TuneOptions(0.1, steps=100),
            progress,
            lambda: len(seen) == 3,
        )
    assert len(seen) == 3


def test_a_loss_that_is_no_number_is_told() -> None:
    square = Square(torch.nan)
    with pytest.raises(EngineError, match="not a number"):
        descend([square.number], square, TuneOptions(0.1, steps=3))


@pytest.mark.parametrize(
    "options",
    [
        TuneOptions(0.0),
        TuneOptions(float("nan")),
        TuneOptions(1.0, steps=-1),
        TuneOptions(1.0, seconds=0.0),
        TuneOptions(1.0, seconds=float("inf")),
    ],
)
def test_impossible_options_are_refused(options: TuneOptions) -> None:
    with pytest.raises(EngineError):
        options.validated()
