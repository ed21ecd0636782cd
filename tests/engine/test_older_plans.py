"""Plans for RWKV-4, 5 and 6: what their author's package needs and can do, on made-up machines."""

from pathlib import Path

import pytest

from engine.backends.older import OlderBackend
from engine.checkpoint import inspect
from engine.checkpoint.older_shape import NO_RANKS, OlderGeneration, OlderShape, released_older
from engine.errors import UnsupportedStrategy
from engine.needs import needs_of, served_on_card, suits_native
from engine.older_strategy import package_types, refuse_for_older
from engine.plan import choose
from engine.strategy import Stage, Strategy
from tests.engine.machines import CU130, MACHINES, card, machine
from tests.older import GENERATIONS, older_weights, write_older_pth


def released(
    layers: int, width: int, ffn: int, older: OlderGeneration, vocab: int = 65536, rank: int = 0
) -> OlderShape:
    head = width if older == "4" else 64
    sizes = (layers, width, ffn, vocab, head)
    return OlderShape(*sizes, NO_RANKS, older=older, mix_rank=rank, decay_rank=2 * rank)


# As released: RWKV-4-Pile-169M and 14B, RWKV-5-World-3B, RWKV-6-World-1.6B and 7B.
PILE_169M = released(12, 768, 3072, "4", 50277)
PILE_14B = released(40, 5120, 20480, "4", 50277)
EAGLE_3B = released(32, 2560, 8960, "5.2")
FINCH_1B6 = released(24, 2048, 7168, "6", rank=32)
FINCH_7B = released(32, 4096, 14336, "6", rank=64)
SHAPES = (PILE_169M, PILE_14B, EAGLE_3B, FINCH_1B6, FINCH_7B)


def test_parameters_are_those_that_were_released():
    millions = [round(shape.parameters / 1e6) for shape in SHAPES]
    assert millions == [169, 14149, 3063, 1600, 7636]


@pytest.mark.parametrize(
    ("version", "label", "millions"),
    [
        *[(4, "0.1B", 193), (4, "430M", 462), (4, "7B", 7518), (4, "14B", 14305)],
        *[(5, "0.4B", 462), (5, "1.5B", 1578), (5, "3B", 3063), (5, "7B", 7518)],
        *[(6, "1.6B", 1600), (6, "3B", 3100), (6, "7B", 7636), (6, "14B", 14069)],
    ],
)
def test_sizes_in_names_are_those_of_released_models(version: int, label: str, millions: int):
    shape = released_older(version, label)
    assert shape is not None
    assert round(shape.parameters / 1e6) == millions


def test_other_sizes_and_versions_are_not_guessed():
    assert released_older(6, "2B") is None
    assert released_older(3, "3B") is None


@pytest.mark.parametrize("generation", GENERATIONS)
def test_parameters_are_counted(tmp_path: Path, generation: str):
    weights = older_weights(generation, vocab=96, layers=3)
    shape = inspect(write_older_pth(tmp_path / "x.pth", generation, vocab=96, layers=3)).shape
    assert shape.parameters == sum(tensor.numel() for tensor in weights.values())


@pytest.mark.parametrize("strategy", ["cpu fp32", "cpu bf16", "cpu fp16", "cpu int8"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_bytes_are_predicted(tmp_path: Path, generation: str, strategy: str):
    path = write_older_pth(tmp_path / "x.pth", generation, width=256, head=64, vocab=4096)
    info = inspect(path)
    backend = OlderBackend(info, Strategy.parse(strategy))
    (need,) = needs_of(info.shape, MACHINES["laptop 16 GB"], Strategy.parse(strategy))
    assert need.weights_bytes == pytest.approx(backend.resident_bytes, rel=0.03)
    assert need.state_bytes == info.shape.state_bytes == backend.new_state().nbytes


def test_no_engine_of_ours_serves_them():
    with_engines = machine(64, 60, card(24, 23), build=CU130)
    for shape in SHAPES:
        assert not suits_native(shape)
        assert not served_on_card(shape, with_engines, Strategy.parse("cuda fp16"))


@pytest.mark.parametrize("name", MACHINES)
def test_there_is_a_plan_for_every_machine(name: str):
    for shape in SHAPES:
        plan = choose(shape, MACHINES[name])
        refuse_for_older(plan.strategy)
        assert plan.reason
        if plan.verdict != "too_large":
            assert plan.write_tokens_per_s > 0
            assert f"RWKV-{shape.generation} is an older generation" in plan.reason


EXPECTED = [
    ("laptop 16 GB", PILE_169M, "cpu fp16"),
    ("laptop 16 GB", FINCH_1B6, "cpu fp16"),
    ("old desktop without AVX2", PILE_169M, "cpu fp32"),
    ("card 8 GB", FINCH_1B6, "cuda fp16"),
    ("card 8 GB", EAGLE_3B, "cuda fp16"),
    ("card 24 GB", FINCH_7B, "cuda fp16"),
    ("laptop 16 GB", FINCH_7B, "cpu int8"),
]


@pytest.mark.parametrize(("name", "shape", "strategy"), EXPECTED)
def test_what_auto_chooses(name: str, shape: OlderShape, strategy: str):
    assert str(choose(shape, MACHINES[name]).strategy) == strategy


def test_eight_bits_are_chosen_only_where_nothing_else_fits():
    for name, hardware in MACHINES.items():
        plan = choose(FINCH_1B6, hardware)
        if any(stage.weights == "int8" for stage in plan.strategy.stages):
            sixteen = choose(FINCH_1B6, hardware, Strategy.parse("cpu fp16"))
            assert sixteen.verdict != "fits", name


@pytest.mark.parametrize("strategy", ["cpu q4", "cuda q4", "cpu fp32i4"])
def test_what_the_package_lacks_is_said_and_never_raised(strategy: str):
    plan = choose(FINCH_1B6, MACHINES["card 24 GB"], Strategy.parse(strategy))
    assert "RWKV-6 cannot run as" in plan.reason
    with pytest.raises(UnsupportedStrategy, match="RWKV-4, 5 and 6"):
        refuse_for_older(plan.strategy)


def test_our_words_become_the_packages_types():
    assert package_types(Stage("cpu", "int8")) == ("fp32", "i8")
    assert package_types(Stage("cuda:1", "int8")) == ("fp16", "i8")
    assert package_types(Stage("cpu", "bf16i8")) == ("bf16", "i8")
    assert package_types(Stage("cuda", "fp16")) == ("fp16", "fp16")
