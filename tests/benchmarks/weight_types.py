"""What fewer bits do to a model's words: greedy text and loss of each weight type beside fp32's.

    python -m tests.benchmarks.weight_types [MODEL] [--types int8,q4] [--chats 24] [--tokens 64]
        [--documents 200] [--seeds 1] [--json]

Chats ask held-out questions of the corpus, one after the other, until the model has written so
many tokens of its own, each time the likeliest. A chat counts as the same only if every token is.
Where one differs, it says which, and how close fp32's own choice was: the distance between its two
likeliest tokens, in standard deviations of all its logits. The loss is that of held-out documents.
Without a model it takes the built-in one. Everything runs on the native engine, with one thread.
"""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import torch

from engine.backends.cpu import CpuBackend
from engine.built_in import require_built_in
from engine.checkpoint import inspect
from engine.strategy import Strategy
from engine.templates import load_templates
from engine.tokenizer import Tokenizer
from engine.training.corpus.exchange import Probe
from engine.training.evaluate import TASKS, TEMPLATE, ChatWriter, corpus_skills, load, probes_of
from engine.training.measures import token_losses
from kernels.cpu.library import find_library


@dataclass(frozen=True, slots=True)
class Difference:
    """The first token of a chat that is another than fp32's."""

    chat: int
    token: int
    margin: float
    before: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Quality:
    """What one weight type did. loss, fp32_loss: nats a token; shift: their relative distance."""

    weights: str
    chats: int
    tokens: int
    differences: tuple[Difference, ...]
    loss: float
    fp32_loss: float
    loss_tokens: int

    @property
    def shift(self) -> float:
        """Return how far the loss is from fp32's, as a share of it."""
        return abs(self.loss / self.fp32_loss - 1)


@dataclass(frozen=True, slots=True)
class _Written:
    """A chat: what was written, and how sure fp32 was of each token."""

    tokens: tuple[int, ...]
    margins: tuple[float, ...]


class Comparison:
    """One model in fp32, its chats and its documents: what every other type is held against."""

    def __init__(self, model: Path, chats: int, tokens: int, documents: int, seed: int = 0) -> None:
        self._model = model
        self._tokenizer = _tokenizer(model)
        self._writer = ChatWriter(load_templates()[TEMPLATE], self._tokenizer)
        self._count = tokens
        skills = corpus_skills()
        self._chats = [
            [
                probes_of(task, skills, 1, random.Random(f"{seed} {i} {task.name}"))[0]
                for task in islice(cycle(TASKS), i, i + len(TASKS))
            ]
            for i in range(chats)
        ]
        rng = random.Random(f"{seed} documents")
        self._documents = [self._writer.document(skills.values(), rng) for _ in range(documents)]
        fp32 = self._load("fp32")
        self._written = [self._write(fp32, chat) for chat in self._chats]
        self._losses = self._loss(fp32)

    def of(self, weights: str, *, chats: bool = True) -> Quality:
        """Run everything in this type; or, without chats, only the documents."""
        backend = self._load(weights)
        pairs = zip(self._written, self._chats, strict=True)
        found = [
            self._difference(i, expected, self._write(backend, chat))
            for i, (expected, chat) in enumerate(pairs if chats else ())
        ]
        losses = self._loss(backend)
        return Quality(
            weights,
            len(self._chats),
            self._count,
            tuple(difference for difference in found if difference),
            float(losses.mean()),
            float(self._losses.mean()),
            losses.numel(),
        )

    def _load(self, weights: str) -> CpuBackend:
        library = find_library()
        assert library is not None, "build the library first"
        return CpuBackend(library, inspect(self._model), Strategy.parse(f"cpu {weights} @1"))

    def _loss(self, backend: CpuBackend) -> torch.Tensor:
        return torch.cat([token_losses(backend, tokens) for tokens in self._documents])

    def _write(self, backend: CpuBackend, probes: Sequence[Probe]) -> _Written:
        """Ask one question after the other until so many tokens are written."""
        state = backend.new_state()
        written: list[int] = []
        margins: list[float] = []
        for turn, probe in enumerate(cycle(probes)):
            logits = backend.forward(self._asked(probe, first=turn == 0), state)
            text = b""
            while len(written) < self._count:
                best, second = torch.topk(logits, 2).values.tolist()
                token = int(logits.argmax())
                written.append(token)
                margins.append((best - second) / float(logits.std()))
                text += self._tokenizer.token_bytes(token)
                if token == 0 or text.endswith(b"\n\n"):  # the reply is over; it is read as asked
                    break
                logits = backend.forward([token], state)
            if len(written) >= self._count:
                return _Written(tuple(written), tuple(margins))
        raise AssertionError("there is always another question")

    def _asked(self, probe: Probe, *, first: bool) -> list[int]:
        template = self._writer.template
        if first:
            return list(self._writer.prompt(probe, self._count).tokens)
        mode = "think" if probe.think else "off"
        text = template.turn(probe.question, mode, first=False)
        return self._tokenizer.encode(text) + self._tokenizer.encode(template.reply_start(mode))

    def _difference(self, chat: int, expected: _Written, got: _Written) -> Difference | None:
        pairs = zip(expected.tokens, got.tokens, strict=True)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if at is None:
            return None
        return Difference(
            chat,
            at,
            expected.margins[at],
            self._tokenizer.decode(list(expected.tokens[max(0, at - 12) : at])),
            self._tokenizer.decode([expected.tokens[at]]),
            self._tokenizer.decode([got.tokens[at]]),
        )


def _tokenizer(model: Path) -> Tokenizer:
    return load(model, "cpu fp32").tokenizer


def show(quality: Quality) -> None:
    """Print one type's line, and one for each chat that differs."""
    same = quality.chats - len(quality.differences)
    print(
        f"{quality.weights:5} {same} of {quality.chats} chats of {quality.tokens} tokens are the "
        f"same; loss {quality.loss:.5f}, fp32 {quality.fp32_loss:.5f}, {100 * quality.shift:.4f} % "
        f"apart, over {quality.loss_tokens:,} tokens"
    )
    for d in quality.differences:
        print(
            f"      chat {d.chat}, token {d.token}: {d.expected!r}, not {d.got!r}, after "
            f"{d.before!r}; {d.margin:.4f} between fp32's two likeliest"
        )


def main() -> None:
    """Compare every type that was asked for."""
    parser = argparse.ArgumentParser(description="Greedy text and loss beside fp32's.")
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--types", default="bf16,fp16,int8,q4")
    parser.add_argument("--chats", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=1, help="so many other sets of chats")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = options.model or require_built_in()
    for seed in range(options.seeds):
        comparison = Comparison(model, options.chats, options.tokens, options.documents, seed)
        for weights in options.types.split(","):
            quality = comparison.of(weights)
            if options.json:
                print(json.dumps({**asdict(quality), "shift": quality.shift, "seed": seed}))
            else:
                show(quality)


if __name__ == "__main__":
    main()
