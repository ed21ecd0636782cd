"""Numbers as a person reads them."""

import pytest
from PySide6.QtCore import QLocale

from app.models import units


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (382_000_000, "382 MB"),
        (999_900_000, "1 GB"),
        (3_055_445_184, "3.06 GB"),
        (14_400_000_000, "14.4 GB"),
        (2_000_000_000_000, "2 TB"),
    ],
)
def test_sizes(size, text):
    assert units.size_text(size) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(191_084_544, "191M"), (1_527_404_544, "1.53B"), (13_300_000_000, "13.3B"), (4000, "4K")],
)
def test_parameters(count, text):
    assert units.parameters_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s left"), (42.4, "42 s left"), (200, "3 min left"), (7260, "2 h 1 min left")],
)
def test_remaining(seconds, text):
    assert units.remaining_text(seconds) == text


def test_speeds_and_rates():
    assert units.speed_text(23.4) == "about 23 tokens/s"
    assert units.speed_text(3.14) == "about 3.1 tokens/s"
    assert units.speed_text(1520) == "about 1,520 tokens/s"  # as it stands under a reply
    assert units.rate_text(12_400_000) == "12.4 MB/s"


def test_dates():
    english = QLocale(QLocale.Language.English)
    assert units.date_text("20260212", english) == "12 Feb 2026"
    assert units.date_text("20261399", english) == ""
    assert units.date_text("", english) == ""
