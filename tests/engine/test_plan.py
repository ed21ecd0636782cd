"""Plans on made-up machines: what is chosen, what is refused, and what is said about it."""

from dataclasses import replace

import pytest

from engine.built_in import require_built_in
from engine.checkpoint import ModelShape, inspect
from engine.errors import NotEnoughMemory
from engine.needs import card_workspace_bytes, empty_need, needs_of
from engine.plan import RELEASED, WEIGHT_TYPES, choose, require_room
from engine.strategy import Strategy
from tests.engine.machines import APPLE, AVX512, CU130, GB, MACHINES, card, machine

LARGE = "too_large"
EXPECTED = [
    ("laptop 4 GB", "0.4b", "cpu fp16", "fits"),
    ("laptop 4 GB", "1.5b", None, LARGE),
    ("laptop 8 GB", "1.5b", "cpu fp16", "fits"),
    ("laptop 8 GB", "2.9b", None, LARGE),
    ("laptop 16 GB", "2.9b", "cpu fp16", "fits"),
    ("laptop 16 GB", "7.2b", None, LARGE),
    ("laptop 16 GB, busy", "0.1b", "cpu fp16", "tight"),
    ("laptop 16 GB, busy", "2.9b", "cpu fp16", "tight"),
    ("old desktop without AVX2", "0.1b", "cpu fp32", "fits"),
    ("old desktop without AVX2", "1.5b", "cpu fp32", "fits"),
    ("old desktop without AVX2", "2.9b", "cpu bf16", "fits"),
    ("desktop 32 GB, AVX-512 BF16", "1.5b", "cpu fp16", "fits"),
    ("desktop 32 GB, AVX-512 BF16", "7.2b", "cpu fp16", "fits"),
    ("desktop 32 GB, AVX-512 BF16", "13.3b", "cpu fp16", "tight"),
    ("workstation 64 GB", "13.3b", "cpu fp16", "fits"),
    ("server 256 GB, AMX", "13.3b", "cpu fp32", "fits"),
    ("not measured yet", "1.5b", "cpu fp16", "fits"),
    ("laptop card 4 GB", "0.4b", "cuda fp16", "fits"),
    ("laptop card 4 GB", "1.5b", "cuda fp16 *24 -> cpu fp16", "fits"),  # all but the head
    ("laptop card 4 GB", "2.9b", "cuda fp16 *16 -> cpu fp16", "fits"),
    ("laptop card 4 GB", "13.3b", None, LARGE),
    ("card 8 GB", "2.9b", "cuda fp16", "fits"),
    ("card 8 GB", "7.2b", "cuda fp16 *14 -> cpu fp16", "fits"),
    ("card 8 GB", "13.3b", None, LARGE),
    ("card 12 GB", "2.9b", "cuda fp16", "fits"),
    ("card 12 GB", "7.2b", "cuda fp16 *23 -> cpu fp16", "fits"),
    ("card 12 GB, busy", "0.1b", "cuda fp16", "fits"),
    ("card 12 GB, busy", "0.4b", "cpu fp16", "fits"),  # half the layers gain nothing
    ("card 12 GB, busy", "2.9b", "cpu fp16", "fits"),
    ("card 24 GB", "7.2b", "cuda fp16", "fits"),
    ("card 24 GB", "13.3b", "cuda fp16 *50 -> cpu fp16", "fits"),
    ("two cards 24 GB", "7.2b", "cuda:1 fp16", "fits"),
    ("two cards 24 GB", "13.3b", "cuda:1 fp16 *50 -> cuda:0 fp16", "fits"),
    ("a large and a small card", "2.9b", "cuda:1 fp16", "fits"),
    ("a large and a small card", "7.2b", "cuda:1 fp16 *24 -> cuda:0 fp16", "fits"),
    (
        "a large and a small card",
        "13.3b",
        "cuda:1 fp16 *24 -> cuda:0 fp16 *10 -> cpu fp16",
        "fits",
    ),
    ("card 24 GB, torch for the processor", "7.2b", "cpu fp16", "fits"),
    ("AMD card without ROCm", "1.5b", "cpu fp16", "fits"),
    ("Apple 16 GB", "0.1b", "mps fp16", "fits"),
    ("Apple 16 GB", "2.9b", "mps fp16", "fits"),
    ("Apple 16 GB", "7.2b", None, LARGE),
    ("Intel Arc 12 GB", "2.9b", "xpu fp16", "fits"),
]


