"""What to do next, by rules over the store: at most three steps, the most urgent first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.analysis.comparable import Competitor
from core.analysis.experiments import experiment_name

MOST = 3
SEEDS = 3  # repeats from which a mean has a deviation that says something
WITHOUT_TRAINING = ("watch", "failed", "predict")  # kinds of steps that change nothing
Kind = Literal["watch", "failed", "other model", "tell apart", "seeds", "predict", "own images"]


@dataclass(frozen=True)
class Situation:
    """What the store holds.

    Attributes:
        running: Ids of the runs that train.
        waiting: How many runs wait in the queue.
        failed: The newest run, where that has failed.
        ranked: The experiments on the images that were trained on last, the best first.
        alike: How many of the next best cannot be told from the best by the test images; None: not tested.
        own_images: Whether a dataset was imported.
    """

    running: Sequence[str] = ()
    waiting: int = 0
    failed: str | None = None
    ranked: Sequence[Competitor] = ()
    alike: int | None = None
    own_images: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        kind: Which page it leads to.
        sentence: Why.
        run_ids: The runs that it is about.
    """

    kind: Kind
    sentence: str
    run_ids: tuple[str, ...] = ()


def next_steps(now: Situation, may_train: bool = True) -> list[Step]:
    """Return what a person should do next. may_train: whether he may launch and import."""
    steps = [*_while_training(now), *_with_results(now)]
    if now.ranked and not now.own_images:
        steps.append(Step("own images", "Everything so far was trained on images that others collected."))
    return [step for step in steps if may_train or step.kind in WITHOUT_TRAINING][:MOST]


def _while_training(now: Situation) -> list[Step]:
    steps = []
    if now.running:
        count = len(now.running)
        waits = f", {now.waiting} more wait" if now.waiting else ""
        sentence = f"{'A run trains' if count == 1 else f'{count} runs train'}{waits}: watch the curves."
        steps.append(Step("watch", sentence, tuple(now.running)))
    if now.failed is not None:
        steps.append(Step("failed", "The newest run failed: see why, and what may mend it.", (now.failed,)))
    return steps


def _with_results(now: Situation) -> list[Step]:
    if not now.ranked:
        return []
    best = now.ranked[0]
    name = experiment_name(best.name)
    if len(now.ranked) == 1:
        on = f"Only one experiment was measured on {best.basis.dataset}"
        return [Step("other model", f"{on}: train another model to compare it with.", best.run_ids)]
    steps = []
    if now.alike:
        others = "another" if now.alike == 1 else f"{now.alike} others"
        sentence = f"{name} leads, but cannot be told from {others}: see what would tell them apart."
        leading = [run_id for one in now.ranked[: 1 + now.alike] for run_id in one.run_ids]
        steps.append(Step("tell apart", sentence, tuple(leading)))
    if len(best.run_ids) < SEEDS:
        trained = "once" if len(best.run_ids) == 1 else "twice"
        sentence = f"{name} was trained {trained} only, which may be luck: repeat it over {SEEDS} seeds."
        steps.append(Step("seeds", sentence, best.run_ids))
    steps.append(Step("predict", f"Try {name} on images that it has not seen.", best.run_ids[:1]))
    return steps
