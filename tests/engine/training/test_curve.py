"""The loss curve: a CSV that goes on after a kill."""

from pathlib import Path

import pytest

from engine.errors import DamagedFile
from engine.training.curve import CurveFile, Point, read_curve, smooth

POINTS = [
    Point(step, 1 + step // 30, 64 * step, 8 / (1 + step), 1e-3 * step, 1.0 / 3)
    for step in range(1, 60)
]


def test_points_come_back_exactly(tmp_path: Path):
    path = tmp_path / "curve.csv"
    curve = CurveFile(path)
    curve.add(POINTS[:10])
    curve.add(POINTS[10:])
    assert read_curve(path) == POINTS
    assert path.read_text().startswith(
        "step,phase,tokens,loss,learning_rate,gradient_norm\n1,1,64,"
    )


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path: Path):
    path = tmp_path / "curve.csv"
    CurveFile(path).add(POINTS[:20])
    with path.open("a") as file:
        file.write("21,1,13")  # a kill in the middle of a line
    CurveFile(path, steps=15).add(POINTS[15:])
    assert read_curve(path) == POINTS
    CurveFile(path)
    assert read_curve(path) == []


def test_other_files(tmp_path: Path):
    path = tmp_path / "curve.csv"
    assert read_curve(path) == []
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DamagedFile):
        read_curve(path)
    path.write_bytes(b"step\n\xff\n")
    with pytest.raises(DamagedFile):
        read_curve(path)


def test_the_mean_of_a_hundredth():
    assert smooth([4.0, 2.0]) == [4.0, 2.0]
    smoothed = smooth([float(i % 2) for i in range(200)])
    assert smoothed[0] == 0.0
    assert set(smoothed[1:]) == {0.5}
