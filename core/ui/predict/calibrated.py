"""The confidence of a model, corrected by the temperature that fits its validation predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.mistakes import probabilities
from core.analysis.temperature import fit_temperature, scaled
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.ui.common import stored_predictions
from core.ui.common.kept import kept
from core.ui.run.reliability import NONE_FITS, OLDER

FOREIGN = "Another program logged this run, without validation predictions."


@dataclass(frozen=True)
class Calibrated:
    """How confidence is corrected. temperature: None where it is left as it is, and `why` then says why."""

    temperature: float | None
    images: int = 0
    why: str = ""

    def of(self, given: Sequence[float]) -> list[float]:
        """Return the probabilities of all classes of one image, corrected."""
        if self.temperature is None:
            return list(given)
        return scaled(np.array([given]), self.temperature)[0].tolist()

    @property
    def words(self) -> str:
        """What was done to the confidence, in a few words."""
        if self.temperature is None:
            return "confidence as the model gives it, not calibrated"
        return f"confidence calibrated on {self.images:,} validation images"

    @property
    def detail(self) -> str:
        """The same, to those who want to know."""
        return self.why or f"Temperature {self.temperature:.2f}: the logits are divided by it."


def calibrated(run: Run, classes: int) -> Calibrated:
    """Return the correction for a run; kept until the run ends anew. classes: how many its model knows."""
    if not run.is_ours:
        return Calibrated(None, why=FOREIGN)
    return kept(lambda: _fitted(run, classes), "calibrated", run.run_id, run.ended, classes)


def _fitted(run: Run, classes: int) -> Calibrated:
    try:
        table = stored_predictions.validation_predictions(run)
    except FileNotFoundError:
        return Calibrated(None, why=OLDER)
    except DamagedArtifact as error:
        return Calibrated(None, why=str(error))
    given = probabilities(table)
    if given.shape[1] != classes:
        return Calibrated(None, why="The validation predictions of this run have other classes.")
    temperature = fit_temperature(given, table["label"].to_numpy())
    return Calibrated(temperature, len(table), "" if temperature else NONE_FITS)
