"""Says by rules what happened in a run: each rule has its number and, where there is one, a way to mend it.

A rule is a function from a `Story` to a finding or None. It decides by the run's own curves, its predictions
and runs like it. Thresholds are chosen so that the noise of a healthy training stays below them.
"""

from __future__ import annotations

from collections.abc import Callable

from core.analysis import health
from core.analysis.answer_rules import class_never_predicted, validation_unlike_test
from core.analysis.curve_rules import (
    batch_normalization_lags,
    diverged,
    memorised,
    plateau,
    still_improving,
    stopped_early,
    unstable,
    validation_above_training,
)
from core.analysis.remedies import lower_rate
from core.analysis.run_story import Finding, Story
from core.analysis.speed_rules import slowed_down, slower_than_others

RULES: tuple[Callable[[Story], Finding | None], ...] = (
    diverged,
    unstable,
    class_never_predicted,
    memorised,
    plateau,
    batch_normalization_lags,
    validation_unlike_test,
    slower_than_others,
    slowed_down,
    still_improving,
    validation_above_training,
    stopped_early,
)


def what_happened(story: Story) -> list[Finding]:
    """List what happened in a run, the most serious first; empty where nothing did.

    What `core.analysis.health` detects comes first, unless a rule says the same with more detail.
    """
    if story.run.is_range_test:
        return []
    found = [finding for rule in RULES if (finding := rule(story)) is not None]
    kinds = {finding.kind for finding in found}
    known = [_of_trouble(story, one) for one in story.troubles if one.kind not in kinds]
    return [*known, *(one for one in found if one.alarm), *(one for one in found if not one.alarm)]


def _of_trouble(story: Story, trouble: health.Trouble) -> Finding:
    if trouble.kind in (*health.LEARNED_NOTHING, health.EXPLODED):
        return Finding(trouble.kind, trouble.sentence, *lower_rate(story))
    return Finding(trouble.kind, trouble.sentence)
