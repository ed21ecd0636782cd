"""CUDA kernels on a CPU: see emulator.py."""

from tests.kernels.cuda.emulator.emulator import EmulatedProgram, EmulatedPrograms

__all__ = ["EmulatedProgram", "EmulatedPrograms"]
