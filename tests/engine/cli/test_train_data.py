"""``skein train data``: texts and chats into pairs, and what is refused."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.cli.train_data import register
from engine.errors import EngineError
from engine.training.stored import StoredTokens
from tests.engine.training.small_vocabulary import write_small_vocabulary


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)
    made.callback()(lambda: None)
    return made


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    return str(write_small_vocabulary(tmp_path / "v.vocab"))


def test_a_text_becomes_a_pair(app: typer.Typer, tmp_path: Path, vocabulary: str):
    (tmp_path / "x.txt").write_text("hello world\n\n" * 10)
    arguments = [str(tmp_path / "x.txt"), str(tmp_path / "out" / "x.bin"), "--blank-lines"]
    result = CliRunner().invoke(
        app, ["data", *arguments, "--vocabulary", vocabulary, "--length", "5"]
    )
    assert result.exit_code == 0, result.output
    # "hello" " world" "\n" and the end, ten times; 40 / 5 - 1 = 7
    assert result.stdout.splitlines() == [
        f"10 documents, 40 tokens: {tmp_path / 'out' / 'x.bin'}",
        "RWKV-LM: --ctx_len 5 --my_exit_tokens 40 --magic_prime 5",
    ]
    assert StoredTokens(tmp_path / "out" / "x").sizes.tolist() == [4] * 10


def test_a_folder_of_chats_brings_its_marks(app: typer.Typer, tmp_path: Path, vocabulary: str):
    chat = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "yes"}]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps({"messages": chat}) + "\n")
    out = tmp_path / "made"
    result = CliRunner().invoke(
        app, ["data", str(tmp_path / "in"), str(out), "--vocabulary", vocabulary]
    )
    assert result.exit_code == 0, result.output
    assert ".marks" in result.stdout
    assert StoredTokens(out, 0.5).part(0, 0, 9)[1].tolist() == [0.5] * 7 + [1, 1]


def refusal(app: typer.Typer, *arguments: object) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    assert isinstance(result.exception, EngineError)
    return result.exception.message


def test_what_cannot_be_read_is_said(app: typer.Typer, tmp_path: Path, vocabulary: str):
    out = tmp_path / "out"
    assert "nothing at" in refusal(app, tmp_path / "missing", out)
    (tmp_path / "in").mkdir()
    assert "no .txt file" in refusal(app, tmp_path / "in", out)
    (tmp_path / "in" / "a.txt").write_text("abc")
    (tmp_path / "in" / "b.jsonl").write_text("abc")
    assert "both" in refusal(app, tmp_path / "in", out)
    words = refusal(app, tmp_path / "in", out, "--kind", "jsonl", "--vocabulary", vocabulary)
    assert words == "Line 1 of b.jsonl cannot be used: it is not valid JSON."
    assert not list(tmp_path.glob("out*"))
