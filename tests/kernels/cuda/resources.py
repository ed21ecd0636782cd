"""What kernels take of a card, as the compiler says: no card is needed.

    python -m tests.kernels.cuda.resources gemv.cuh decode.cu --arch 80 90 --macros D=1024 ...

prints registers, spilled bytes and shared memory of each kernel.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.cuda.compiler import Macros, find_compiler
from kernels.cuda.program import joined

_KERNEL = re.compile(r"Compiling entry function '(\w+)'(.*?)(?=Compiling entry|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Resources:
    """registers of a thread; spilled_bytes: stored to memory for want of registers; shared_bytes
    of a block that are not dynamic.
    """

    registers: int
    spilled_bytes: int
    shared_bytes: int


def resources(
    sources: Sequence[str | Path],
    architecture: int,
    macros: Macros | None = None,
    *,
    with_base: bool = True,
) -> dict[str, Resources]:
    """Return what each kernel takes on cards of `architecture`; CudaProblem if one is wrong."""
    text = joined(sources, with_base=with_base)
    _, said = find_compiler().compile(text, architecture, macros or {}, "--ptxas-options=-v")
    return {name: _read(told) for name, told in _KERNEL.findall(said)}


def _read(told: str) -> Resources:
    return Resources(
        _number(r"Used (\d+) registers", told),
        _number(r"(\d+) bytes spill stores", told),
        _number(r"(\d+) bytes smem", told),
    )


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--arch", type=int, nargs="+", default=[90])
    parser.add_argument("--macros", nargs="*", default=[])
    options = parser.parse_args()
    macros = dict(macro.split("=", 1) for macro in options.macros)
    for architecture in options.arch:
        for name, taken in resources(options.sources, architecture, macros).items():
            print(
                f"sm_{architecture} {name:32} {taken.registers:4} registers, "
                f"{taken.spilled_bytes:6} bytes spilled, {taken.shared_bytes:6} shared"
            )


if __name__ == "__main__":
    main()
