"""How good a model is at what the corpus teaches: held-out questions, answered and graded.

Knows the tasks with their bars, how a probe is written for a model and how the results are summed
up; knows nothing of how answers are graded (each probe brings its grader) or shown.

It runs where only torch, numpy and safetensors are installed: nothing here needs the hub, the
settings or the window.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from engine.backends.base import Backend, IsCancelled, Progress
from engine.checkpoint import inspect
from engine.errors import Cancelled, EngineError
from engine.model import load_backend
from engine.strategy import NATIVE_WEIGHTS, Strategy
from engine.templates import Template, load_templates
from engine.tokenizer import Tokenizer, WorldTokenizer, load_tokenizer
from engine.training.corpus.exchange import Exchange, Probe, Skill
from engine.training.lockstep import Lockstep, Prompt
from engine.training.measures import ReluZeros, token_losses

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPLATE = "gosling"
_DOCUMENT_TOKENS = 257
"""Of a held-out document so much is read for the losses: never one token alone at the end."""


@dataclass(frozen=True, slots=True)
class Task:
    """One row of the table. skill: the name of the skill whose probes count for it.

    bar: what share must be right, 0 to 1; None: more than the same questions without a thought.
    """

    name: str
    title: str
    skill: str
    bar: float | None
    max_tokens: int = 160


TASKS = (
    Task("memory", "remembers facts told up to 40 turns ago", "memory", 0.95),
    Task("corrections", "overwrites what was corrected, keeps the rest", "correction", 0.90),
    Task("app", "questions on this app in new words", "app knowledge", 0.90, 240),
    Task("arithmetic", "plus, minus, times below 100", "arithmetic", 0.90),
    Task("backwards", "spells a word backwards", "backwards", 0.90),
    Task("sorting", "sorts the letters of a word", "sorting", 0.90),
    Task("counting", "counts letters, words, things, numbers", "counting", 0.90),
    Task("copying", "copies a sentence", "copying", 0.90),
    Task("stories", "a story of a name, an animal and a place", "stories", 0.95, 500),
    Task("thinking", "two-step sums, thinking first", "thinking", None),
    Task("unknowable", "says that it cannot know", "unknown", 0.90),
)
"""All tasks, with the bars that a built-in model has to reach on held-out questions."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One question that was answered wrongly."""

    question: str
    expected: str
    answer: str
    thought: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How one task went. right_without: of the same questions answered without a thought."""

    task: Task
    right: int
    total: int
    failures: tuple[Failure, ...] = ()
    right_without: int | None = None

    @property
    def share(self) -> float:
        """Return what share was right, 0 to 1."""
        return self.right / self.total if self.total else 0.0

    @property
    def passed(self) -> bool:
        """Return whether the bar is reached; without a bar, whether thinking helped."""
        if self.task.bar is not None:
            return self.total > 0 and self.share >= self.task.bar
        return self.right > (self.right_without or 0)

    def as_dict(self) -> dict[str, Any]:
        """Return what is written to a file."""
        return {
            "task": self.task.name,
            "title": self.task.title,
            "right": self.right,
            "total": self.total,
            "bar": self.task.bar,
            "right_without_thought": self.right_without,
            "passed": self.passed,
            "failures": [
                {name: getattr(failure, name) for name in Failure.__slots__}
                for failure in self.failures
            ],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found.

    losses: nats of each token of held-out documents, fp32 [N]; zeros: share of zeros behind
    relu^2 in each layer, on the same documents (empty for backends that cannot be watched).
    """

    model: str
    fingerprint: str
    strategy: str
    seed: int
    tasks: tuple[TaskResult, ...]
    losses: "NDArray[np.float32]"
    zeros: tuple[float, ...]

    @property
    def passed(self) -> bool:
        """Return whether every task reached its bar."""
        return all(result.passed for result in self.tasks)

    @property
    def loss(self) -> float:
        """Return the mean loss per token in nats; NaN without documents."""
        return float(self.losses.mean()) if self.losses.size else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return what is written to a file: all but the single losses."""
        return {
            "model": self.model,
            "fingerprint": self.fingerprint,
            "strategy": self.strategy,
            "seed": self.seed,
            "passed": self.passed,
            "tasks": [result.as_dict() for result in self.tasks],
            "loss": self.loss if self.losses.size else None,
            "loss_tokens": int(self.losses.size),
            "zeros_after_relu2": list(self.zeros),
        }


class Evaluated(Protocol):
    """What is evaluated: a loaded model, or its two halves."""

    @property
    def backend(self) -> Backend:
        """Return the weights, ready to run."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer that the model was trained with."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A backend and its tokenizer, loaded without a plan: ``engine.model.Model`` in small."""

    backend: Backend
    tokenizer: Tokenizer


def load(path: Path, strategy: str = "auto") -> Loaded:
    """Load a model file. auto: fp16 on a CUDA card if there is one, else fp32 on the processor.

    A model whose folder holds no vocabulary has the built-in model's. Raises EngineError.
    """
    if strategy == "auto":
        strategy = "cuda fp16" if torch.cuda.is_available() else "cpu fp32"
    info = inspect(path)
    folder = info.path if info.path.is_dir() else info.path.parent
    if info.tokenizer in ("world", "gguf") or (folder / info.tokenizer).is_file():
        tokenizer = load_tokenizer(info)
    else:
        tokenizer = built_in_tokenizer(info.shape.vocab)
    where = Strategy.parse(strategy)
    # torch shows the zeros of each layer; what only the native engine runs goes without them
    native = where.native_weights in NATIVE_WEIGHTS
    return Loaded(load_backend(info, where, native=native), tokenizer)


def built_in_tokenizer(rows: int) -> Tokenizer:
    """Return the built-in model's tokenizer for a model with so many rows in its vocabulary.

    Raises EngineError when the model cannot have been trained with it.
    """
    place = resources.files("resources").joinpath("models", "gosling", "vocabulary.txt")
    tokenizer = WorldTokenizer.load(Path(str(place)))
    if tokenizer.vocab_size > rows:
        raise EngineError(
            f"The model has {rows} tokens, but the built-in vocabulary {tokenizer.vocab_size}.",
            "Put the vocabulary.txt that the model was trained with beside it.",
        )
    return tokenizer


def evaluate(
    model: Evaluated | Path,
    *,
    tasks: Sequence[Task] = TASKS,
    skills: Mapping[str, Skill] | None = None,
    per_task: int = 200,
    seed: int = 0,
    rows: int = 64,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> Report:
    """Ask held-out questions of each task, and measure losses and zeros on held-out documents.

    skills: by name; None: those of the corpus. rows: replies that are written together. progress:
    replies done and in all. Raises EngineError for a task without a skill, Cancelled.
    """
    subject = load(model) if isinstance(model, Path) else model
    by_name = corpus_skills() if skills is None else skills
    writer = ChatWriter(load_templates()[TEMPLATE], subject.tokenizer)
    asked = [
        (task, probe)
        for task in tasks
        for probe in probes_of(task, by_name, per_task, random.Random(f"{seed} {task.name}"))
    ]
    lockstep = Lockstep(
        subject.backend,
        subject.tokenizer,
        writer.template.stops,
        writer.template.stop_tokens,
        _unused(subject),
        rows,
    )
    prompts = [writer.prompt(probe, task.max_tokens) for task, probe in asked]
    replies = lockstep.replies(prompts, progress, cancelled)
    rng = random.Random(f"{seed} documents")
    documents = [writer.document(by_name.values(), rng) for _ in range(max(4, per_task // 4))]
    losses, zeros = measure(subject.backend, documents, cancelled)
    return Report(
        subject.backend.info.name,
        subject.backend.info.fingerprint,
        str(subject.backend.strategy),
        seed,
        _summed_up(tasks, asked, replies, writer.template),
        losses,
        zeros,
    )


def corpus_skills() -> dict[str, Skill]:
    """Return the skills of the corpus by their names."""
    from engine.training.corpus import mixture

    return mixture.skills()


def find_tasks(names: Sequence[str]) -> tuple[Task, ...]:
    """Return tasks by name; none named: all. Raises EngineError for a name that is none."""
    known = {task.name: task for task in TASKS}
    for name in names:
        if name not in known:
            raise EngineError(f"There is no task '{name}'.", f"The tasks are: {', '.join(known)}.")
    return tuple(known[name] for name in names) or TASKS


def probes_of(
    task: Task, skills: Mapping[str, Skill], count: int, rng: random.Random
) -> list[Probe]:
    """Return the questions of a task. What is thought about is asked a second time without.

    Raises EngineError when the skill is missing.
    """
    if task.skill not in skills:
        raise EngineError(
            f"The task '{task.name}' cannot be tested: there is no skill '{task.skill}'.",
            "Leave it out with --tasks.",
        )
    probes = [skills[task.skill].probe(rng) for _ in range(count)]
    return probes + [replace(probe, think=False) for probe in probes if probe.think]


class ChatWriter:
    """Writes probes and documents as tokens, piece by piece as a chat in the window does."""

    def __init__(self, template: Template, tokenizer: Tokenizer) -> None:
        self.template = template
        self._tokenizer = tokenizer
        begun = template.think_open[:1].encode()
        self._thinking_begins = tuple(
            token
            for token in range(1, tokenizer.vocab_size)
            if begun and tokenizer.token_bytes(token).lstrip().startswith(begun)
        )

    def prompt(self, probe: Probe, max_tokens: int) -> Prompt:
        """Return a probe up to where the reply goes on.

        Without a thought, the reply may not begin with one: the same question can have both.
        """
        mode = "think" if probe.think else "off"
        tokens = self._chat(probe.context)
        tokens += self._encode(self.template.turn(probe.question, mode, not probe.context))
        tokens += self._encode(self.template.reply_start(mode))
        return Prompt(tuple(tokens), max_tokens, () if probe.think else self._thinking_begins)

    def document(self, skills: Iterable[Skill], rng: random.Random) -> tuple[int, ...]:
        """Return the beginning of a chat about held-out content of skills drawn by chance."""
        drawn = rng.choices(list(skills), k=6)
        tokens = self._chat([skill.exchange(rng, held=True) for skill in drawn])
        return tuple(tokens[:_DOCUMENT_TOKENS])

    def _chat(self, exchanges: Sequence[Exchange]) -> list[int]:
        """Return id 0 and whole exchanges."""
        tokens = [0]
        for i, exchange in enumerate(exchanges):
            tokens += self._encode(self.template.turn(exchange.user, "off", i == 0))
            tokens += self._encode(self._reply(exchange))
        return tokens

    def _reply(self, exchange: Exchange) -> str:
        if not exchange.thought:
            return self.template.reply(exchange.assistant)
        opened, closed = self.template.think_open, self.template.think_close
        return f" {opened}\n{exchange.thought}\n{closed}\n{exchange.assistant}"

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text)


def measure(
    backend: Backend, documents: Sequence[Sequence[int]], cancelled: IsCancelled | None = None
) -> "tuple[NDArray[np.float32], tuple[float, ...]]":
    """Return the losses of all tokens of documents, fp32 [N], and the zeros of each layer.

    Raises Cancelled.
    """
    losses: list[NDArray[np.float32]] = []
    with ReluZeros(backend.info.shape.layers) as zeros:
        for tokens in documents:
            if cancelled is not None and cancelled():
                raise Cancelled
            losses.append(token_losses(backend, tokens).numpy())
    return np.concatenate(losses), zeros.shares()


def _unused(subject: Evaluated) -> list[int]:
    """Return the ids that no text has."""
    tokenizer = subject.tokenizer
    return [
        token
        for token in range(1, subject.backend.info.shape.vocab)
        if token >= tokenizer.vocab_size or not tokenizer.token_bytes(token)
    ]


def _summed_up(
    tasks: Sequence[Task],
    asked: Sequence[tuple[Task, Probe]],
    replies: Sequence[str],
    template: Template,
) -> tuple[TaskResult, ...]:
    graded = [
        (task, probe, graded_reply(probe, reply, template))
        for (task, probe), reply in zip(asked, replies, strict=True)
    ]
    return tuple(
        _result(task, [(probe, failure) for of, probe, failure in graded if of is task])
        for task in tasks
    )


def graded_reply(probe: Probe, reply: str, template: Template) -> Failure | None:
    """Return None for a right reply, else what went wrong.

    A reply that was to think first and did not is wrong.
    """
    text = template.reply_start("think") + reply if probe.think else reply
    parts = template.split_thinking(text, done=True)
    answer = parts.answer.strip()
    if probe.grade(answer) and (parts.thought or not probe.think):
        return None
    return Failure(probe.question, probe.expected, answer, parts.thought)


def _result(task: Task, graded: Sequence[tuple[Probe, Failure | None]]) -> TaskResult:
    """Sum one task up. Where some questions were thought about, the others are the comparison."""
    thinks = any(probe.think for probe, _ in graded)
    counted = [failure for probe, failure in graded if probe.think == thinks]
    others = [failure for probe, failure in graded if probe.think != thinks]
    return TaskResult(
        task,
        right=counted.count(None),
        total=len(counted),
        failures=tuple(failure for failure in counted if failure is not None),
        right_without=others.count(None) if thinks else None,
    )
