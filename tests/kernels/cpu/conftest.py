"""The library under test. It has to be there: these tests are of nothing else."""

import pytest

from kernels.cpu.library import Library, find_library


@pytest.fixture(scope="session")
def library() -> Library:
    found = find_library()
    assert found is not None, "not built: cmake -S . -B build/cpu && cmake --build build/cpu"
    return found
