"""Models as a whole: planned before they are loaded, and used as the ``rwkv`` package's are."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine import RWKV
from engine.checkpoint import ModelInfo, inspect
from engine.errors import NotEnoughMemory, StateMismatch, UnsupportedStrategy
from engine.hardware import detect
from engine.model import load_backend, plan_model
from engine.snapshot import Snapshot
from engine.state_files import open_for, save_for
from engine.strategy import Strategy
from tests.tiny import write_tiny_pth


def test_the_example_of_the_rwkv_package_runs(tiny_path: Path) -> None:
    """As in that package's README, but for the import and the path."""
    model = RWKV(model=str(tiny_path.with_suffix("")), strategy="cpu fp32")
    out, state = model.forward([187, 510, 1563, 310, 247], None)
    whole = out.detach().cpu().numpy()
    out, state = model.forward([187, 510], None)
    out, state = model.forward([1563], state)
    out, state = model.forward([310, 247], state)
    parts = out.detach().cpu().numpy()
    assert whole.shape == (65536,)
    assert abs(whole - parts).max() < 1e-4 * whole.std()
    assert state.tokens_read == 5


def test_a_state_that_was_handed_in_is_left_as_it_was(tiny_path: Path) -> None:
    model = RWKV(tiny_path, "cpu fp32")
    _, state = model.forward([5, 6])
    before = state.wkv.clone()
    first, _ = model.forward([7], state)
    second, _ = model.forward([7], state)
    assert torch.equal(first, second)
    assert torch.equal(state.wkv, before)


def test_all_logits_on_request(tiny_path: Path) -> None:
    out, _ = RWKV(tiny_path, "cpu fp32").forward([5, 6, 7], full_output=True)
    assert out.shape == (3, 65536)


def test_too_little_memory_is_said_before_loading_with_what_fits(tiny_path: Path) -> None:
    small = replace(detect(None), gpus=(), ram_total=480 << 20, ram_free=470 << 20)
    wide = write_tiny_pth(tiny_path.with_name("rwkv7-wide.pth"), width=512)
    with pytest.raises(NotEnoughMemory, match="rwkv7-wide") as failure:
        plan_model(wide, Strategy.parse("cpu fp32"), replace(small, ram_total=400 << 20))
    assert failure.value.hint


def test_what_was_too_large_is_said_with_the_strategy_that_fits(tiny_path: Path) -> None:
    wide = write_tiny_pth(tiny_path.with_name("rwkv7-wider.pth"), width=1024)
    short = replace(detect(None), gpus=(), ram_total=1150 << 20, ram_free=1100 << 20)
    with pytest.raises(NotEnoughMemory, match="rwkv7-wider") as failure:
        plan_model(wide, Strategy.parse("cpu fp32"), short)
    suggestion = Strategy.parse(failure.value.suggestion)
    assert plan_model(wide, suggestion, short)[1].verdict != "too_large"


@pytest.mark.parametrize("text", ["cuda int8", "cuda fp16 *1+ -> cpu fp32"])
def test_what_no_backend_can_run_is_refused_before_loading(tiny_path: Path, text: str) -> None:
    with pytest.raises(UnsupportedStrategy, match="cannot run"):
        plan_model(tiny_path, Strategy.parse(text), detect(None))


def test_threads_of_an_automatic_strategy_are_kept(tiny_path: Path) -> None:
    _, plan = plan_model(tiny_path, Strategy.parse("auto @1"), detect(None))
    assert plan.strategy.threads == 1


def test_a_state_file_of_other_weights_is_refused(tmp_path: Path) -> None:
    one = RWKV(write_tiny_pth(tmp_path / "one.pth", width=64, seed=1), "cpu fp32")
    two = RWKV(write_tiny_pth(tmp_path / "two.pth", width=64, seed=2), "cpu fp32")
    logits, state = one.forward([1, 2, 3])
    path = tmp_path / "state.safetensors"
    save_for(path, Snapshot(state, logits.numpy()), one.info)
    same = open_for(path, one.info)
    assert torch.equal(same.state.wkv, state.wkv)
    assert same.logits is not None
    assert (same.logits == logits.numpy()).all()
    with pytest.raises(StateMismatch, match="another model") as failure:
        open_for(path, two.info)
    assert "read the text again" in failure.value.hint


class _Opened:
    """What stands for torch on a card, where there is none."""

    name, notice = "torch", ""

    def __init__(self, info: ModelInfo, strategy: Strategy, *_: object) -> None:
        self.info, self.strategy = info, strategy

    def set_power_saving(self, on: bool) -> None:
        pass


@pytest.mark.parametrize(
    ("wanted", "taken"), [("cuda fp16", "cuda fp16"), ("cuda int8", "cuda fp16")]
)
def test_what_fails_on_a_card_is_left_to_torch_there_and_said_once(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, taken: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nvrtc: error: no kernel today\nsecond line")

    monkeypatch.setattr("engine.backends.cuda.open_on_card", fail)
    monkeypatch.setattr("engine.backends.torch.TorchBackend", _Opened)
    backend = load_backend(inspect(tiny_path), Strategy.parse(wanted))
    assert str(backend.strategy) == taken
    assert "PyTorch computes on the card" in backend.notice
    assert "no kernel today" in backend.notice
    assert "second line" not in backend.notice


def test_what_fails_to_be_shared_is_left_to_torch_and_said(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("nvrtc: error: no kernel today")

    monkeypatch.setattr("engine.backends.split.open_split", fail)
    monkeypatch.setattr("engine.backends.torch.TorchBackend", _Opened)
    monkeypatch.setattr("kernels.cpu.library.find_library", object)
    shared = Strategy.parse("cuda int8 *2 -> cpu int8")
    backend = load_backend(inspect(tiny_path), shared)
    assert str(backend.strategy) == "cuda fp16 *1 -> cpu fp16"
    assert "no kernel today" in backend.notice
    monkeypatch.setattr("kernels.cpu.library.find_library", lambda: None)
    backend = load_backend(inspect(tiny_path), shared)
    assert str(backend.strategy) == "cuda fp16 *1 -> cpu fp16"
    assert "cannot share" in backend.notice


def test_a_split_that_leaves_nothing_for_the_processor_is_the_card_alone(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.backends.cuda.open_on_card", _Opened)
    backend = load_backend(inspect(tiny_path), Strategy.parse("cuda int8 *9 -> cpu int8"))
    assert str(backend.strategy) == "cuda int8"
    assert not backend.notice


def test_a_card_without_room_is_no_reason_for_torch(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("engine.backends.cuda.open_on_card", full)
    with pytest.raises(NotEnoughMemory, match="did not fit as 'cuda fp16'") as caught:
        load_backend(inspect(tiny_path), Strategy.parse("cuda fp16"))
    assert caught.value.suggestion == "cuda int8"
