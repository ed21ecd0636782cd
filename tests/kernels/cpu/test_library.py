"""The door to the library: what it finds, what it refuses, what it gives back."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.cpu.library import (
    ABI_VERSION,
    PATH_VARIABLE,
    Library,
    NativeError,
    NativeModel,
    Pool,
    Sizes,
    find_library,
)

ROOT = Path(__file__).parents[3]
SIZES = Sizes(2, 320, 5, 64, 512, 100, 16, 24, 8, 32)


def test_it_is_of_this_version_and_knows_this_processor(library: Library) -> None:
    header = (ROOT / "kernels/cpu/skein_cpu.h").read_text("utf-8")
    assert f"#define SKN_ABI_VERSION {ABI_VERSION}\n" in header
    assert library.instruction_sets[-1] == "portable"
    assert library.instruction_set in library.instruction_sets


@pytest.mark.parametrize(
    ("variable", "value", "answer"),
    [(PATH_VARIABLE, "none", "None"), (PATH_VARIABLE, "/nowhere/lib.so", "None")],
)
def test_without_the_library_there_is_none(variable: str, value: str, answer: str) -> None:
    code = "from kernels.cpu.library import find_library; print(find_library())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        **{"env": {variable: value, "PYTHONPATH": str(ROOT)}, "cwd": ROOT},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == answer


@pytest.mark.parametrize(("chosen", "used"), [("portable", "portable"), ("abacus", "")])
def test_the_environment_chooses_the_instruction_set(
    library: Library, monkeypatch: pytest.MonkeyPatch, chosen: str, used: str
) -> None:
    monkeypatch.setenv("SKEIN_CPU", chosen)
    assert library.instruction_set == used


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.so"
    wrong.write_bytes(b"not a library")
    with pytest.raises(OSError, match=r"wrong\.so"):
        Library(wrong)


def test_packed_sizes_follow_the_type(library: Library) -> None:
    sizes = {weights: library.packed_bytes(SIZES, weights) for weights in ("fp32", "bf16", "int8")}
    assert sizes["fp32"] > sizes["bf16"] > sizes["int8"] > 0
    narrow = Sizes(2, 128, 2, 64, 512, 100, 16, 24, 8, 32)
    held = {weights: library.packed_bytes(narrow, weights) for weights in ("fp16", "int8", "q4")}
    assert held["fp16"] == held["int8"] > held["q4"] > 0
    odd = Sizes(2, 100, 2, 50, 512, 100, 16, 24, 8, 32)
    assert library.packed_bytes(odd, "fp32") == 0


def test_errors_come_in_words(library: Library) -> None:
    pool = Pool(library, 1)
    model = NativeModel(library, SIZES, "fp32", pool)
    with pytest.raises(NativeError, match="no tensor"):
        model.tensor("blocks.0.att.nothing", "fp32", 0x1000, 1)
    with pytest.raises(NativeError):
        model.ready()
    with pytest.raises(NativeError, match="not 0"):
        Pool(library, 0)


def test_handles_close_once_and_by_themselves(library: Library) -> None:
    model = NativeModel(library, SIZES, "int8", Pool(library, 2))
    assert (model.threads, model.weights_bytes) == (2, library.packed_bytes(SIZES, "int8"))
    model.close()
    model.close()
    del model
    Pool(library, 2)
    gc.collect()


def test_it_is_loaded_once() -> None:
    assert find_library() is find_library()
