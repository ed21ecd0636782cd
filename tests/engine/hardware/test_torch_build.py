"""Which cards the installed torch can use, and what is said when it cannot."""

import pytest

from engine.hardware.torch_build import (
    amd_obstacle,
    cuda_builds,
    intel_obstacle,
    nvidia_obstacle,
    parse_version_file,
    read_build,
)

FILE = """from typing import Optional
__all__ = ['__version__', 'debug', 'cuda']
__version__ = '{version}'
debug = False
cuda: Optional[str] = {cuda}
hip: Optional[str] = {hip}
xpu: Optional[str] = None
"""


@pytest.mark.parametrize(
    ("version", "cuda", "hip", "system", "build"),
    [
        ("2.13.0+cpu", "None", "None", "linux", "2.13.0+cpu"),
        ("2.13.0+cu130", "'13.0'", "None", "linux", "2.13.0+cu130"),
        ("2.13.0", "'13.0'", "None", "linux", "2.13.0+cu130"),
        ("2.13.0", "None", "None", "win32", "2.13.0+cpu"),
        ("2.13.0", "None", "None", "darwin", "2.13.0"),
        ("2.13.0", "None", "'7.2.1'", "linux", "2.13.0+rocm7.2"),
        ("2.13.0a0+git1234", "None", "None", "linux", "2.13.0a0+cpu"),
    ],
)
def test_the_build_is_read_from_the_file(version, cuda, hip, system, build):
    assert parse_version_file(FILE.format(version=version, cuda=cuda, hip=hip), system) == build


def test_the_installed_one():
    import torch

    assert read_build().startswith(torch.__version__.partition("+")[0])


@pytest.mark.parametrize(
    ("build", "capability", "driver", "said"),
    [
        ("2.13.0+cu130", (8, 9), "580.65.06", ""),
        ("2.13.0+cu130", (12, 0), "590.1", ""),
        ("2.13.0+cu130", (12, 1), "590.1", ""),
        ("2.13.0+cu126", (6, 1), "560.35", ""),
        ("2.13.0+cu132", (9, 0), "600.1", ""),
        ("2.13.0+cu130", None, "", ""),
        ("2.13.0+cpu", (8, 9), "580.65", "not made for NVIDIA cards"),
        ("", (8, 9), "580.65", "not installed"),
        ("2.13.0+cu130", (6, 1), "580.65", "no code for this card (compute capability 6.1)"),
        ("2.13.0+cu126", (12, 0), "580.65", "no code for this card"),
        ("2.13.0+cu130", (8, 9), "550.54", "driver 550.54 is too old"),
        ("2.13.0+cu126", (3, 5), "470.1", "too old for PyTorch, which needs 5.0"),
        ("2.13.0+cu130", (14, 0), "700.1", "newer than"),
    ],
)
def test_nvidia(build, capability, driver, said):
    told = nvidia_obstacle(build, capability, driver)
    assert said in told
    assert bool(said) == bool(told)
    if told and "too old for PyTorch" not in told and "newer" not in told:
        assert "installers/bootstrap.py run --gpu" in told


def test_amd_and_intel():
    assert amd_obstacle("2.13.0+rocm7.2") == ""
    assert "ROCm" in amd_obstacle("2.13.0+cpu")
    assert intel_obstacle("2.13.0+xpu") == ""
    assert "XPU" in intel_obstacle("")


def test_the_table_of_builds_goes_upwards():
    names = list(cuda_builds())
    assert names == sorted(names)
