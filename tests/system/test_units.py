"""Bytes and durations as text: the same on pages, in logs and in the command line's output."""

from __future__ import annotations

import math

import pytest

from core.system.units import byte_size, duration


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 MiB"),
        (3 << 20, "3 MiB"),
        ((1 << 30) - 1, "1024 MiB"),
        (1 << 30, "1.0 GiB"),
        (5 << 29, "2.5 GiB"),
    ],
)
def test_bytes_have_the_unit_that_suits_them(count: int, text: str) -> None:
    assert byte_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (75, "1 min 15 s"),
        (3599, "59 min 59 s"),
        (3660, "1 h 1 min"),
        (100 * 3600, "100 h 0 min"),
        (math.nan, "unknown time"),
        (math.inf, "unknown time"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
