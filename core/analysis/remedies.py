"""Settings of a next run that may mend what happened in this one, and the words of the button for them."""

from __future__ import annotations

from core.analysis import health
from core.analysis.run_story import Story


def lower_rate(story: Story, by: float = 10) -> tuple[str, dict[str, float]]:
    """What a button says, and the rate: the highest of like runs that learned, else a fraction of its own."""
    if not story.rate > 0:
        return "", {}
    theirs = [
        rate
        for run in story.likes
        if (rate := run.setting("optimizer.learning_rate")) is not None
        and 0 < rate < story.rate
        and not health.troubles(run)
    ]
    rate = float(f"{max(theirs, default=story.rate / by):.2g}")
    return f"Again with a learning rate of {rate:g}", {"optimizer.learning_rate": rate}


def longer(story: Story) -> tuple[str, dict[str, float]]:
    epochs = story.run.whole_setting("training.epochs")
    if not epochs or story.run.whole_setting("training.steps"):
        return "", {}
    return f"Again with {2 * epochs} epochs", {"training.epochs": 2 * epochs}
