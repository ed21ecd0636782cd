"""State files of other programs, in and out; none of them may run anything."""

import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoint import ModelShape, Ranks
from engine.errors import (
    DamagedFile,
    EngineError,
    StateMismatch,
    UnsafeFile,
    UnsupportedModel,
)
from engine.state import State, save_state
from engine.state_formats import STATE_FORMATS, export_state, import_state

SHAPE = ModelShape(2, 128, 512, 100, 64, Ranks(8, 8, 8, 8))


def _trained(seed: int = 0) -> State:
    """As a trainer makes it: only wkv, no shifts."""
    state = State.zeros(SHAPE)
    state.wkv = torch.randn(state.wkv.shape, generator=torch.Generator().manual_seed(seed))
    return state


def _matrices(state: State) -> dict[str, torch.Tensor]:
    return {f"blocks.{i}.att.time_state": m.clone() for i, m in enumerate(state.wkv)}


def test_a_peft_file_is_the_runtime_state(tmp_path):
    state = _trained()
    torch.save(_matrices(state), tmp_path / "s.pth")
    read = import_state(tmp_path / "s.pth", SHAPE)
    assert torch.equal(read.wkv, state.wkv)
    assert not read.att_shift.any()
    assert not read.ffn_shift.any()
    assert read.tokens_read == 0


def test_a_web_rwkv_file_is_the_transposed(tmp_path):
    state = _trained()
    half = {n: m.transpose(1, 2).half().contiguous() for n, m in _matrices(state).items()}
    save_file(half, tmp_path / "s.st")
    read = import_state(tmp_path / "s.st", SHAPE)
    assert torch.equal(read.wkv, state.wkv.half().float())
    assert read.wkv.dtype == torch.float32
    assert read.wkv.is_contiguous()


@pytest.mark.parametrize("layout", ["bf16", "legacy", "prefixed", "wrapped", "with weights"])
def test_variants_of_pth(tmp_path, layout):
    state = _trained()
    state.wkv = state.wkv.bfloat16().float()
    content = _matrices(state)
    if layout == "bf16":
        content = {name: matrix.bfloat16() for name, matrix in content.items()}
    elif layout == "prefixed":
        content = {f"model.{name}": matrix for name, matrix in content.items()}
    elif layout == "wrapped":
        content = {"state_dict": content}
    elif layout == "with weights":
        content = {"emb.weight": torch.zeros(10, 8), **content}
    path = tmp_path / "s.pth"
    torch.save(content, path, _use_new_zipfile_serialization=layout != "legacy")
    assert torch.equal(import_state(path, SHAPE).wkv, state.wkv)


@pytest.mark.parametrize("format", STATE_FORMATS)
def test_export_then_import(tmp_path, format):
    state = _trained()
    path = tmp_path / "out"
    assert export_state(path, state, format, {"name": "Ada"}) == ""
    wanted = state.wkv.half().float() if format == "web-rwkv" else state.wkv
    assert torch.equal(import_state(path, SHAPE).wkv, wanted)
    assert os.listdir(tmp_path) == ["out"]


def test_exported_files_have_the_names_and_types_that_others_expect(tmp_path):
    state = _trained()
    export_state(tmp_path / "s.pth", state, "pth")
    export_state(tmp_path / "s.st", state, "web-rwkv")
    pth = torch.load(tmp_path / "s.pth", weights_only=True)
    st = load_file(tmp_path / "s.st")
    assert list(pth) == sorted(st) == ["blocks.0.att.time_state", "blocks.1.att.time_state"]
    assert pth["blocks.1.att.time_state"].shape == (2, 64, 64)
    assert st["blocks.1.att.time_state"].dtype == torch.float16
    assert torch.equal(
        st["blocks.1.att.time_state"], pth["blocks.1.att.time_state"].half().transpose(1, 2)
    )


def test_what_a_foreign_format_cannot_hold_is_said(tmp_path):
    state = _trained()
    state.att_shift += 1
    state.tokens_read = 5
    assert "token shifts" in export_state(tmp_path / "s.pth", state, "pth")
    assert export_state(tmp_path / "s", state, "skein") == ""
    assert import_state(tmp_path / "s").tokens_read == 5
    state.wkv[0, 0, 0, 0] = 1e6
    with pytest.raises(EngineError, match="fp16"):
        export_state(tmp_path / "s.st", state, "web-rwkv")
    assert not (tmp_path / "s.st").exists()


class _Bomb:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, zipped):
    path, proof = tmp_path / "s.pth", tmp_path / "executed"
    if zipped:
        torch.save({"blocks.0.att.time_state": _Bomb(proof)}, path)
    else:
        path.write_bytes(pickle.dumps(_Bomb(proof)))
    with pytest.raises(UnsafeFile):
        import_state(path)
    assert not proof.exists()


@pytest.mark.parametrize("format", STATE_FORMATS)
@pytest.mark.parametrize("cut", [12, 0.5, 0.99])
def test_truncated_files(tmp_path, format, cut):
    path = tmp_path / "s"
    export_state(path, _trained(), format)
    data = path.read_bytes()
    path.write_bytes(data[: cut if cut > 1 else int(len(data) * cut)])
    with pytest.raises((DamagedFile, UnsupportedModel)):
        import_state(path)


@pytest.mark.parametrize("content", [b"", b"hello world", b"\x00" * 100, b"PK\x03\x04junk"])
def test_files_that_are_no_states(tmp_path, content):
    (tmp_path / "s").write_bytes(content)
    with pytest.raises((DamagedFile, UnsupportedModel)) as caught:
        import_state(tmp_path / "s")
    assert caught.value.message.startswith("s ")


def _without_layer(matrices):
    del matrices["blocks.0.att.time_state"]


def _odd_size(matrices):
    matrices["blocks.1.att.time_state"] = torch.zeros(2, 32, 32)


def _not_square(matrices):
    for name in matrices:
        matrices[name] = torch.zeros(2, 64, 32)


def _not_finite(matrices):
    matrices["blocks.1.att.time_state"][0, 0, 0] = float("nan")


def _no_state(matrices):
    matrices.clear()
    matrices["emb.weight"] = torch.zeros(3)


@pytest.mark.parametrize("spoil", [_without_layer, _odd_size, _not_square, _not_finite, _no_state])
def test_states_that_are_not_whole(tmp_path, spoil):
    matrices = _matrices(_trained())
    spoil(matrices)
    torch.save(matrices, tmp_path / "s.pth")
    with pytest.raises((DamagedFile, UnsupportedModel)):
        import_state(tmp_path / "s.pth")


def test_a_state_for_another_model_is_refused(tmp_path):
    save_state(tmp_path / "s", _trained(), {})
    other = ModelShape(3, 128, 512, 100, 64, Ranks(8, 8, 8, 8))
    with pytest.raises(StateMismatch):
        import_state(tmp_path / "s", other)
