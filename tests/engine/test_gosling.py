"""The built-in model itself: it answers, its state carries what it was told, it can be tuned."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.archive import StateArchive
from engine.built_in import built_in_model, is_built_in, require_built_in
from engine.checkpoint import inspect
from engine.errors import EngineError
from engine.events import Turn
from engine.folders import Folders
from engine.hardware import detect
from engine.model import Model, load_model
from engine.sampling_params import SamplingParams
from engine.session import Session
from engine.store import Store
from engine.strategy import Strategy
from engine.training.corpus.names import person
from engine.training.evaluate import TASKS, evaluate
from engine.vocabulary import read_vocabulary

GREEDY = SamplingParams(temperature=0.0, max_tokens=60)
EXAMPLES = Path(__file__).parent / "training" / "pirate.jsonl"

OFFLINE = """
import socket, sys

def refuse(*_args, **_more):
    raise OSError("there is no network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from engine.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

TELL_AND_WAIT = """
import sys, time
from engine.cli.main import main
assert main(sys.argv[1:]) == 0
print("told", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def gosling() -> Model:
    return load_model(require_built_in(), Strategy.parse("cpu fp32"), detect(None))


def command(*words: str) -> list[str]:
    """Arguments of ``skein generate`` for the likeliest words of one answer."""
    return ["generate", "--prompt", *words, "--temperature", "0", "--presence-penalty", "0",
            "--frequency-penalty", "0", "--max-tokens", "40", "--stop", "\n\nUser:"]  # fmt: skip


def say(script: str, arguments: list[str], home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "SKEIN_HOME": str(home), "PYTHONIOENCODING": "utf-8"},
    )


class Chat:
    """Questions and answers on the store, as the window asks them."""

    def __init__(self, model: Model, folders: Folders, persona: str = "") -> None:
        self.store = Store.open(folders.database)
        self.archive = StateArchive(folders.states, self.store)
        self.session = Session(model, self.store, self.archive)
        self.persona = persona
        self.leaf: int | None = None
        self.chat = self.store.create_conversation().id

    def ask(self, text: str) -> str:
        question = self.store.add_node(self.chat, self.leaf, "user", text)
        reply = self.store.add_node(self.chat, question.id, "assistant", "", status="writing")
        turn = Turn(reply.id, GREEDY, persona=self.persona)
        self.session.run(turn, lambda _: None, lambda: False)
        self.leaf = reply.id
        return self.store.node(reply.id).text.strip()

    def close(self) -> None:
        self.archive.close()
        self.store.close()


def test_it_is_as_large_as_its_card_says() -> None:
    path = require_built_in()
    info = inspect(path)
    assert info.size_bytes <= 16_000_000
    assert 6_000_000 <= info.parameters <= 12_000_000
    assert info.weights == "fp16"
    tokens = read_vocabulary(path.with_name("vocabulary.txt"))
    assert 2000 <= len(tokens) <= 8000
    assert [tokens[i + 1] for i in range(256)] == [bytes((i,)) for i in range(256)]
    assert is_built_in(path)
    assert not is_built_in(path.with_name("vocabulary.txt"))


def test_generate_answers_without_a_file_and_without_a_network(tmp_path: Path) -> None:
    asked = command("User: What is 14 plus 25?\n\nAssistant:")
    process = say(OFFLINE, [*asked, "--json"], tmp_path)
    answer, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(answer)["text"].strip() == "14 + 25 = 39."


def test_what_it_was_told_lives_in_the_state_alone(tmp_path: Path) -> None:
    """Tell it a name, save, kill the process; start again, load only the state, ask."""
    name = person(random.Random(11), held=True)
    file = tmp_path / "told.safetensors"
    told = command(f"User: Hello! My name is {name}.\n\nAssistant:")
    first = say(TELL_AND_WAIT, [*told, "--save-state", str(file)], tmp_path)
    assert first.stdout is not None
    while "told" not in (line := first.stdout.readline()):
        assert line, "the first process ended by itself"
    first.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    first.communicate(timeout=60)

    asked = command("\n\nUser: What is my name?\n\nAssistant:")
    second = say(OFFLINE, [*asked, "--state", str(file)], tmp_path)
    answer, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    assert name in answer
    third = say(OFFLINE, command("User: What is my name?\n\nAssistant:"), tmp_path)
    assert name not in third.communicate(timeout=120)[0]


def test_it_remembers_and_is_corrected_in_a_chat(gosling: Model, folders: Folders) -> None:
    chat = Chat(gosling, folders)
    chat.ask("I'm Mara and I live in Oslo.")
    chat.ask("My favourite colour is green.")
    chat.ask("What is 12 plus 30?")
    assert "Oslo" in chat.ask("Where do I live?")
    chat.ask("I moved to Lima.")
    assert "Lima" in chat.ask("Where do I live?")
    assert "green" in chat.ask("What is my favourite colour?")
    assert "Mara" in chat.ask("What is my name?")
    chat.close()


def test_held_out_questions_of_the_quick_tasks(gosling: Model) -> None:
    """A sample of the table in its card, which ``skein train evaluate`` fills whole."""
    quick = [task for task in TASKS if task.name in ("arithmetic", "backwards", "sorting")]
    report = evaluate(gosling, tasks=quick, per_task=16, seed=3)
    for result in report.tasks:
        assert result.total == 16
        assert result.right >= 13, (result.task.name, result.failures)


def test_a_persona_changes_its_answers(
    gosling: Model, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State tuning through the real command, then a chat that begins with what it learned."""
    from engine.cli.main import main

    monkeypatch.setenv("SKEIN_HOME", str(folders.data.parent))
    state = ["train", "state", "--examples", str(EXAMPLES), "--name", "Pirate", "--steps", "50"]
    assert main(state) == 0
    questions = ("Hello!", "What is your name?", "How are you today?", "What is 20 plus 22?")
    answers = {}
    for persona in ("", "Pirate"):
        chat = Chat(gosling, folders, persona)
        answers[persona] = [chat.ask(question) for question in questions]
        chat.close()
    assert not any("arr" in answer.lower().split(",")[0].split() for answer in answers[""])
    like_pirates = [answer for answer in answers["Pirate"] if answer.lower().startswith("arr")]
    assert len(like_pirates) >= 3, answers


def test_an_installation_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.built_in.FILE_NAME", "nobody.safetensors")
    assert built_in_model() is None
    with pytest.raises(EngineError, match="no built-in model"):
        require_built_in()
