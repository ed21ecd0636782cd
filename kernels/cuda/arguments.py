"""A kernel's arguments as the driver reads them: bytes of their own, and their addresses.

Knows tensors and ctypes; knows no driver, so that the emulator of the tests packs as a card does.
"""

import ctypes
from collections.abc import Sequence

from torch import Tensor

Argument = Tensor | int | float | bytes | None
"""A tensor or None is an address, an int 64 bits (its low 32 for a kernel's ``int``), a float 32
bits, bytes a struct by value."""


class CudaProblem(RuntimeError):
    """Something of CUDA failed: its text is one sentence on what and why."""


class PackedArguments:
    """Arguments of a launch, packed once. Keeps the tensors alive as long as it lives.

    pointers: the address of each argument's bytes, as ``void**``. kinds: a letter each: ``p`` for
    an address, ``i``, ``f``, or ``s`` for bytes. values: what the pointers point to.
    """

    __slots__ = ("_tensors", "kinds", "pointers", "values")

    def __init__(self, arguments: Sequence[Argument]) -> None:
        self.values = [_value(argument) for argument in arguments]
        self._tensors = tuple(arguments)
        self.kinds = "".join(_kind(argument) for argument in arguments)
        addresses = [ctypes.addressof(value) for value in self.values]
        self.pointers = (ctypes.c_void_p * max(1, len(addresses)))(*addresses)


def _kind(argument: Argument) -> str:
    if argument is None or isinstance(argument, Tensor):
        return "p"
    if isinstance(argument, bytes):
        return "s"
    return "f" if isinstance(argument, float) else "i"


def _value(argument: Argument) -> "ctypes._SimpleCData[int] | ctypes.Array[ctypes.c_char]":
    if argument is None:
        return ctypes.c_uint64(0)
    if isinstance(argument, Tensor):
        return ctypes.c_uint64(argument.data_ptr())
    if isinstance(argument, bytes):
        return ctypes.create_string_buffer(argument, len(argument))
    if isinstance(argument, float):
        return ctypes.c_float(argument)  # pyright: ignore[reportReturnType]
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    raise TypeError(f"no argument of a kernel: {type(argument).__name__}")


def three(grid: int | Sequence[int]) -> tuple[int, int, int]:
    """Return a grid's blocks along x, y and z."""
    sizes = (grid,) if isinstance(grid, int) else tuple(grid)
    x, y, z = (*sizes, 1, 1, 1)[:3]
    return x, y, z
