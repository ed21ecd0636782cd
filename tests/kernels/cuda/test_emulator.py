"""The emulator itself: what its threads and numbers must do, and what it must find."""

from pathlib import Path

import pytest
import torch

from kernels.cuda.arguments import CudaProblem
from tests.kernels.cuda.emulator import EmulatedProgram, EmulatedPrograms

SAMPLES = [Path(__file__).parent / "emulator" / "samples.cu"]


@pytest.fixture(params=["forward", "backward"])
def program(request: pytest.FixtureRequest) -> EmulatedProgram:
    return EmulatedPrograms(backward=request.param == "backward")(SAMPLES)


@pytest.fixture
def checked() -> EmulatedProgram:
    return EmulatedPrograms(checked=True)(SAMPLES)


def test_sums_of_many_blocks(program: EmulatedProgram) -> None:
    x, y = torch.randn(100_000, dtype=torch.float64).float(), torch.zeros(70)
    program.kernel("sums").launch(70, 256, [x, y, x.numel()])
    assert float(y.double().sum()) == pytest.approx(float(x.double().sum()), abs=1e-3)


def test_lanes_exchange(program: EmulatedProgram) -> None:
    y = torch.zeros(64, 8, dtype=torch.int32)
    program.kernel("exchanges").launch(1, 64, [y])
    t = torch.arange(64)
    lane, warp = t % 32, t // 32 * 32
    expected = [
        warp + 5,
        t ^ 3,
        torch.where(lane < 28, t + 4, t),
        torch.where(lane >= 4, t - 4, t),
        t // 8 * 8 + 1,
        torch.where(t < 32, sum(1 << i for i in range(0, 32, 3)), _ballot_of_second_warp()),
        torch.where(lane < 16, t ^ 1, t ^ 2),
        torch.full((64,), 22),
    ]
    assert torch.equal(y, torch.stack(expected, 1).to(torch.int32))


def _ballot_of_second_warp() -> int:
    bits = sum(1 << i for i in range(32) if (32 + i) % 3 == 0)
    return bits - (1 << 32) if bits >> 31 else bits


def test_parts_of_a_block_wait_for_themselves(program: EmulatedProgram) -> None:
    y = torch.zeros(128)
    program.kernel("named").launch(1, 128, [y])
    expected = torch.cat([torch.arange(63, -1, -1), torch.arange(127, 63, -1)])
    assert torch.equal(y, expected.float())


def test_every_half_and_bf16_has_its_value() -> None:
    bits = torch.arange(65536, dtype=torch.int32).to(torch.uint16)
    y, u = torch.zeros(65536), torch.zeros(65536)
    arguments = [bits.view(torch.float16), bits.view(torch.bfloat16), y, u]
    EmulatedProgram(SAMPLES).kernel("from_halves").launch(256, 256, arguments)
    assert torch.equal(y.nan_to_num(7), bits.view(torch.float16).float().nan_to_num(7))
    assert torch.equal(u.nan_to_num(7), bits.view(torch.bfloat16).float().nan_to_num(7))


def test_rounding_is_to_the_nearest_even() -> None:
    x = torch.randn(4096) * torch.logspace(-12, 8, 4096)
    x[:6] = torch.tensor([65504.0, 65519.9, 65520.0, -1e30, float("inf"), 2.0**-25])
    y, z = torch.zeros(4096, dtype=torch.float16), torch.zeros(4096, dtype=torch.bfloat16)
    EmulatedProgram(SAMPLES).kernel("to_halves").launch(16, 256, [x, y, z])
    assert torch.equal(y, x.half())
    assert torch.equal(z, x.bfloat16())


def test_pairs_of_halves() -> None:
    x, y, z = (torch.randn(64, 2).half() for _ in range(3))
    sums = torch.zeros(3, 64, dtype=torch.int32)
    EmulatedProgram(SAMPLES).kernel("pairs").launch(1, 64, [x, y, z, sums])
    fma, add, mul = sums.view(torch.float16).view(3, 64, 2)
    assert torch.equal(add, x + y)
    assert torch.equal(mul, x * y)
    torch.testing.assert_close(fma, (x.double() * y + z).half(), atol=0, rtol=2**-10)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_tensor_cores_and_tiles(program: EmulatedProgram, kind: torch.dtype) -> None:
    a, b, out = torch.randn(16, 16).to(kind), torch.randn(8, 16).to(kind), torch.zeros(16, 8)
    if kind == torch.float16:
        program.kernel("product_half").launch(1, 32, [a, b, out])
    else:
        across = [a.T.contiguous(), b.T.contiguous(), out]
        program.kernel("product_bf16").launch(1, 32, across)
    torch.testing.assert_close(out, a.float() @ b.float().T + 1)


