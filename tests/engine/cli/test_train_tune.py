"""``skein train state`` and ``skein train lora``, as a user types them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.archive import StateArchive
from engine.checkpoint import inspect
from engine.cli.main import main
from engine.folders import Folders
from engine.lora_files import LoraFile
from engine.state_formats import import_state
from engine.store import Store
from tests.engine.training.repeater import WORDS, one_thread


@pytest.fixture(autouse=True)
def on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "pirate.jsonl"
    chats = (
        [{"role": "user", "content": word}, {"role": "assistant", "content": f"Arr {word}"}]
        for word in WORDS[:4]
    )
    path.write_text("\n".join(json.dumps({"messages": chat}) for chat in chats), "utf-8")
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    assert main([str(word) for word in words]) == code
    told = capsys.readouterr()
    return told.out if code == 0 else told.err


def answer(capsys: pytest.CaptureFixture[str], model: Path, *words: object) -> str:
    question = "User: think\n\nAssistant:"
    options = ("--prompt", question, "--temperature", 0, "--max-tokens", 6, "--json")
    strategy = ("--strategy", "cpu fp32 @1", "--presence-penalty", 0, "--frequency-penalty", 0)
    return json.loads(run(capsys, "generate", model, *options, *strategy, *words))["text"]


def test_a_persona_and_its_file(
    repeater_path: Path,
    examples: Path,
    tmp_path: Path,
    folders: Folders,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export = tmp_path / "pirate.pth"
    learn = ("train", "state", repeater_path, "--examples", examples, "--steps", 24)
    told = run(capsys, *learn, "--name", "Old Pirate", "--export", export, "--device", "cpu")
    assert "24 steps in" in told
    assert "Saved as persona Old Pirate" in told
    store = Store(folders.database)
    archive = StateArchive(folders.states, store)
    (persona,) = archive.personas()
    info = inspect(repeater_path)
    assert (persona.name, persona.tokens_read) == ("Old Pirate", 0)
    assert persona.fingerprint == info.fingerprint
    assert persona.notes["template"] == "classic"
    kept = archive.load_persona("Old Pirate").state
    archive.close()
    store.close()
    exported = import_state(export, info.shape)
    assert exported.wkv.equal(kept.wkv)
    assert answer(capsys, repeater_path).startswith(" think\n\n")
    assert answer(capsys, repeater_path, "--state", export).startswith(" Arr think")
    assert answer(capsys, repeater_path, "--state", persona.path).startswith(" Arr think")


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_lora_and_its_use(
    repeater_path: Path,
    examples: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ending: str,
) -> None:
    out = tmp_path / f"pirate.{ending}"
    learn = ("train", "lora", repeater_path, "--examples", examples, "--out", out)
    sizes = ("--rank", 4, "--alpha", 8, "--parts", "att, ffn")
    told = run(capsys, *learn, *sizes, "--steps", 30, "--learning-rate", 0.01)
    assert f"Use it with --lora {out}" in told
    with LoraFile(out) as file:
        assert file.alpha == 8
    assert answer(capsys, repeater_path, "--lora", out).startswith(" Arr think")
    assert answer(capsys, repeater_path, "--lora", f"{out}:0").startswith(" think\n\n")


def test_seconds_are_kept(
    repeater_path: Path, examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = ("train", "state", repeater_path, "--examples", examples, "--name", "p")
    assert "steps in 0 s" in run(capsys, *learn, "--seconds", 0.1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "needs a place"),
        (("--name", "p", "--export", "p.st"), "is a .pth"),
        (("--export", "no folder/p.pth"), "There is no folder no folder"),
        (("--name", "p", "--learning-rate", 0), "above 0"),
        (("--name", "p", "--seconds", 0), "seconds above 0"),
        (("--name", "p", "--template", "none"), "no prompt template"),
        (("--name", "p", "--device", "abacus"), "no device 'abacus'"),
    ],
)
def test_what_cannot_be_is_told(
    repeater_path: Path,
    examples: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple,
    told: str,
) -> None:
    learn = ("train", "state", repeater_path, "--examples", examples, "--steps", 1)
    if "--seconds" in words:
        learn = learn[:-2]
    assert told in run(capsys, *learn, *words, code=1)


def test_missing_files_are_told(
    repeater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.jsonl"
    learn = ("train", "state", repeater_path, "--examples", missing, "--name", "p")
    assert "There is no file" in run(capsys, *learn, code=1)
    lora = ("train", "lora", repeater_path, "--examples", missing, "--out", tmp_path / "x.bin")
    assert "written as .pth" in run(capsys, *lora, code=1)
    lora = (
        "train",
        "lora",
        repeater_path,
        "--examples",
        missing,
        "--out",
        tmp_path / "no" / "x.pth",
    )
    assert "There is no folder" in run(capsys, *lora, code=1)
    assert "There is no file" in run(
        capsys, "generate", repeater_path, "--lora", tmp_path / "none.pth", "--prompt", "x", code=1
    )
