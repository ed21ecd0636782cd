"""NVRTC, NVIDIA's compiler in a library, through ctypes: CUDA sources in, a card's code out.

Needs no card and no driver. torch with CUDA brings the library; nothing else is asked for, no
headers either. Knows sources; knows nothing of launches.
"""

import ctypes
import ctypes.util
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from kernels.cuda.arguments import CudaProblem

Macros = Mapping[str, int | str | None]
"""Names for the preprocessor; None defines a name without a value."""

OLDEST_MAJOR = 12
"""Releases before do not know every instruction that the sources name."""

_PATTERNS = (
    *("*/lib/libnvrtc.so.*", "*/bin/nvrtc64_*.dll", "*/bin/*/nvrtc64_*.dll"),  # NVIDIA's wheels
    *("lib/libnvrtc*.so*", "lib/nvrtc64_*.dll"),  # torch's own folder
)
_SUCCESS = 0
_FLAGS = ("--std=c++17", "--fmad=true")


class Compiler:
    """A loaded NVRTC. version: (major, minor). architectures: of cards, e.g. 75, 90."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.version = self._version()
        self.architectures = self._architectures()

    def compile(
        self, text: str, architecture: int, macros: Macros, *flags: str
    ) -> tuple[bytes, str]:
        """Return (the cubin for cards of `architecture`, what the compiler said).

        Raises CudaProblem with the compiler's first error.
        """
        options = [f"--gpu-architecture=sm_{architecture}", *_FLAGS, *flags, *_defines(macros)]
        program = ctypes.c_void_p()
        self._call(
            *("CreateProgram", ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
        )
        try:
            given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            result = self._library.nvrtcCompileProgram(program, len(options), given)
            said = self._text_of(program, "ProgramLog").decode("utf-8", "replace").rstrip("\0\n")
            if result != _SUCCESS:
                raise CudaProblem(f"The CUDA kernels do not compile: {_first_error(said, result)}")
            return self._text_of(program, "CUBIN"), said
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def architecture_for(self, capability: tuple[int, int]) -> int:
        """Return the newest architecture whose code runs on such a card."""
        major, minor = capability
        fits = [a for a in self.architectures if a // 10 == major and a % 10 <= minor]
        if not fits:
            release = ".".join(map(str, self.version))
            raise CudaProblem(
                f"NVRTC {release} knows no cards of compute capability {major}.{minor}."
            )
        return max(fits)

    def _version(self) -> tuple[int, int]:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("Version", ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def _architectures(self) -> tuple[int, ...]:
        count = ctypes.c_int()
        self._call("GetNumSupportedArchs", ctypes.byref(count))
        found = (ctypes.c_int * max(1, count.value))()
        self._call("GetSupportedArchs", found)
        return tuple(found[: count.value])

    def _text_of(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"Get{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(max(1, size.value))
        self._call(f"Get{what}", program, buffer)
        return buffer.raw[: size.value]

    def _call(self, name: str, *arguments: object) -> None:
        result = self._library[f"nvrtc{name}"](*arguments)
        if result != _SUCCESS:
            raise CudaProblem(f"NVRTC failed in {name}: error {result}.")


def compile_cubin(text: str, architecture: int, macros: Macros | None = None) -> bytes:
    """Return the code of `text` for cards of `architecture` (90 for sm_90). No card is needed.

    Raises CudaProblem where there is no NVRTC, or with the first error of the compiler.
    """
    cubin, _ = find_compiler().compile(text, architecture, macros or {})
    return cubin


@cache
def find_compiler() -> Compiler:
    """Return the NVRTC that torch brought, else another; CudaProblem where there is none."""
    seen: list[str] = []
    for path in _candidates():
        try:
            found = Compiler(ctypes.CDLL(str(path)))
        except (OSError, AttributeError, CudaProblem) as error:
            seen.append(f"{path}: {error}")
            continue
        if found.version[0] >= OLDEST_MAJOR:
            return found
        seen.append(f"{path} is of CUDA {found.version[0]}")
    raise CudaProblem(
        f"There is no NVRTC to compile CUDA kernels with ({'; '.join(seen) or 'none'})."
    )


def _candidates() -> Iterator[Path | str]:
    """Yield libraries: of the CUDA that torch was built with first, then the newest."""
    found = [
        path for folder in _folders() for pattern in _PATTERNS for path in folder.glob(pattern)
    ]
    usable = [path for path in found if "builtins" not in path.name and ".alt" not in path.name]
    yield from sorted(usable, key=lambda path: (_is_torchs(path), _major(path)), reverse=True)
    if system := ctypes.util.find_library("nvrtc"):
        yield system
    if sys.platform.startswith("linux"):
        yield from ("libnvrtc.so.13", "libnvrtc.so.12")


def _folders() -> list[Path]:
    places: list[str] = []
    for package in ("nvidia", "torch"):
        spec = importlib.util.find_spec(package)
        places += list(spec.submodule_search_locations or ()) if spec else []
    return [Path(place) for place in places]


def _is_torchs(path: Path) -> bool:
    import torch

    version = str(torch.version.cuda or "")
    return bool(version) and version.split(".")[0] == str(_major(path))


def _major(path: Path) -> int:
    """Return CUDA's release in a name: libnvrtc.so.13, nvrtc64_130_0.dll, nvrtc64_120_0.dll."""
    number = re.search(r"\.so\.(\d+)|nvrtc64_(\d+)\d_", path.name)
    return int(number[1] or number[2]) if number else 0


def _defines(macros: Macros) -> list[str]:
    return [f"-D{n}" if value is None else f"-D{n}={value}" for n, value in macros.items()]


def _first_error(said: str, result: int) -> str:
    lines = [line for line in said.splitlines() if "error" in line]
    return lines[0][:500] if lines else f"error {result} of NVRTC"
