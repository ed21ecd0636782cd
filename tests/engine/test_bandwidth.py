"""The memory's bandwidth: measured once, remembered for this machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine import bandwidth
from tests.engine.machines import MACHINES

HARDWARE = MACHINES["not measured yet"]


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []

    def measure(seconds: float, threads: int) -> float:
        made.append(30e9)
        return 30e9

    monkeypatch.setattr(bandwidth, "measure", measure)
    return made


def test_a_short_measurement_of_this_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bandwidth, "BUFFER_BYTES", 32 << 20)
    assert 0.5e9 < bandwidth.measure(0.05, 2) < 5e12


def test_measured_once(tmp_path: Path, measurements: list[float]):
    cache = tmp_path / "not" / "yet"
    assert bandwidth.cached(cache, HARDWARE) is None
    assert bandwidth.measured(HARDWARE, cache).ram_bandwidth == 30e9
    assert bandwidth.measured(HARDWARE, cache).ram_bandwidth == 30e9
    assert bandwidth.cached(cache, HARDWARE) == 30e9
    assert len(measurements) == 1


def test_another_machine_measures_anew_and_keeps_the_first(tmp_path: Path, measurements):
    other = replace(HARDWARE, cpu_name="another")
    bandwidth.measured(HARDWARE, tmp_path)
    assert bandwidth.cached(tmp_path, other) is None
    bandwidth.measured(other, tmp_path)
    assert bandwidth.cached(tmp_path, HARDWARE) == 30e9
    assert len(measurements) == 2


def test_what_is_known_is_not_measured(tmp_path: Path, measurements: list[float]):
    known = replace(HARDWARE, ram_bandwidth=5e9)
    assert bandwidth.measured(known, tmp_path) == known
    assert measurements == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"KEY": 3}', '{"KEY": {"bytes_per_s": "x"}}'])
def test_a_damaged_file_counts_as_none(tmp_path: Path, text: str, measurements: list[float]):
    key = bandwidth.machine_key(HARDWARE)
    (tmp_path / bandwidth.FILE_NAME).write_text(text.replace("KEY", key))
    assert bandwidth.cached(tmp_path, HARDWARE) is None
    assert bandwidth.measured(HARDWARE, tmp_path).ram_bandwidth == 30e9
    assert bandwidth.cached(tmp_path, HARDWARE) == 30e9


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, measurements: list[float]):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert bandwidth.measured(HARDWARE, blocked / "cache").ram_bandwidth == 30e9


def test_no_cache(measurements: list[float]):
    assert bandwidth.cached(None, HARDWARE) is None
    assert bandwidth.measured(HARDWARE, None).ram_bandwidth == 30e9
