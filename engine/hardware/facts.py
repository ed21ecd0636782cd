"""The facts about a computer as frozen values, and their JSON. Knows nothing of how to look."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from engine.errors import EngineError

GPU_KINDS = ("cuda", "mps", "xpu")

_ONE_CORE_READS = 0.6
"""Of what several read from memory: one core of an EPYC 21 of 35 GB/s; half of more reach all."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics card. Sizes in bytes, bandwidth in bytes/s (None: unknown).

    ``kind`` is torch's word for it ("cuda" also for AMD); ``index`` is torch's number.
    ``capability`` is NVIDIA's compute capability. ``why_not`` is empty when ``usable``, else a
    sentence that says what to do.
    """

    index: int
    name: str
    kind: str
    vram_total: int
    vram_free: int
    driver: str
    capability: tuple[int, int] | None
    bandwidth: float | None
    usable: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """One computer. Sizes in bytes, ``ram_bandwidth`` in bytes/s (None: not measured yet).

    ``cores`` are physical, ``threads`` are those this process may use. ``torch_build`` is like
    "2.13.0+cpu", "2.13.0+cu130", or empty when torch is not installed. ``native`` is the
    instruction set that our engine for processors runs with here, empty when it was not built.
    ``cuda_engine``: whether what compiles our engine for NVIDIA cards is here.
    """

    system: str
    cpu_name: str
    cores: int
    threads: int
    instruction_sets: tuple[str, ...]
    ram_total: int
    ram_free: int
    ram_bandwidth: float | None
    gpus: tuple[Gpu, ...]
    torch_build: str
    native: str = ""
    cuda_engine: bool = False

    @property
    def usable_gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that the installed torch can use."""
        return tuple(gpu for gpu in self.gpus if gpu.usable)

    def saving_power(self) -> "Hardware":
        """Return this computer as models find it that compute on half of its cores at most."""
        cores = max(1, self.cores // 2)
        speed = self.ram_bandwidth
        if speed is not None and cores == 1 < self.cores:
            speed *= _ONE_CORE_READS
        return replace(self, cores=cores, ram_bandwidth=speed)

    def to_json(self) -> str:
        """Return all facts as indented JSON, as ``from_json`` reads it."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Hardware":
        """Read what ``to_json`` wrote. Raises EngineError that names the first wrong field."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise _wrong(f"it is not JSON ({error})") from None
        if isinstance(raw, dict):
            raw = {**_LATER_FIELDS, **raw}
        values = _checked(raw, _HARDWARE_FIELDS, "the description")
        gpus = [_checked(gpu, _GPU_FIELDS, f"gpus[{i}]") for i, gpu in enumerate(values["gpus"])]
        for gpu in gpus:
            gpu["capability"] = gpu["capability"] and tuple(gpu["capability"])
        values["gpus"] = tuple(Gpu(**gpu) for gpu in gpus)
        values["instruction_sets"] = tuple(values["instruction_sets"])
        return cls(**values)


_Check = tuple[Callable[[Any], bool], str]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_speed(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value is None
    return math.isfinite(value) and value > 0


def _is_capability(value: object) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))
    return value is None or pair


_TEXT: _Check = (lambda v: isinstance(v, str), "a text")
_WHOLE: _Check = (_is_whole, "a whole number of at least 0")
_COUNT: _Check = (lambda v: _is_whole(v) and v > 0, "a whole number of at least 1")
_SPEED: _Check = (_is_speed, "a number of bytes per second above 0, or null")
_TRUTH: _Check = (lambda v: isinstance(v, bool), "true or false")

_HARDWARE_FIELDS: Mapping[str, _Check] = {
    "system": _TEXT,
    "cpu_name": _TEXT,
    "cores": _COUNT,
    "threads": _COUNT,
    "instruction_sets": (
        lambda v: isinstance(v, list) and all(isinstance(word, str) for word in v),
        "a list of texts",
    ),
    "ram_total": _COUNT,
    "ram_free": _WHOLE,
    "ram_bandwidth": _SPEED,
    "gpus": (lambda v: isinstance(v, list), "a list"),
    "torch_build": _TEXT,
    "native": _TEXT,
    "cuda_engine": _TRUTH,
}
_LATER_FIELDS: Mapping[str, object] = {"native": "", "cuda_engine": False}
"""What descriptions of earlier versions lack, and what that means."""
_GPU_FIELDS: Mapping[str, _Check] = {
    "index": _WHOLE,
    "name": _TEXT,
    "kind": (lambda v: v in GPU_KINDS, "one of cuda, mps, xpu"),
    "vram_total": _WHOLE,
    "vram_free": _WHOLE,
    "driver": _TEXT,
    "capability": (_is_capability, "two whole numbers such as [8, 9], or null"),
    "bandwidth": _SPEED,
    "usable": _TRUTH,
    "why_not": _TEXT,
}


def _checked(raw: object, checks: Mapping[str, _Check], where: str) -> dict[str, Any]:
    """Return ``raw`` as a dict with exactly the fields of ``checks``, each of the right kind."""
    if not isinstance(raw, dict):
        raise _wrong(f"{where} must be an object in braces")
    for name in raw:
        if name not in checks:
            raise _wrong(f"{where} has an unknown field “{name}”")
    for name, (is_right, wanted) in checks.items():
        if name not in raw:
            raise _wrong(f"{where} lacks the field “{name}”")
        if not is_right(raw[name]):
            raise _wrong(f"“{name}” in {where} must be {wanted}, not {json.dumps(raw[name])}")
    return dict(raw)


def _wrong(why: str) -> EngineError:
    return EngineError(
        f"This description of a computer cannot be read: {why}.",
        "“skein hardware --json” writes a correct one to start from.",
    )
