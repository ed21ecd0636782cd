"""``skein forward``, ``generate`` and ``chat``, as a user types them."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.archive import StateArchive
from engine.cli.main import main
from engine.events import Event, Turn
from engine.folders import Folders
from engine.model import Model
from engine.sampling import SamplingParams
from engine.session import Session
from engine.settings import Settings, SettingsFile
from engine.snapshot import load_snapshot
from engine.state import load_state
from engine.store import Store
from tests.tiny import write_tiny_pth


def say(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_forward_in_two_pieces_is_forward_in_one(tiny_path, tmp_path, capsys) -> None:
    whole, first, last = (tmp_path / f"{name}.npz" for name in ("whole", "first", "last"))
    state = tmp_path / "state.safetensors"
    model = (tiny_path, "--strategy", "cpu fp32")
    say(capsys, "forward", *model, "--tokens", "1,2,3,4,5", "--all", "--out", whole)
    say(capsys, "forward", *model, "--tokens", "1,2", "--save-state", state, "--out", first)
    code, out, _ = say(
        capsys,
        *("forward", *model, "--tokens", "3,4,5", "--state", state, "--out", last, "--json"),
    )
    assert code == 0
    assert json.loads(out)["tokens_read"] == 5
    with np.load(whole) as one, np.load(last) as other:
        assert one["logits"].shape == (5, 65536)
        assert other["logits"].shape == (65536,)
        assert np.abs(one["logits"][-1] - other["logits"]).max() < 1e-4 * one["logits"].std()
        assert np.abs(one["wkv"] - other["wkv"]).max() < 1e-4 * one["wkv"].std()


def test_forward_needs_no_tokenizer(tmp_path, capsys) -> None:
    model = write_tiny_pth(tmp_path / "small.pth", width=64, vocab=512)
    assert say(capsys, "forward", model, "--tokens", "1", "--out", tmp_path / "x.npz")[0] == 0
    code, _, err = say(capsys, "generate", model, "--prompt", "Hi")
    assert code == 1
    assert "tokenizer.json is missing" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--tokens", ""), "list of tokens is empty"),
        (("--tokens", "1,a"), "separated by commas"),
        (("--tokens", "70000"), "outside the vocabulary"),
        (("--tokens", "1", "--state", "."), "."),
        (("--tokens", "1", "--out", "missing/x.npz"), "missing/x.npz: No such file"),
    ],
)
def test_bad_input_is_a_sentence(tiny_path, tmp_path, monkeypatch, capsys, words, told) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = say(capsys, "forward", tiny_path, "--out", tmp_path / "x.npz", *words)
    assert code == 1
    assert told in err
    assert "Traceback" not in err


def test_generate_stopped_by_ctrl_c_saves_a_whole_state(
    tiny_path, tiny_model, tmp_path, monkeypatch, capsys
) -> None:
    forward, calls = type(tiny_model.backend).forward, 0

    def interrupted(self, tokens, state, **options):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return forward(self, tokens, state, **options)

    monkeypatch.setattr(type(tiny_model.backend), "forward", interrupted)
    saved = tmp_path / "state.safetensors"
    code, out, _ = say(
        capsys,
        *("generate", tiny_path, "--prompt", "Once", "--save-state", saved, "--seed", "1"),
        *("--max-tokens", "0", "--json", "--strategy", "cpu fp32"),
    )
    told = json.loads(out)
    assert code == 0
    assert told["reason"] == "cancelled"
    assert told["text"] == tiny_model.tokenizer.decode(told["tokens"])
    state = tiny_model.backend.new_state()
    for tokens in ([0, *tiny_model.tokenizer.encode("Once")], *([t] for t in told["tokens"])):
        tiny_model.backend.forward(tokens, state)
    assert load_state(saved).state.wkv.equal(state.wkv)
    assert load_snapshot(saved)[0].sampler is not None


@pytest.fixture
def begun(folders: Folders, tiny_model: Model, tmp_path: Path) -> int:
    """A chat that the window began, with its states in a folder of their own."""
    elsewhere = tmp_path / "states"
    SettingsFile(folders.settings_file).save(replace(Settings(), states_folder=str(elsewhere)))
    store = Store(folders.database)
    archive = StateArchive(elsewhere, store)
    chat = store.create_conversation("Geese", {"system": "Be kind.", "think": "fast"}).id
    question = store.add_node(chat, None, "user", "Tell me of geese. " * 20)
    reply = store.add_node(chat, question.id, "assistant", "", status="writing", think="fast")
    turn = Turn(reply.id, SamplingParams(max_tokens=4), "Be kind.", "fast")
    events: list[Event] = []
    Session(tiny_model, store, archive).run(turn, events.append, lambda: False)
    archive.close()
    store.close()
    return chat


def test_a_chat_of_the_window_goes_on_in_the_terminal(
    begun: int, folders: Folders, tiny_path, monkeypatch, capsys
) -> None:
    asked = iter(["And ducks?"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(asked, ""))
    monkeypatch.setattr(
        "engine.templates.Template.sampling", lambda *_: SamplingParams(max_tokens=4)
    )
    model = (tiny_path, "--strategy", "cpu fp32")
    code, _, err = say(capsys, "chat", *model, "--continue", begun)
    assert code == 0
    assert f"--continue {begun}" in err
    store = Store(folders.database)
    current = store.conversation(begun).current_node
    assert current is not None
    reply = store.node(current)
    assert reply.status == "done"
    assert reply.think == "fast"
    assert reply.stats["resumed_tokens"] > 100
    assert len(store.checkpoints.all()) == 3
    store.close()


def test_an_unknown_thinking_mode_is_refused(tiny_path, capsys) -> None:
    code, _, err = say(capsys, "chat", tiny_path, "--think", "hard")
    assert code == 1
    assert "no thinking mode 'hard'" in err


def test_bench_reports_what_it_measured(tiny_path, capsys) -> None:
    small = ("--prefill", 20, "--decode", 4, "--runs", 2, "--strategy", "cpu fp32", "--json")
    code, out, _ = say(capsys, "bench", tiny_path, *small)
    assert code == 0
    report = json.loads(out)
    assert (report["prefill"], report["decode"], report["runs"]) == (20, 4, 2)
    assert report["strategy"] == "cpu fp32"
    assert report["peer"] is None
    assert report["peak_bytes"] > report["resident_bytes"] > report["bytes_per_token"] > 0
    assert report["first_load_s"] > 0
    for speed in ("load_s", "prefill_tokens_per_s", "decode_tokens_per_s"):
        assert report["ours"][speed] > 0
    read = report["bytes_per_token"] * report["ours"]["decode_tokens_per_s"]
    assert report["bandwidth_share"] == pytest.approx(read / report["bandwidth_bytes_per_s"])
    code, _, err = say(capsys, "bench", tiny_path, "--compare", "other")
    assert code == 1
    assert "--compare rwkv" in err


def test_bench_and_forward_can_save_power(tiny_path, tmp_path, capsys, monkeypatch) -> None:
    import torch

    monkeypatch.setattr("engine.backends.threads.count_cores", lambda: (6, 12))
    before = torch.get_num_threads()
    kinds = ("--strategy", "cpu fp32 *2 -> cpu bf16")  # of two types: torch computes
    small = ("--prefill", 2, "--decode", 2, "--runs", 1, "--json")
    try:
        for more, threads in (((), 6), (("--power-saving",), 3)):
            code, out, _ = say(capsys, "bench", tiny_path, *kinds, *small, *more)
            assert code == 0
            assert json.loads(out)["threads"] == threads
            told = ("--tokens", "1", "--out", tmp_path / "x.npz")
            assert say(capsys, "forward", tiny_path, *kinds, *told, *more)[0] == 0
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
