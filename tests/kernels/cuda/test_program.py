"""Programs and launches on a driver without a card, which writes down what it is told."""

import ctypes
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kernels.cuda import program as programs
from kernels.cuda.arguments import CudaProblem
from kernels.cuda.cubins import CubinCache
from kernels.cuda.driver import Driver
from kernels.cuda.program import SHARED_BYTES_OF_ALL, CardPrograms, Program, joined

STREAM = 0x1234_5678_9ABC
SOURCE = "KERNEL(64) scale(float* x, long long n, float by) { if (threadIdx.x < n) x[0] *= by; }\n"


class Seen(ctypes.Structure):
    """As stub_driver.cpp's."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("attribute_count", ctypes.c_uint),
        ("attribute", ctypes.c_int),
        ("allowed", ctypes.c_int),
        ("launches", ctypes.c_int),
        ("modules", ctypes.c_int),
        ("pushed", ctypes.c_int),
        ("allowed_bytes", ctypes.c_int),
        ("carveout", ctypes.c_int),
        ("stream", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("number", ctypes.c_int64),
        ("fraction", ctypes.c_float),
    )


@dataclass
class Stub:
    library: ctypes.CDLL

    @property
    def seen(self) -> Seen:
        return Seen.in_dll(self.library, "seen")

    def set(self, name: str, value: int) -> None:
        ctypes.c_int.in_dll(self.library, name).value = value


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    made = tmp_path_factory.mktemp("stub") / "stub.so"
    source = Path(__file__).with_name("stub_driver.cpp")
    subprocess.run(["c++", "-shared", "-fPIC", "-o", str(made), str(source)], check=True)
    return ctypes.CDLL(str(made))


@pytest.fixture
def stub(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    stub = Stub(library)
    ctypes.memset(ctypes.addressof(stub.seen), 0, ctypes.sizeof(Seen))
    monkeypatch.setattr(programs, "find_driver", lambda: Driver(library))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(
        torch.cuda, "current_stream", lambda _=None: SimpleNamespace(cuda_stream=STREAM)
    )
    yield stub
    stub.set("need_context", 0)
    stub.set("refuse_modules", 0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "scale.cu"
    path.write_text(SOURCE)
    return path


def test_the_driver_is_told_sizes_stream_and_arguments(stub: Stub, source: Path) -> None:
    x = torch.zeros(4)
    kernel = Program([source], 0).kernel("scale")
    launch = kernel.bind((7, 2), 64, [x, -(1 << 40), 0.5], shared_bytes=1024)
    launch.run()
    seen = stub.seen
    assert (list(seen.grid), list(seen.block), seen.shared_bytes) == ([7, 2, 1], [64, 1, 1], 1024)
    assert (seen.stream, seen.address, seen.number) == (STREAM, x.data_ptr(), -(1 << 40))
    assert (seen.fraction, seen.attribute_count, seen.allowed_bytes) == (0.5, 0, 0)
    assert seen.carveout == 100
    launch.run()
    assert seen.launches == 2


def test_a_dependent_launch_may_begin_early(stub: Stub, source: Path) -> None:
    kernel = Program([source], 0).kernel("scale")
    kernel.launch(1, 64, [None, 0, 0.0], dependent=True)
    assert (stub.seen.attribute_count, stub.seen.attribute, stub.seen.allowed) == (1, 6, 1)


def test_cards_before_hopper_know_no_dependent_launches(
    stub: Stub, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 9))
    Program([source], 0).kernel("scale").launch(1, 64, [None, 0, 0.0], dependent=True)
    assert (stub.seen.launches, stub.seen.attribute_count) == (1, 0)


def test_much_shared_memory_is_asked_for_once(stub: Stub, source: Path) -> None:
    kernel = Program([source], 0).kernel("scale")
    kernel.bind(1, 64, [None, 0, 0.0], shared_bytes=100_000)
    assert stub.seen.allowed_bytes == 100_000
    kernel.bind(1, 64, [None, 0, 0.0], shared_bytes=60_000)
    assert stub.seen.allowed_bytes == 100_000


def test_static_and_dynamic_memory_count_together(stub: Stub, source: Path) -> None:
    kernel = Program([source], 0).kernel("scale")
    static = kernel.resources[2]
    assert static
    just_too_much = SHARED_BYTES_OF_ALL - static + 1
    kernel.bind(1, 1, [torch.zeros(4), 0, 0.0], shared_bytes=just_too_much)
    assert stub.seen.allowed_bytes == just_too_much


def test_a_thread_without_a_context_is_lent_the_cards(stub: Stub, source: Path) -> None:
    kernel = Program([source], 0).kernel("scale")
    stub.set("need_context", 1)
    kernel.launch(1, 64, [None, 0, 0.0])
    assert stub.seen.launches == 1
    assert ctypes.c_int.in_dll(stub.library, "depth").value == 0


def test_what_fails_is_one_kind_of_error(stub: Stub, source: Path, tmp_path: Path) -> None:
    program = Program([source], 0)
    with pytest.raises(CudaProblem, match="finding the kernel none: named symbol not found"):
        program.kernel("none")
    stub.set("refuse_modules", 1)
    with pytest.raises(CudaProblem, match="ModuleLoadData"):
        Program([source], 0)
    wrong = tmp_path / "wrong.cu"
    wrong.write_text("\n\nKERNEL(1) wrong() { nothing; }")
    with pytest.raises(CudaProblem, match=r'wrong\.cu\(3\): error: identifier "nothing"'):
        Program([wrong], 0)


def test_kept_code_is_not_compiled_again(
    stub: Stub, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CubinCache(tmp_path / "cubins")
    Program([source], 0, {"A": 1}, cache)
    compiler = programs.find_compiler()
    compiled: list[object] = []
    actual = compiler.compile
    monkeypatch.setattr(
        compiler, "compile", lambda *all_: (compiled.append(all_[2]), actual(*all_))[1]
    )
    Program([source], 0, {"A": 1}, cache)
    assert compiled == []
    Program([source], 0, {"A": 2}, cache)
    assert compiled == [{"A": 2}]
    stub.set("refuse_modules", 1)  # the driver does not like what was kept
    Program([source], 0, {"A": 1}, cache)
    assert compiled == [{"A": 2}, {"A": 1}]


def test_programs_are_made_once_and_closed(stub: Stub, source: Path) -> None:
    all_programs = CardPrograms(0)
    one = all_programs([source], {"A": 1})
    assert all_programs([source], {"A": 1}) is one
    assert all_programs([source], {"A": 2}) is not one
    assert stub.seen.modules == 2
    all_programs.close()
    all_programs.close()
    assert stub.seen.modules == 0
    with pytest.raises(CudaProblem, match="closed"):
        one.kernel("scale")


def test_resources_of_a_kernel(stub: Stub, source: Path) -> None:
    del stub
    assert Program([source], 0).kernel("scale").resources == (40, 30, 10)


def test_device_comes_first_and_once() -> None:
    text = joined(["sampler.cu", "device.cuh"])
    assert text.startswith('#line 1 "device.cuh"\n')
    assert text.count('#line 1 "device.cuh"') == 1
    assert '#line 1 "sampler.cu"\n' in text