def shape(label: str) -> ModelShape:
    return ModelShape.released(label)


def test_there_are_twenty_machines_and_each_is_asked():
    assert len(MACHINES) == 20
    assert {name for name, *_ in EXPECTED} == set(MACHINES)


@pytest.mark.parametrize(("name", "label", "strategy", "verdict"), EXPECTED)
def test_the_choice(name, label, strategy, verdict):
    plan = choose(shape(label), MACHINES[name])
    assert plan.verdict == verdict
    assert strategy is None or str(plan.strategy) == strategy


@pytest.mark.parametrize("label", RELEASED)
@pytest.mark.parametrize("name", MACHINES)
def test_what_holds_for_every_plan(name, label):
    hardware = MACHINES[name]
    plan = choose(shape(label), hardware)
    assert choose(shape(label), hardware) == plan, "the same question has the same answer"
    assert all(s.weights in WEIGHT_TYPES[s.kind] for s in plan.strategy.stages)
    assert plan.reason.endswith(".")
    assert "None" not in plan.reason
    if plan.verdict == "too_large":
        assert any(need.total_bytes > need.capacity_bytes for need in plan.needs)
        assert plan.write_tokens_per_s == 0.0
        return
    assert plan.read_tokens_per_s > plan.write_tokens_per_s > 0
    assert all(need.total_bytes <= need.capacity_bytes for need in plan.needs)
    again = choose(shape(label), hardware, plan.strategy)
    assert (again.verdict, again.needs) == (plan.verdict, plan.needs)


def test_needs_are_those_of_the_weights_and_have_no_length_of_chat():
    needs = needs_of(shape("1.5b"), MACHINES["laptop 16 GB"], Strategy.parse("cpu bf16"))
    (need,) = needs
    model = shape("1.5b")
    vectors = (19 * model.layers + 2) * model.width
    assert need.weights_bytes == pytest.approx(2 * model.parameters + 2 * vectors, rel=1e-3)
    assert need.state_bytes == model.state_bytes
    assert need.total_bytes == need.weights_bytes + need.state_bytes + need.workspace_bytes


def test_deep_embed_needs_no_memory_for_its_tables_and_none_of_our_engine_for_cards():
    plain, deep = shape("0.1b"), replace(shape("0.1b"), deep=32)
    assert deep.table_parameters > 4 * plain.parameters
    small = MACHINES["laptop 4 GB"]
    assert choose(deep, small).verdict == "fits"
    (one,) = needs_of(plain, small, Strategy.parse("cpu fp16"))
    (other,) = needs_of(deep, small, Strategy.parse("cpu fp16"))
    inner = plain.layers * (1024 * 768 + 32 * (768 + 3072))
    assert other.weights_bytes - one.weights_bytes == pytest.approx(2 * inner, rel=0.02)
    for hardware in MACHINES.values():
        assert choose(deep, hardware).strategy.card_weights not in ("int8", "q4")
    before, after = (choose(s, small).write_tokens_per_s for s in (plain, deep))
    assert 0.8 * before < after < before


def test_the_embedding_stays_in_main_memory():
    model = shape("7.2b")
    card_need, host = needs_of(model, MACHINES["card 24 GB"], Strategy.parse("cuda fp16"))
    assert (card_need.device, host.device) == ("cuda", "cpu")
    assert host.weights_bytes == 2 * model.vocab * model.width
    assert host.state_bytes == 0


def test_apple_memory_is_counted_once():
    (need,) = needs_of(shape("1.5b"), MACHINES["Apple 16 GB"], Strategy.parse("mps fp16"))
    assert need.device == "mps"
    assert need.weights_bytes > 3.0e9


