"""Gives freed memory back to the system, where the C library keeps it. Knows glibc alone."""

import ctypes
import sys


def give_back() -> None:
    """Hand all free pages back: large pieces that come and go leave holes between what stays.

    Loading half a gigabyte of weights left up to as much in holes (measured on Linux). Elsewhere,
    and with another C library, nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
