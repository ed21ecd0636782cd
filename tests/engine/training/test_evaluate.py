"""Evaluation with a tiny model of random weights, and with graders that are told the answers."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import Cancelled, EngineError
from engine.templates import load_templates
from engine.training import evaluate as module
from engine.training.corpus.copying import Copying
from engine.training.corpus.counting import Counting
from engine.training.corpus.exchange import Exchange, Probe, Skill
from engine.training.corpus.graders import Exactly, LastNumber
from engine.training.corpus.sums import TwoStepSums
from engine.training.evaluate import (
    TASKS,
    ChatWriter,
    Loaded,
    Task,
    TaskResult,
    evaluate,
    find_tasks,
    graded_reply,
    probes_of,
)
from engine.training.lockstep import Lockstep, Prompt
from engine.training.measures import ReluZeros, token_losses
from tests.tiny import write_tiny_pth

ROWS = 320
TEMPLATE = load_templates()[module.TEMPLATE]
SKILLS: dict[str, Skill] = {
    "counting": Counting(),
    "copying": Copying(),
    "thinking": TwoStepSums(),
}
SHORT = tuple(replace(task, max_tokens=6) for task in find_tasks(list(SKILLS)))


def write_small_vocabulary(path: Path) -> None:
    """All bytes, an empty line, an opener and some words, as Gosling's has them."""
    words = b"\n\n| <think|User:| the| apple| how| many".split(b"|")
    tokens = [*(bytes((byte,)) for byte in range(256)), *words]
    lines = (f"{i} {token!r} {len(token)}\n" for i, token in enumerate(tokens, 1))
    path.write_text("".join(lines), "utf-8")


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    write_small_vocabulary(folder / "vocabulary.txt")
    return write_tiny_pth(folder / "model.pth", width=64, vocab=ROWS)


@pytest.fixture(scope="module")
def model(model_path: Path) -> Iterator[Loaded]:
    loaded = module.load(model_path, "cpu fp32")
    yield loaded
    loaded.backend.close()


# Without the bytes that are no text by themselves, a random model writes what can be read.
NO_TEXT = (*range(1, 33), *range(128, 257), *range(264, ROWS))


def lockstep(model: Loaded, rows: int, unused: tuple[int, ...] = ()) -> Lockstep:
    forbidden = NO_TEXT + unused
    return Lockstep(model.backend, model.tokenizer, TEMPLATE.stops, (0,), forbidden, rows)


def prompts(model: Loaded, count: int) -> list[Prompt]:
    writer = ChatWriter(TEMPLATE, model.tokenizer)
    rng = random.Random(1)
    skills = list(SKILLS.values())
    return [writer.prompt(skills[i % 3].probe(rng), 5 + i % 7) for i in range(count)]


def test_rows_together_write_what_each_writes_alone(model: Loaded):
    asked = prompts(model, 9)
    alone = lockstep(model, 1).replies(asked)
    seen: list[tuple[int, int]] = []
    together = lockstep(model, 4).replies(asked, lambda *done: seen.append(done))
    assert together == alone
    assert seen == [(i, 9) for i in range(1, 10)]


def test_a_reply_ends_at_its_limit_and_never_has_what_is_forbidden(model: Loaded):
    prompt = prompts(model, 1)[0]
    usual = lockstep(model, 1).replies([replace(prompt, max_tokens=1)])[0]
    drawn = model.tokenizer.encode(usual)
    assert len(drawn) == 1, usual
    other = lockstep(model, 1, tuple(drawn)).replies([replace(prompt, max_tokens=1)])[0]
    at_first = replace(prompt, max_tokens=1, not_at_first=tuple(drawn))
    assert usual != other == lockstep(model, 1).replies([at_first])[0]


def test_a_reply_ends_before_a_stop(model: Loaded):
    prompt = replace(prompts(model, 1)[0], max_tokens=8)
    text = lockstep(model, 1).replies([prompt])[0]
    stops = Lockstep(model.backend, model.tokenizer, (text[3:5],), (0,), NO_TEXT)
    assert stops.replies([prompt]) == [text[: text.find(text[3:5])]]


def test_a_stopped_evaluation_stops(model: Loaded):
    with pytest.raises(Cancelled):
        evaluate(model, tasks=SHORT, skills=SKILLS, per_task=2, cancelled=lambda: True)


def test_a_report_of_a_model_that_knows_nothing(model: Loaded):
    report = evaluate(model, tasks=SHORT, skills=SKILLS, per_task=2, seed=1)
    assert [(result.task.name, result.total) for result in report.tasks] == [
        ("counting", 2),
        ("copying", 2),
        ("thinking", 2),
    ]
    assert not report.passed
    assert all(len(result.failures) == 2 - result.right for result in report.tasks)
    assert report.tasks[2].right_without is not None
    assert report.losses.dtype == np.float32
    assert report.losses.size > 500
    assert 3 < report.loss < 12
    assert len(report.zeros) == 2
    assert all(0.2 < share < 0.8 for share in report.zeros)
    again = evaluate(model, tasks=SHORT, skills=SKILLS, per_task=2, seed=1, rows=3)
    assert again.as_dict() == report.as_dict()