def test_cuda_and_cuda_0_are_one_device():
    strategy = Strategy.parse("cuda fp16 *3 -> cuda:0 fp32 *2 -> cpu fp32")
    needs = needs_of(shape("0.1b"), MACHINES["card 8 GB"], strategy)
    assert [need.device for need in needs] == ["cuda", "cpu"]


@pytest.mark.parametrize(
    ("name", "label", "wanted", "verdict", "said"),
    [
        ("laptop 16 GB", "1.5b", "cpu fp32", "fits", "6.0 GB of memory and 11.0 GB are free"),
        ("laptop 16 GB", "2.9b", "cpu fp32", "tight", "but only 11.0 GB are free"),
        ("card 8 GB", "7.2b", "cuda fp16", LARGE, "“cuda fp16 *14 -> cpu fp16” has the room"),
        ("laptop 16 GB", "0.1b", "cuda fp16", LARGE, "no device “cuda”"),
        ("card 8 GB", "0.1b", "cuda:1 fp16", LARGE, "no device “cuda:1”"),
        ("card 24 GB, torch for the processor", "0.1b", "cuda fp16", LARGE, "do this"),
        ("card 8 GB", "0.1b", "cuda int8", "fits", "cannot run “cuda int8”: the installed"),
        ("card 8 GB", "7.2b", "cuda q4", "fits", "cannot run “cuda q4”: the installed"),
        ("card 8 GB", "0.1b", "cuda fp16 *3+", "fits", "cannot run “cuda fp16 *3+” yet"),
        ("laptop 16 GB", "0.1b", "cpu int8", "fits", "made without a C++ compiler"),
    ],
)
def test_exactly_what_is_wanted(name, label, wanted, verdict, said):
    plan = choose(shape(label), MACHINES[name], Strategy.parse(wanted))
    assert str(plan.strategy) == wanted
    assert plan.verdict == verdict
    assert said in plan.reason


def test_auto_keeps_the_threads():
    plan = choose(shape("0.1b"), MACHINES["laptop 16 GB"], Strategy.parse("auto @3"))
    assert str(plan.strategy) == "cpu fp16 @3"


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        (
            "card 12 GB",
            "2.9b",
            "Runs on your NVIDIA GeForce RTX 4070 (12 GB): it needs 5.9 GB there and 11.2 GB are "
            "free, whatever the length of the chat.",
        ),
        (
            "laptop 16 GB",
            "1.5b",
            "Runs on your processor (Intel Core i7-8550U): it needs 3.4 GB of memory and 11.0 GB "
            "are free, whatever the length of the chat.",
        ),
        ("card 8 GB", "7.2b", "14 of 32 layers run on the graphics card, the others on your"),
        ("two cards 24 GB", "13.3b", "Shared between your graphics cards: it needs"),
        ("laptop 16 GB, busy", "2.9b", "but only 1.2 GB are free"),
        ("laptop 16 GB, busy", "2.9b", "Close other programs first."),
        ("desktop 32 GB, AVX-512 BF16", "13.3b", "That leaves little room for other programs."),
        ("laptop 8 GB", "7.2b", "Too large for this computer: it needs 14.1 GB of memory"),
        ("laptop 8 GB", "7.2b", "The 1.5B model fits."),
        ("laptop 16 GB, busy", "7.2b", "No released model fits right now."),
        ("card 24 GB, torch for the processor", "1.5b", "RTX 4090 (24 GB) is not used. The inst"),
        ("Apple 16 GB", "1.5b", "Apple M2 (10.6 GB of the shared memory)"),
    ],
)
def test_the_reason_in_plain_words(name, label, said):
    assert said in choose(shape(label), MACHINES[name]).reason


def test_not_enough_memory_names_the_strategy_that_fits():
    with pytest.raises(NotEnoughMemory) as caught:
        require_room(shape("7.2b"), MACHINES["card 8 GB"], Strategy.parse("cuda fp16"))
    assert caught.value.suggestion == "cuda fp16 *14 -> cpu fp16"
    assert caught.value.suggestion in caught.value.hint


def test_not_enough_memory_at_all():
    with pytest.raises(NotEnoughMemory, match="Too large for this computer") as caught:
        require_room(shape("13.3b"), MACHINES["laptop 8 GB"], Strategy.parse("auto"))
    assert caught.value.suggestion == ""


