"""LoRAs: read, refused, and merged while a model is loaded."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoint import ModelInfo, inspect
from engine.errors import DamagedFile, EngineError, UnsafeFile, UnsupportedModel
from engine.hardware import detect
from engine.lora_files import LoraFile, LoraUse, parse_lora, with_loras
from engine.model import load_backend, plan_model
from engine.strategy import Strategy
from tests.engine.training.repeater import one_thread
from tests.tiny import tiny_weights

TOKENS = [0, 5, 77, 301, 12]
MATRICES = (
    "att.receptance", "att.key", "att.value", "att.output", "ffn.key", "ffn.value"
)  # fmt: skip
WEIGHTS = tiny_weights(width=64, vocab=512)


@pytest.fixture(autouse=True)
def on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


def lora(rank: int = 4, seed: int = 1, prefix: str = "", names: tuple[str, ...] = MATRICES) -> dict:
    """Return random pairs for both layers, as RWKV-PEFT names them."""
    rng = torch.Generator().manual_seed(seed)
    made = {}
    for layer in range(2):
        for name in names:
            matrix = f"blocks.{layer}.{name}"
            rows, columns = WEIGHTS[f"{matrix}.weight"].shape
            made[f"{prefix}{matrix}.lora_A"] = torch.randn(rank, columns, generator=rng) * 0.1
            made[f"{prefix}{matrix}.lora_B"] = torch.randn(rows, rank, generator=rng) * 0.1
    return made


def merged(weights: dict[str, Tensor], pairs: dict[str, Tensor], factor: float) -> dict:
    """Do by hand what the loader is to do."""
    result = dict(weights)
    for name, first in pairs.items():
        if name.endswith(".lora_A"):
            matrix = name.removesuffix(".lora_A")
            second = pairs[f"{matrix}.lora_B"]
            weight = f"{matrix}.weight"
            result[weight] = (result[weight].float() + factor * second @ first).to(
                result[weight].dtype
            )
    return result


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    if path.suffix == ".pth":
        torch.save(tensors, path)
    else:
        save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def logits(path: Path, *uses: LoraUse, strategy: str = "cpu fp32") -> Tensor:
    """Return what both engines for processors agree upon."""
    info, plan = plan_model(path, Strategy.parse(strategy), detect(None), uses)
    results = []
    for native in (True, False):
        backend = load_backend(info, plan.strategy, native=native)
        assert backend.name == ("cpu" if native else "torch")
        results.append(backend.forward(TOKENS, backend.new_state(), all_logits=True))
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-3)
    return results[0]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("base") / "base.pth", WEIGHTS)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("strength", [1.0, 0.5, 2.0])
def test_a_merged_model_is_the_model_with_the_pairs_added(
    base: Path, tmp_path: Path, ending: str, strength: float
) -> None:
    pairs = lora()
    file = saved(tmp_path / f"one.{ending}", {**pairs, "lora_alpha": torch.tensor(12.0)})
    by_hand = saved(tmp_path / "by-hand.pth", merged(WEIGHTS, pairs, strength * 12 / 4))
    changed = logits(base, LoraUse(file, strength))
    torch.testing.assert_close(changed, logits(by_hand), rtol=1e-4, atol=1e-4)
    assert (changed - logits(base)).abs().max() > 0.1


def test_without_alpha_the_scale_is_one(base: Path, tmp_path: Path) -> None:
    pairs = lora()
    by_hand = saved(tmp_path / "by-hand.pth", merged(WEIGHTS, pairs, 1.0))
    changed = logits(base, LoraUse(saved(tmp_path / "peft.pth", pairs)))
    torch.testing.assert_close(changed, logits(by_hand), rtol=1e-4, atol=1e-4)


def test_pairs_that_were_saved_turned_are_turned_back(base: Path, tmp_path: Path) -> None:
    """As a script leaves them that transposed them and did not make them contiguous."""
    pairs = lora()
    turned = {name: value.t().contiguous().t() for name, value in pairs.items()}
    assert not any(value.is_contiguous() for value in turned.values())
    changed = logits(base, LoraUse(saved(tmp_path / "turned.pth", turned)))
    expected = logits(base, LoraUse(saved(tmp_path / "plain.pth", pairs)))
    torch.testing.assert_close(changed, expected)


def test_several_are_added_up(base: Path, tmp_path: Path) -> None:
    first, second = lora(seed=1), lora(rank=2, seed=2, names=("ffn.key",))
    by_hand = merged(merged(WEIGHTS, first, 1.0), second, 0.5)
    uses = (
        LoraUse(saved(tmp_path / "1.pth", first)),
        LoraUse(saved(tmp_path / "2.safetensors", second), 0.5),
    )
    expected = logits(saved(tmp_path / "by-hand.pth", by_hand))
    torch.testing.assert_close(logits(base, *uses), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strategy", ["cpu bf16", "cpu fp16"])
def test_16_bit_weights_are_rounded_once_after_the_sum(tmp_path: Path, strategy: str) -> None:
    narrow = {name: value.bfloat16() for name, value in WEIGHTS.items()}
    pairs = {name: value.bfloat16() for name, value in lora().items()}
    wide = {name: value.float() for name, value in narrow.items()}
    exact = merged(wide, {name: value.float() for name, value in pairs.items()}, 1.0)
    changed = logits(
        saved(tmp_path / "base.pth", narrow),
        LoraUse(saved(tmp_path / "lora.pth", pairs)),
        strategy=strategy,
    )
    expected = logits(saved(tmp_path / "exact.pth", exact), strategy=strategy)
    torch.testing.assert_close(changed, expected, rtol=1e-3, atol=1e-3)


def test_whole_tensors_take_the_place_of_the_model_s(base: Path, tmp_path: Path) -> None:
    whole = {
        "blocks.1.ln2.weight": torch.full((64,), 0.3),
        "blocks.0.att.x_r": torch.full((1, 1, 64), 0.9),
        "blocks.1.att.w1": WEIGHTS["blocks.1.att.w1"] * 2,
    }
    pairs = lora(names=("ffn.value",))
    by_hand = saved(tmp_path / "by-hand.pth", merged(WEIGHTS, pairs, 1.0) | whole)
    changed = logits(base, LoraUse(saved(tmp_path / "lora.pth", pairs | whole)))
    torch.testing.assert_close(changed, logits(by_hand), rtol=1e-4, atol=1e-4)


def test_pieces_of_a_large_matrix_are_changed_where_they_stand(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LoraUse(saved(tmp_path / "lora.pth", lora()))
    at_once = logits(base, file)
    monkeypatch.setattr("engine.backends.weights._PIECE_BYTES", 1000)  # no multiple of a row
    monkeypatch.setattr("engine.backends.packing._PIECE_BYTES", 1000)
    torch.testing.assert_close(logits(base, file), at_once, rtol=1e-5, atol=1e-5)


def test_prefixes_of_wrappers_are_passed_over(tmp_path: Path) -> None:
    pairs = {f"{name}.weight": value for name, value in lora(prefix="base_model.model.").items()}
    with LoraFile(saved(tmp_path / "wrapped.safetensors", pairs)) as file:
        assert set(file.pairs) == {f"blocks.{i}.{name}.weight" for i in (0, 1) for name in MATRICES}


def test_each_use_has_a_fingerprint_of_its_own(base: Path, tmp_path: Path) -> None:
    info = inspect(base)
    one = saved(tmp_path / "one.pth", lora())
    same = saved(tmp_path / "same.safetensors", lora())
    other = saved(tmp_path / "other.pth", lora(seed=2))

    def fingerprint(*uses: LoraUse) -> str:
        return with_loras(info, uses).fingerprint

    assert fingerprint(LoraUse(one)) == fingerprint(LoraUse(same))
    several = [
        fingerprint(),
        fingerprint(LoraUse(one)),
        fingerprint(LoraUse(one, 0.5)),
        fingerprint(LoraUse(other)),
        fingerprint(LoraUse(one), LoraUse(other)),
    ]
    assert len(set(several)) == len(several)
    assert several[0] == info.fingerprint == fingerprint(LoraUse(one, 0.0))


def test_what_is_asked_for() -> None:
    assert parse_lora("a/b.pth") == LoraUse(Path("a/b.pth"), 1.0)
    assert parse_lora("a/b.pth:0.5") == LoraUse(Path("a/b.pth"), 0.5)
    assert parse_lora("C:\\b.pth") == LoraUse(Path("C:\\b.pth"), 1.0)
    assert parse_lora("C:\\b.pth:2") == LoraUse(Path("C:\\b.pth"), 2.0)
    for strength in ("3", "-1", "1.2.3"):
        with pytest.raises(EngineError, match="from 0 to 2"):
            parse_lora(f"b.pth:{strength}")


def too_wide(pairs: dict) -> None:
    pairs["blocks.0.att.key.lora_A"] = torch.zeros(4, 128)


def too_many_layers(pairs: dict) -> None:
    pairs["blocks.2.att.key.lora_A"] = torch.zeros(4, 64)
    pairs["blocks.2.att.key.lora_B"] = torch.zeros(64, 4)


def another_name(pairs: dict) -> None:
    pairs["blocks.0.ffn.receptance.weight"] = torch.zeros(64, 64)


@pytest.mark.parametrize("spoil", [too_wide, too_many_layers, another_name])
def test_one_that_does_not_fit_is_refused_by_name(
    base: Path, tmp_path: Path, spoil: Callable[[dict], None]
) -> None:
    pairs = lora()
    spoil(pairs)
    file = saved(tmp_path / "other.pth", pairs)
    with pytest.raises(UnsupportedModel, match=r"other\.pth does not fit base: .*blocks\.[02]"):
        plan_model(base, Strategy.parse("cpu fp32"), detect(None), [LoraUse(file)])


def half(pairs: dict) -> None:
    del pairs["blocks.0.att.key.lora_B"]


def ranks_differ(pairs: dict) -> None:
    pairs["blocks.0.att.key.lora_A"] = torch.zeros(3, 64)


def alpha_of_nothing(pairs: dict) -> None:
    pairs["lora_alpha"] = torch.tensor(-1.0)


@pytest.mark.parametrize("spoil", [half, ranks_differ, alpha_of_nothing])
def test_a_damaged_one_is_refused(tmp_path: Path, spoil: Callable[[dict], None]) -> None:
    pairs = lora()
    spoil(pairs)
    with pytest.raises(DamagedFile, match=r"bad\.pth"):
        LoraFile(saved(tmp_path / "bad.pth", pairs))


def test_values_that_are_no_numbers_are_refused(base: Path, tmp_path: Path) -> None:
    pairs = lora()
    pairs["blocks.1.ffn.key.lora_B"][3, 1] = torch.nan
    use = LoraUse(saved(tmp_path / "nan.pth", pairs))
    info, plan = plan_model(base, Strategy.parse("cpu fp32"), detect(None), [use])
    with pytest.raises(DamagedFile, match="NaN or infinity"):
        load_backend(info, plan.strategy)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("blocks.0.att.key.init_lora_A", "PiSSA"),
        ("blocks.0.att.key.bone", "Bone"),
        ("blocks.0.att.key.disha", "DiSHA"),
    ],
)
def test_other_adapters_are_named(tmp_path: Path, extra: str, words: str) -> None:
    file = saved(tmp_path / "other.pth", {**lora(), extra: torch.zeros(2, 2)})
    with pytest.raises(UnsupportedModel, match=words):
        LoraFile(file)


def test_a_model_is_no_lora(base: Path) -> None:
    with pytest.raises(UnsupportedModel, match="not a LoRA"):
        LoraFile(base)


class Bomb:
    def __reduce__(self) -> tuple:
        return (print, ("ran",))


def test_a_file_that_wants_to_run_code_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bomb.pth"
    torch.save({**lora(), "x": Bomb()}, path)
    with pytest.raises(UnsafeFile):
        LoraFile(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_one_that_is_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    whole = saved(tmp_path / "whole.pth", lora()).read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[:keep])
    with pytest.raises(EngineError, match=r"cut\.pth"):
        LoraFile(path)
    with pytest.raises(EngineError, match="no file"):
        LoraFile(tmp_path / "missing.pth")


def test_the_model_s_own_name_and_file_stay(base: Path, tmp_path: Path) -> None:
    info: ModelInfo = with_loras(inspect(base), [LoraUse(saved(tmp_path / "one.pth", lora()))])
    assert (info.name, info.path) == ("base", base)
    assert [use.path.name for use in info.loras] == ["one.pth"]
