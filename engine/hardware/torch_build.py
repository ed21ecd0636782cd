"""Which torch is installed, and which cards it can use: read from its files, never imported."""

import importlib.util
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from engine.installation import Installation

GET_PACK = "get the GPU pack in Settings > Inference"
GET_GPU_BUILD = f"{GET_PACK}, or run “python installers/bootstrap.py run --gpu” once"
"""The same where Skein runs from its sources: the README's line."""


@dataclass(frozen=True, slots=True)
class CudaBuild:
    """One of PyTorch's CUDA builds: the cards it has code for and the driver it needs."""

    name: str
    capability_min: tuple[int, int]
    capability_max: tuple[int, int]
    driver_min: int

    def has_code_for(self, capability: tuple[int, int]) -> bool:
        """Whether a card runs: code for a generation runs on its later members too."""
        newest = (self.capability_max[0], 99)
        return self.capability_min <= capability <= newest


def gpu_table() -> dict:
    """Return resources/gpus.toml: builds and bandwidths."""
    return tomllib.loads(files("resources").joinpath("gpus.toml").read_text(encoding="utf-8"))


def cuda_builds() -> dict[str, CudaBuild]:
    """Return the CUDA builds that are known, by name (cu126 ...), oldest first."""
    return {
        name: CudaBuild(
            name, tuple(row["capability_min"]), tuple(row["capability_max"]), row["driver_min"]
        )
        for name, row in gpu_table()["builds"].items()
    }


def read_build() -> str:
    """Return torch's version with its build, such as "2.13.0+cu130", or "" when there is none."""
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.origin:
        return ""
    text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    return parse_version_file(text, sys.platform)


def parse_version_file(text: str, system: str) -> str:
    """Return the build that torch/version.py describes; the default wheels do not name theirs."""
    found = dict(
        re.findall(r"^(\w+)(?:\s*:[^=\n]*)?\s*=\s*['\"]([^'\"]*)['\"]", text, re.MULTILINE)
    )
    version = found.get("__version__", "")
    if not version or "+cpu" in version or re.search(r"\+(cu|rocm|xpu)", version):
        return version
    public = version.partition("+")[0]
    if cuda := found.get("cuda"):
        return f"{public}+cu{cuda.replace('.', '')}"
    for name, build in (("hip", "rocm"), ("rocm", "rocm"), ("xpu", "xpu")):
        if found.get(name):
            return f"{public}+{build}{'.'.join(found[name].split('.')[:2])}"
    return public if system == "darwin" else f"{public}+cpu"


def nvidia_obstacle(build: str, capability: tuple[int, int] | None, driver: str) -> str:
    """Return why torch ``build`` cannot use an NVIDIA card, as a sentence, or "" when it can."""
    if not build:
        return f"PyTorch is not installed: {_get_gpu_build()}."
    tag = build.partition("+")[2]
    if not tag.startswith("cu"):
        return (
            f"The installed PyTorch ({build}) is not made for NVIDIA cards: {_get_gpu_build()} "
            "(about 3 GB)."
        )
    builds = cuda_builds()
    ours = builds.get(tag) or _nearest(tag, builds)
    if capability and not ours.has_code_for(capability):
        return _no_code(build, capability, builds)
    major = re.match(r"\d+", driver)
    if major and int(major[0]) < ours.driver_min:
        return (
            f"The NVIDIA driver {driver} is too old for the installed PyTorch ({build}), which "
            f"needs {ours.driver_min} or newer: update the driver, or {_get_gpu_build()} to "
            "have a PyTorch that suits it."
        )
    return ""


def amd_obstacle(build: str) -> str:
    """Return why torch ``build`` cannot use an AMD card, or "" when it can."""
    if "+rocm" in build:
        return ""
    return (
        f"The installed PyTorch ({build or 'none'}) is not made for AMD cards: on Linux install "
        "PyTorch's ROCm build as the README describes; elsewhere the processor does the work."
    )


def intel_obstacle(build: str) -> str:
    """Return why torch ``build`` cannot use an Intel card, or "" when it can."""
    if "+xpu" in build:
        return ""
    return (
        f"The installed PyTorch ({build or 'none'}) is not made for Intel cards: install "
        "PyTorch's XPU build as the README describes."
    )


def _get_gpu_build() -> str:
    """Return what a user does to get torch for the card."""
    return GET_PACK if Installation.find() is not None else GET_GPU_BUILD


def _no_code(build: str, capability: tuple[int, int], builds: dict[str, CudaBuild]) -> str:
    card = f"compute capability {capability[0]}.{capability[1]}"
    if any(other.has_code_for(capability) for other in builds.values()):
        return (
            f"The installed PyTorch ({build}) has no code for this card ({card}): "
            f"{_get_gpu_build()} to have the one that does."
        )
    oldest = next(iter(builds.values())).capability_min
    if capability < oldest:
        return (
            f"This card ({card}) is too old for PyTorch, which needs {oldest[0]}.{oldest[1]} "
            "or newer: the processor does the work."
        )
    return f"This card ({card}) is newer than the PyTorch that Skein knows: update Skein."


def _nearest(tag: str, builds: dict[str, CudaBuild]) -> CudaBuild:
    """Return the newest known build that is not newer than ``tag``, else the oldest."""
    number = int(re.sub(r"\D", "", tag) or 0)
    older = [build for name, build in builds.items() if int(name[2:]) <= number]
    return older[-1] if older else next(iter(builds.values()))