def test_room_is_enough():
    plan = require_room(shape("0.1b"), MACHINES["laptop 4 GB"], Strategy.parse("cpu fp32"))
    assert plan.verdict == "fits"


def test_a_faster_memory_writes_faster_and_more_cores_read_faster():
    def speeds(**more):
        plan = choose(shape("1.5b"), machine(32, 28, sets=AVX512, **more))
        return plan.read_tokens_per_s, plan.write_tokens_per_s

    slow, fast, wide = speeds(read=20e9), speeds(read=60e9), speeds(read=20e9, cores=16)
    assert fast[1] > 2 * slow[1]
    assert wide[0] > 2 * slow[0]


def test_a_card_beats_the_processor_even_unknown():
    hardware = machine(32, 26, card(12, 11, read=None), build=CU130)
    assert str(choose(shape("1.5b"), hardware).strategy) == "cuda fp16"


@pytest.mark.parametrize(
    ("hardware", "label", "strategy", "measured"),
    [
        (machine(23.5, 22, sets=AVX512, read=35e9, cores=2), "0.1b", "cpu fp32", (675, 22)),
        (machine(23.5, 22, sets=AVX512, read=35e9, cores=2), "0.1b", "cpu bf16", (636, 34)),
        (machine(23.5, 22, sets=AVX512, read=35e9, cores=2), "0.1b", "cpu fp16", (699, 60)),
        (machine(126, 120, sets=AVX512, read=196e9, cores=16), "1.5b", "cpu fp32", (223, 13)),
        (machine(126, 120, sets=AVX512, read=196e9, cores=16), "1.5b", "cpu fp16", (166, 12)),
        (
            machine(126, 120, card(80, 79, "NVIDIA H100", read=3352e9), build=CU130),
            "1.5b",
            "cuda fp16",
            (8784, 164),
        ),
    ],
)
def test_predictions_are_near_what_was_measured(hardware, label, strategy, measured):
    plan = choose(shape(label), hardware, Strategy.parse(strategy))
    assert measured[0] / 2 < plan.read_tokens_per_s < measured[0] * 2
    assert measured[1] / 2 < plan.write_tokens_per_s < measured[1] * 2


def test_an_apple_machine_with_much_memory_holds_a_large_model():
    hardware = machine(64, 50, card(48, 46, "Apple M3 Max", kind="mps", read=300e9), build=APPLE)
    assert str(choose(shape("13.3b"), hardware).strategy) == "mps fp16"


def test_a_container_of_half_a_gigabyte_holds_nothing():
    plan = choose(shape("0.1b"), machine(0.5, 0.4))
    assert plan.verdict == "too_large"
    assert plan.needs[0].capacity_bytes < GB


NATIVE = [
    ("laptop 4 GB", "avx2", "1.5b", "cpu int8", "tight"),
    ("laptop 8 GB", "avx2", "2.9b", "cpu int8", "fits"),
    ("laptop 16 GB", "avx2", "0.1b", "cpu int8", "fits"),
    ("laptop 16 GB", "avx2", "7.2b", "cpu int8", "fits"),
    ("old desktop without AVX2", "portable", "0.1b", "cpu int8", "fits"),
    ("desktop 32 GB, AVX-512 BF16", "avx512vnni", "7.2b", "cpu int8", "fits"),
    ("card 8 GB", "avx2", "2.9b", "cuda fp16", "fits"),
    ("card 12 GB", "avx2", "13.3b", "cpu int8", "fits"),
    ("card 24 GB", "avx2", "13.3b", "cuda fp16 *50 -> cpu fp16", "fits"),
]


@pytest.mark.parametrize(("name", "sets", "label", "strategy", "verdict"), NATIVE)
def test_the_choice_with_the_native_engine(name, sets, label, strategy, verdict):
    plan = choose(shape(label), replace(MACHINES[name], native=sets))
    assert (str(plan.strategy), plan.verdict) == (strategy, verdict)
    assert "cannot run" not in plan.reason


