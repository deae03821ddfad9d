"""What rules know of a run when they say what happened in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from core.analysis import health
from core.analysis.health import Trouble
from core.analysis.mistakes import probabilities
from core.tracking.run import Run

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "images_per_second")


@dataclass(frozen=True)
class Finding:
    """One thing that happened in a run.

    Attributes:
        kind: A few words.
        sentence: What happened, with its number.
        again: What a button says that opens the Train form with `changes`; empty for none.
        changes: Settings by dotted name that may mend it.
        alarm: Whether something went wrong; else it explains what a curve shows.
    """

    kind: str
    sentence: str
    again: str = ""
    changes: Mapping[str, bool | float | str] = field(default_factory=dict)
    alarm: bool = True


@dataclass(frozen=True)
class Story:
    """A run, its curves, runs like it, and its test predictions.

    Attributes:
        history: Rows of metric, step and value of this run (`frames.histories`), epochs from 1.
        likes: Other finished runs of the same model on the same dataset and kind of device.
        predictions: Of the test set, None where it has none.
        classes: Their names.
    """

    run: Run
    history: pd.DataFrame
    likes: Sequence[Run] = ()
    predictions: pd.DataFrame | None = None
    classes: Sequence[str] = ()

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per epoch, one column per metric of `CURVES`; NaN where a value was not logged."""
        if self.history.empty:
            return pd.DataFrame(columns=CURVES, dtype=float)
        last = self.history.drop_duplicates(["step", "metric"], keep="last")
        table = last.pivot(index="step", columns="metric", values="value")
        return table.reindex(columns=CURVES).astype(float)

    def curve(self, metric: str) -> np.ndarray:
        """The values of a metric, one per epoch in which it was logged."""
        return self.curves[metric].dropna().to_numpy()

    @cached_property
    def troubles(self) -> list[Trouble]:
        """What `core.analysis.health` says of the run; of older runs also by their predictions."""
        found = health.troubles(self.run)
        known = {one.kind for one in found} & set(health.LEARNED_NOTHING)
        if not known and self.predictions is not None and len(self.predictions):
            labels = self.predictions["label"].to_numpy()
            found += health.of_predictions(probabilities(self.predictions), labels)
        return found

    @property
    def learned_nothing(self) -> bool:
        return any(one.kind in health.LEARNED_NOTHING for one in self.troubles)

    @property
    def guessing(self) -> float:
        """The loss of guessing among the classes, in nats; NaN where their number is not known."""
        classes = self.run.metrics.get("validation_classes", self.run.metrics.get("test_classes", math.nan))
        classes = len(self.classes) or classes
        return math.log(classes) if 2 <= classes < math.inf else math.nan

    @property
    def rate(self) -> float:
        """The learning rate of the settings; NaN where it was not logged."""
        rate = self.run.setting("optimizer.learning_rate")
        return math.nan if rate is None else rate