def test_a_path_is_loaded(model_path: Path):
    one = (replace(SHORT[1], max_tokens=2),)
    report = evaluate(model_path, tasks=one, skills=SKILLS, per_task=1)
    assert report.model == "model"
    assert report.strategy in ("cpu fp32", "cuda fp16")


def test_a_model_of_another_vocabulary_is_refused(tmp_path: Path):
    path = write_tiny_pth(tmp_path / "other.pth", width=64, vocab=100)
    with pytest.raises(EngineError):
        module.load(path, "cpu fp32")


def test_losses_are_those_of_reading_token_by_token(model: Loaded):
    tokens = [0, *model.tokenizer.encode("User: how many the apple")]
    state = model.backend.new_state()
    expected = []
    for token, following in pairwise(tokens):
        logits = model.backend.forward([token], state)
        expected.append(float(torch.logsumexp(logits, -1) - logits[following]))
    assert token_losses(model.backend, tokens).tolist() == pytest.approx(expected, abs=1e-3)


def test_zeros_are_counted_layer_by_layer():
    with ReluZeros(2) as zeros:
        for values in ([-1.0, 1.0], [-1.0, -1.0], [-1.0, 2.0, 3.0, 4.0], [5.0, 6.0]):
            torch.relu(torch.tensor(values))
        assert torch.relu(torch.tensor([1.0])).item() == 1
    torch.relu(torch.tensor([-1.0]))
    assert zeros.shares() == (2 / 7, 2 / 4)
    assert ReluZeros(2).shares() == ()


def test_a_prompt_is_the_text_of_the_corpus(model: Loaded):
    writer = ChatWriter(TEMPLATE, model.tokenizer)
    context = (Exchange("Hello!", "Hi."), Exchange("1 + 2?", "3.", "1 + 2 = 3"))
    probe = Probe("x", context, "How many?", "4", LastNumber(4))
    text = (
        "User: Hello!\n\nAssistant: Hi.\n\nUser: 1 + 2?\n\nAssistant: <think>\n1 + 2 = 3\n"
        "</think>\n3.\n\nUser: How many?\n\nAssistant:"
    )
    prompt = writer.prompt(probe, 10)
    assert prompt.tokens[0] == 0
    assert model.tokenizer.decode(prompt.tokens) == text
    assert prompt.tokens[1:] == tuple(model.tokenizer.encode(text))
    thinking = writer.prompt(replace(probe, think=True), 10)
    assert model.tokenizer.decode(thinking.tokens) == text + " <think"
    assert thinking.not_at_first == ()
    forbidden = {model.tokenizer.token_bytes(token) for token in prompt.not_at_first}
    assert forbidden == {b"<", b" <think"}


def test_replies_are_taken_apart_before_they_are_graded():
    plain = Probe("x", (), "?", "7", Exactly("7"))
    assert graded_reply(plain, " 7\n", TEMPLATE) is None
    assert graded_reply(plain, " 8", TEMPLATE) is not None
    thinking = replace(plain, think=True)
    assert graded_reply(thinking, ">\n3 + 4 = 7\n</think>\n7", TEMPLATE) is None
    without = graded_reply(thinking, ">\n</think>\n7", TEMPLATE)
    assert without is not None
    unended = graded_reply(thinking, ">\n3 + 4 = 7", TEMPLATE)
    assert unended is not None
    assert (unended.answer, unended.thought) == ("", "3 + 4 = 7")


def test_what_is_thought_about_is_asked_without_a_thought_as_well():
    task = find_tasks(["thinking"])[0]
    probes = probes_of(task, SKILLS, 3, random.Random(0))
    assert [probe.think for probe in probes] == [True] * 3 + [False] * 3
    assert [probe.question for probe in probes[:3]] == [probe.question for probe in probes[3:]]


def test_bars():
    task = Task("t", "", "t", 0.9)
    assert TaskResult(task, 18, 20).passed
    assert not TaskResult(task, 17, 20).passed
    assert not TaskResult(task, 0, 0).passed
    thinking = replace(task, bar=None)
    assert TaskResult(thinking, 15, 20, right_without=14).passed
    assert not TaskResult(thinking, 15, 20, right_without=15).passed


def test_tasks_are_found_by_name():
    assert find_tasks([]) == TASKS
    assert [task.name for task in find_tasks(["copying", "memory"])] == ["copying", "memory"]
    with pytest.raises(EngineError, match="knitting"):
        find_tasks(["knitting"])
    with pytest.raises(EngineError, match="no skill"):
        probes_of(TASKS[0], SKILLS, 1, random.Random(0))