@pytest.mark.parametrize("sets", ["", "portable", "avx2", "avx512vnni"])
def test_a_narrow_model_keeps_its_bits(sets):
    """The built-in one: int8 would be held as fp16, and bf16 would lose bits of its fp16."""
    narrow = inspect(require_built_in()).shape
    hardware = replace(MACHINES["laptop 16 GB"], native=sets)
    assert choose(narrow, hardware).strategy.native_weights in ("fp32", "fp16")
    fp16, int8 = (
        needs_of(narrow, replace(hardware, native="avx2"), Strategy.parse(text))
        for text in ("cpu fp16", "cpu int8")
    )
    assert fp16 == int8


def test_what_the_native_engine_cannot_run_is_planned_for_torch():
    odd = replace(shape("0.4b"), ffn=4000)  # not in groups of 64
    hardware = replace(MACHINES["laptop 16 GB"], native="avx2")
    assert choose(odd, hardware).strategy.native_weights in ("fp32", "bf16", "fp16")


def test_the_quicker_sets_of_a_family_are_not_taken_for_portable():
    machine = MACHINES["laptop 16 GB"]
    plain, quick, slow = (
        choose(shape("1.5b"), replace(machine, native=sets)).read_tokens_per_s
        for sets in ("neon", "neon-i8mm", "portable")
    )
    assert quick == plain > slow


def test_weights_of_the_native_engine_take_half_and_a_quarter():
    hardware = replace(MACHINES["laptop 16 GB"], native="avx2")

    def weights_bytes(text):
        (need,) = needs_of(shape("1.5b"), hardware, Strategy.parse(text))
        return need.weights_bytes

    parameters = shape("1.5b").parameters
    assert weights_bytes("cpu fp32") == pytest.approx(4 * parameters, rel=0.01)
    assert weights_bytes("cpu int8") == pytest.approx(1.03 * parameters, rel=0.01)
    assert 0.55 * parameters < weights_bytes("cpu q4") < 0.7 * parameters


def test_the_native_engine_is_predicted_to_be_faster_than_torch():
    torch_alone = machine(23.5, 22, sets=AVX512, read=35e9, cores=2)
    native = replace(torch_alone, native="avx512vnni")
    for text in ("cpu fp32", "cpu bf16", "cpu fp16"):
        before = choose(shape("0.4b"), torch_alone, Strategy.parse(text))
        after = choose(shape("0.4b"), native, Strategy.parse(text))
        assert after.write_tokens_per_s > before.write_tokens_per_s


ON_CARDS = [
    ("laptop card 4 GB", "0.4b", "cuda int8", "fits"),
    ("laptop card 4 GB", "1.5b", "cuda int8", "fits"),
    ("laptop card 4 GB", "2.9b", "cuda fp16 *16 -> cpu fp16", "fits"),
    ("card 8 GB", "2.9b", "cuda int8", "fits"),
    ("card 8 GB", "7.2b", "cuda q4", "fits"),
    ("card 12 GB", "7.2b", "cuda int8", "fits"),
    ("card 12 GB", "13.3b", "cuda q4", "fits"),
    ("card 24 GB", "13.3b", "cuda int8", "fits"),
    ("two cards 24 GB", "13.3b", "cuda:1 int8", "fits"),
    ("a large and a small card", "7.2b", "cuda:1 int8", "fits"),
    ("Apple 16 GB", "2.9b", "mps fp16", "fits"),
    ("card 24 GB, torch for the processor", "7.2b", "cpu fp16", "fits"),
]


@pytest.mark.parametrize(("name", "label", "strategy", "verdict"), ON_CARDS)
def test_the_choice_with_the_engine_for_cards(name, label, strategy, verdict):
    plan = choose(shape(label), replace(MACHINES[name], cuda_engine=True))
    assert (str(plan.strategy), plan.verdict) == (strategy, verdict)
    assert "cannot run" not in plan.reason


