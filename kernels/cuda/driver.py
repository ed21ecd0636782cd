"""NVIDIA's driver library through ctypes: code loaded onto a card, launches, their errors.

Works on the primary context of a card, which is torch's, too. Knows addresses and numbers.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from kernels.cuda.arguments import CudaProblem

DEPENDENT_FROM = (9, 0)
"""The compute capability from which a kernel may start before the one before has ended."""

_SUCCESS = 0
_PROGRAMMATIC_STREAM_SERIALIZATION = 6  # CUlaunchAttributeID
_MAX_DYNAMIC_SHARED_BYTES = 8  # CUfunction_attribute
_REGISTERS, _LOCAL_BYTES, _SHARED_BYTES = 4, 3, 1
_SHARED_CARVEOUT, _AS_MUCH_AS_THERE_IS = 9, 100


class LaunchAttribute(ctypes.Structure):
    """CUlaunchAttribute: an id, and 64 bytes for its value at byte 8."""

    _fields_ = (("id", ctypes.c_int), ("_pad", ctypes.c_int), ("value", ctypes.c_uint32 * 16))


class LaunchConfig(ctypes.Structure):
    """CUlaunchConfig: blocks, threads, dynamic shared memory, stream, attributes."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("attribute_count", ctypes.c_uint),
    )


class Driver:
    """The driver's functions; each raises CudaProblem with the driver's own words."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        try:
            self.launch_kernel = library.cuLaunchKernelEx
        except AttributeError:
            raise CudaProblem("The NVIDIA driver is too old for our kernels.") from None
        self.launch_kernel.argtypes = (ctypes.c_void_p,) * 4
        self.call("Init", 0)

    def call(self, name: str, *arguments: object) -> None:
        """Call ``cu<name>``."""
        self.check(self.library[f"cu{name}"](*arguments), name)

    def check(self, result: int, doing: str) -> None:
        """Raise CudaProblem unless `result` is that of success."""
        if result == _SUCCESS:
            return
        text = ctypes.c_char_p()
        self.library.cuGetErrorString(result, ctypes.byref(text))
        words = text.value.decode(errors="replace") if text.value else "unknown"
        raise CudaProblem(f"The NVIDIA driver failed in {doing}: {words} (error {result}).")

    @property
    def version(self) -> int:
        """The CUDA release that the driver serves, e.g. 13000."""
        number = ctypes.c_int()
        self.call("DriverGetVersion", ctypes.byref(number))
        return number.value


class Card:
    """One card's primary context, kept as long as this object."""

    def __init__(self, driver: Driver, ordinal: int) -> None:
        self.driver = driver
        self.ordinal = ordinal
        self._device = ctypes.c_int()
        driver.call("DeviceGet", ctypes.byref(self._device), ordinal)
        self._context = ctypes.c_void_p()
        driver.call("DevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the card this thread's, and the one before again."""
        self.driver.call("CtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            self.driver.call("CtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def load(self, cubin: bytes) -> ctypes.c_void_p:
        """Return a module: the code on the card."""
        module = ctypes.c_void_p()
        with self.current():
            self.driver.call("ModuleLoadData", ctypes.byref(module), cubin)
        return module

    def unload(self, module: ctypes.c_void_p) -> None:
        """Take a module off the card; its functions are gone."""
        with self.current():
            self.driver.call("ModuleUnload", module)

    def function(self, module: ctypes.c_void_p, name: str) -> ctypes.c_void_p:
        """Return a kernel of a module, by its C name."""
        function = ctypes.c_void_p()
        with self.current():
            result = self.driver.library.cuModuleGetFunction(
                ctypes.byref(function), module, name.encode()
            )
            self.driver.check(result, f"finding the kernel {name}")
            # One split of L1 and shared memory for all: kernels of different splits cannot be on
            # an SM together, so that a dependent one could not begin early.
            self.driver.call("FuncSetAttribute", function, _SHARED_CARVEOUT, _AS_MUCH_AS_THERE_IS)
        return function

    def allow_shared(self, function: ctypes.c_void_p, size_bytes: int) -> None:
        """Let a kernel have so much dynamic shared memory."""
        with self.current():
            self.driver.call("FuncSetAttribute", function, _MAX_DYNAMIC_SHARED_BYTES, size_bytes)

    def resources(self, function: ctypes.c_void_p) -> tuple[int, int, int]:
        """Return (registers, bytes of local memory) of a thread and a block's shared bytes."""
        numbers = []
        with self.current():
            for attribute in (_REGISTERS, _LOCAL_BYTES, _SHARED_BYTES):
                number = ctypes.c_int()
                self.driver.call("FuncGetAttribute", ctypes.byref(number), attribute, function)
                numbers.append(number.value)
        return numbers[0], numbers[1], numbers[2]


def launch_config(
    grid: tuple[int, int, int], block: int, shared_bytes: int, *, dependent: bool
) -> LaunchConfig:
    """Return a launch's sizes; the stream is the caller's to fill in. dependent: see device.cuh."""
    config = LaunchConfig(grid, (block, 1, 1), shared_bytes)
    if dependent:
        attribute = LaunchAttribute(_PROGRAMMATIC_STREAM_SERIALIZATION)
        attribute.value[0] = 1
        config.attributes = ctypes.pointer(attribute)  # which keeps the attribute alive
        config.attribute_count = 1
    return config


@cache
def find_driver() -> Driver:
    """Return the driver of this machine; CudaProblem where there is none."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return Driver(ctypes.CDLL(name))
    except OSError as error:
        raise CudaProblem(f"There is no NVIDIA driver: {error}.") from error
