"""Block types: their sizes are the package's, and any range of them decodes to what it decodes."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf import quants

from engine.checkpoint.ggml import BY_NAME, PLAIN, TYPES, GgmlType, dequantise, quantise
from engine.checkpoint.storage import Blocks, SourceFiles
from engine.errors import UnsupportedModel

BLOCKS = [kind for kind in TYPES.values() if kind.name not in PLAIN]


def blocks(kind: GgmlType, count: int) -> np.ndarray:
    """Return random blocks; small bytes, so that no scale is an infinity or no number."""
    rng = np.random.default_rng(kind.number)
    return rng.integers(0, 100, count * kind.block_bytes, dtype=np.uint8)


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.name)
def test_sizes_are_those_of_the_package(kind: GgmlType) -> None:
    assert gguf.GGML_QUANT_SIZES[Kind(kind.number)] == (kind.block, kind.block_bytes)
    assert Kind(kind.number).name == kind.name


def test_every_type_that_the_package_decodes_is_read() -> None:
    decoded = {Kind.F32, Kind.F16, *quants._type_traits}  # it tells of no other way
    assert {int(kind) for kind in decoded} <= TYPES.keys()


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
def test_values_are_those_of_the_package(kind: GgmlType) -> None:
    raw = blocks(kind, 3 * (1 << 17) // kind.block + 5)  # more than one slice, and a rest
    values = dequantise(kind, raw)
    expected = quants.dequantize(raw.reshape(1, -1), Kind(kind.number)).reshape(-1)
    assert values.dtype == np.float32
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.name)
def test_any_range_is_that_of_the_whole(tmp_path: Path, kind: GgmlType) -> None:
    raw = blocks(kind, 9)
    (tmp_path / "x").write_bytes(b"head" + raw.tobytes())
    whole = dequantise(kind, raw).view(np.uint8)
    files = SourceFiles([tmp_path / "x"])
    storage = Blocks(0, 4, kind.block_bytes, kind.block, lambda part: dequantise(kind, part))
    rng = np.random.default_rng(0)
    for start, end in np.sort(rng.integers(0, len(whole), (20, 2))):
        buffer = bytearray(end - start)
        storage.read_into(files, int(start), memoryview(buffer))
        assert bytes(buffer) == whole[start:end].tobytes()
    files.close()


def test_a_damaged_scale_is_no_error_here() -> None:
    raw = np.full(34, 0xFF, np.uint8)
    assert not np.isfinite(dequantise(BY_NAME["Q8_0"], raw)).any()


def test_a_part_of_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="whole blocks"):
        dequantise(BY_NAME["Q4_K"], bytes(100))
    with pytest.raises(ValueError, match="whole blocks"):
        BY_NAME["Q4_K"].size_bytes(255)


def test_what_the_package_does_not_know_is_told() -> None:
    with pytest.raises(UnsupportedModel, match="Q9_9") as caught:
        dequantise(GgmlType(999, "Q9_9", 32, 34), bytes(34))
    assert "pip install" in caught.value.hint


def test_quantising_is_the_packages() -> None:
    values = np.random.default_rng(0).standard_normal(3 * (1 << 17) + 64, dtype=np.float32)
    values[:32] = 0
    raw = quantise(BY_NAME["Q8_0"], values)
    assert np.array_equal(raw, quants.quantize(values.reshape(1, -1), Kind.Q8_0).reshape(-1))
    again = quantise(BY_NAME["Q8_0"], dequantise(BY_NAME["Q8_0"], raw))
    assert np.array_equal(dequantise(BY_NAME["Q8_0"], again), dequantise(BY_NAME["Q8_0"], raw))
