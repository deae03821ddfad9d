"""Rules of `core.analysis.what_happened` on the speed of a training."""

from __future__ import annotations

import math

import numpy as np

from core.analysis.run_story import Finding, Story

ENOUGH_LIKES = 10
SLOW = 0.7  # of the median speed of like runs, below which a run was slow


def slower_than_others(story: Story) -> Finding | None:
    """Most runs like it trained faster on the same kind of device."""
    own = story.curve("images_per_second")
    theirs = [run.metrics.get("images_per_second", math.nan) for run in story.likes]
    speeds = np.array([speed for speed in theirs if 0 < speed < math.inf])
    if not len(own) or len(speeds) < ENOUGH_LIKES:
        return None
    speed, usual = float(np.median(own)), float(np.median(speeds))
    slower = int((speeds > speed).sum())
    if slower < 0.9 * len(speeds) or speed > SLOW * usual:
        return None
    return Finding(
        "slow",
        f"{slower} of {len(speeds)} like runs trained faster: {speed:,.0f} images per second, and the median "
        f"of theirs is {usual:,.0f}.",
        "Again with these settings",
    )


def slowed_down(story: Story) -> Finding | None:
    """It trained less than half as fast at the end as in the beginning."""
    speeds = story.curve("images_per_second")[1:]  # the first epoch compiles
    if len(speeds) < 5:
        return None
    third = max(2, len(speeds) // 3)
    first, last = np.median(speeds[:third]), np.median(speeds[-third:])
    if not 0 < last < 0.5 * first:
        return None
    epoch = int(
        story.curves["images_per_second"].dropna().index[1 + int(np.argmax(speeds < (first + last) / 2))]
    )
    return Finding(
        "slowed down",
        f"From epoch {epoch} on it trained {last:,.0f} images per second instead of {first:,.0f}: something "
        "else used the machine, or a device got hot.",
        "Again with these settings",
    )
