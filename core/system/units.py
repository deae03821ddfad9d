"""Bytes and durations as text, on pages, in logs and in the command line's output."""

from __future__ import annotations

import math


def byte_size(count: float) -> str:
    """Format a number of bytes: `2147483648` as "2.0 GiB", less than a GiB in whole MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: `75` as "1 min 15 s"; negative ones count as 0."""
    if not math.isfinite(seconds):
        return "unknown time"
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