SHARED = [
    ("laptop card 4 GB", "1.5b", "cuda int8", "fits"),
    ("laptop card 4 GB", "2.9b", "cuda int8 *29 -> cpu int8", "fits"),
    ("laptop card 4 GB", "7.2b", "cuda int8 *11 -> cpu int8", "fits"),
    ("laptop card 4 GB", "13.3b", "cuda int8 *10 -> cpu int8", "tight"),
    ("card 8 GB", "7.2b", "cuda q4", "fits"),
    ("card 8 GB", "13.3b", "cuda int8 *27 -> cpu int8", "fits"),
    ("card 12 GB, busy", "0.4b", "cuda int8 *14 -> cpu int8", "fits"),
    ("Apple 16 GB", "2.9b", "mps fp16", "fits"),
]


@pytest.mark.parametrize(("name", "label", "strategy", "verdict"), SHARED)
def test_the_choice_with_both_engines(name, label, strategy, verdict):
    hardware = replace(MACHINES[name], cuda_engine=True, native="avx2")
    plan = choose(shape(label), hardware)
    assert (str(plan.strategy), plan.verdict) == (strategy, verdict)
    assert "cannot run" not in plan.reason
    if "->" in strategy:
        layers = plan.strategy.stages[0].layers
        said = f"{layers} of {shape(label).layers} layers run on the graphics card"
        assert said in plan.reason


def test_what_both_engines_share_is_needed_once():
    hardware = replace(MACHINES["card 8 GB"], cuda_engine=True, native="avx2")
    both = needs_of(shape("7.2b"), hardware, Strategy.parse("cuda int8 *20 -> cpu int8"))
    assert [need.device for need in both] == ["cuda", "cpu"]
    on_card, rest = both
    table = 2 * 65536 * 4096
    assert on_card.weights_bytes + rest.weights_bytes == pytest.approx(
        1.03 * (shape("7.2b").parameters - table / 2) + table, rel=0.02
    )
    assert on_card.weights_bytes == pytest.approx(rest.weights_bytes * 20 / 12, rel=0.25)
    assert rest.state_bytes == shape("7.2b").state_bytes  # whole states are on the host
    beside = on_card.workspace_bytes - empty_need(hardware, "cuda").workspace_bytes
    slack = 0.01 * on_card.weights_bytes  # what torch's allocator rounds up
    assert beside == pytest.approx(card_workspace_bytes(shape("7.2b"), "int8") + slack)


def test_q4_is_not_chosen_unasked_where_it_loses_much():
    hardware = replace(MACHINES["laptop card 4 GB"], cuda_engine=True)
    assert "q4" not in str(choose(shape("2.9b"), hardware).strategy)
    assert choose(shape("2.9b"), hardware, Strategy.parse("cuda q4")).verdict == "fits"


def test_a_card_older_than_turing_is_left_to_torch():
    old = machine(32, 26, card(8, 7.5, capability=(6, 1)), build=CU130)
    assert str(choose(shape("0.4b"), replace(old, cuda_engine=True)).strategy) == "cuda fp16"


def test_the_engine_for_cards_is_predicted_as_measured_on_the_prototype():
    h100 = machine(126, 120, card(80, 79, "NVIDIA H100", read=3352e9), build=CU130)
    engine = replace(h100, cuda_engine=True)
    for label, text, ms in (("1.5b", "cuda fp16", 1.06), ("7.2b", "cuda fp16", 4.04)):
        plan = choose(shape(label), engine, Strategy.parse(text))
        assert ms / 1.5 < 1000 / plan.write_tokens_per_s < ms * 1.5
        slower = choose(shape(label), h100, Strategy.parse(text))
        assert plan.write_tokens_per_s > slower.write_tokens_per_s


def test_what_a_large_card_takes_besides_is_what_was_measured():
    """On an H100: 900 MB for context, code and cuBLAS; two states, since a step writes another."""
    large = replace(machine(126, 120, card(80, 79), build=CU130), cuda_engine=True)
    small = replace(machine(126, 120, card(24, 23), build=CU130), cuda_engine=True)
    assert empty_need(large, "cuda").workspace_bytes == 900_000_000
    assert empty_need(small, "cuda").workspace_bytes == 500_000_000
    on_card = needs_of(shape("1.5b"), large, Strategy.parse("cuda fp16"))[0]
    assert on_card.state_bytes == 2 * shape("1.5b").state_bytes