def test_words() -> None:
    x = torch.tensor([0x80FF7F01 - (1 << 32)] * 32, dtype=torch.int32)
    y = torch.zeros(2, 32, dtype=torch.int32)
    EmulatedProgram(SAMPLES).kernel("words").launch(1, 32, [x, y])
    assert y[0, 0] == 0x647F6401
    assert y[1, 0] == 1 * 3 + 127 * 2 + -1 * -1 + -128 * 1 + 5


def test_dynamic_shared_memory_must_be_asked_for(program: EmulatedProgram) -> None:
    y = torch.zeros(64)
    program.kernel("dynamic").launch(1, 64, [y], shared_bytes=256)
    assert torch.equal(y, torch.arange(63.0, -1, -1))
    with pytest.raises(CudaProblem, match="did not ask for"):
        program.kernel("dynamic").launch(1, 64, [y])


def test_a_wait_that_never_ends_ends(program: EmulatedProgram) -> None:
    with pytest.raises(CudaProblem, match="waits"):
        program.kernel("lost_barrier").launch(1, 64, [])


def test_a_missing_barrier_reads_what_was_not_written(program: EmulatedProgram) -> None:
    y = torch.zeros(64)
    program.kernel("race").launch(1, 64, [y])
    assert y.isnan().any()


def test_a_copy_is_not_there_before_its_wait(program: EmulatedProgram) -> None:
    y = torch.zeros(32)
    program.kernel("early_copy").launch(1, 32, [torch.ones(128), y])
    assert y.isnan().all()


def test_what_a_card_punishes_is_named(program: EmulatedProgram) -> None:
    x, y = torch.zeros(256), torch.zeros(32)
    with pytest.raises(CudaProblem, match=r"not aligned at samples\.cu:\d+"):
        program.kernel("unaligned").launch(1, 32, [x, y])
    with pytest.raises(CudaProblem, match=r"index \d+ outside its array at samples\.cu"):
        program.kernel("outside_array").launch(1, 32, [y])


def test_arguments_are_checked(program: EmulatedProgram) -> None:
    y = torch.zeros(64)
    with pytest.raises(CudaProblem, match="takes 3 arguments, not 1"):
        program.kernel("sums").launch(1, 256, [y])
    with pytest.raises(CudaProblem, match="Argument 2 of sums is of kind i, not f"):
        program.kernel("sums").launch(1, 256, [y, y, 64.0])
    with pytest.raises(CudaProblem, match="no kernel nobody"):
        program.kernel("nobody")


def test_memory_outside_the_tensors_is_not_touched(checked: EmulatedProgram) -> None:
    x, y = torch.zeros(33), torch.zeros(32)
    checked.kernel("outside_tensor").launch(1, 32, [x, y])
    with pytest.raises(CudaProblem, match="a load of 4 bytes outside all tensors: byte 128 of"):
        checked.kernel("outside_tensor").launch(1, 32, [x[:32], y])


def test_dependent_launches_touch_nothing_early(checked: EmulatedProgram) -> None:
    w, x, y, z = (torch.ones(32) for _ in range(4))
    kernel = checked.kernel("dependent")
    kernel.launch(1, 32, [w, x, y, 0])
    kernel.launch(1, 32, [w, y, z, 0], dependent=True)
    assert torch.equal(z, torch.full((32,), 3.0))
    for how, problem in ((1, "a load, before the wait"), (2, "a store before the wait")):
        with pytest.raises(CudaProblem, match=problem):
            kernel.launch(1, 32, [w, y, x, how], dependent=True)
    with pytest.raises(CudaProblem, match="waits for none"):
        kernel.launch(1, 32, [w, y, x, 3], dependent=True)
