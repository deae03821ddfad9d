"""Reliability of a run's confidence on the test images, as it is and with temperature scaling."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import streamlit as st

from core.analysis import confidence, temperature
from core.analysis.mistakes import probabilities
from core.analysis.temperature import Scaling
from core.figures import confidence as confidence_figures
from core.system.settings import Settings, get_settings
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.ui.common import stored_predictions, words
from core.ui.common.chart import chart

BINS = (
    "Bins of equally many images, with the 95% interval of their accuracy; bins that would lie on each other "
    "are one point. Below the dotted line the model is surer than it should be."
)
OLDER = (
    "This run has no validation predictions, on which a temperature could be fitted: it was trained without "
    "a validation set or by an earlier version."
)
NONE_FITS = (
    f"No temperature can be fitted: the validation set has fewer than {temperature.LEAST} images, or the "
    "model is right on all of them, or no better than chance."
)


def reliability(run: Run, given: np.ndarray, labels: np.ndarray) -> None:
    """Draw accuracy over confidence, and what the temperature is that the validation images ask for.

    Args:
        given: Test probabilities, float `(n, k)`; labels: int `(n,)`.
    """
    found, reason = _found(run, given, labels)
    bins = {"as it is": confidence.reliability(given, labels)}
    if found is not None:
        name = f"with temperature {found.temperature:.2f}"
        bins[name] = confidence.reliability(found.probabilities, labels)
    chart(confidence_figures.draw_reliability(bins), f"reliability-{run.run_id}")
    st.caption(BINS)
    st.caption(words.plain(reason if found is None else temperature.temperature_words(found)))


def _found(run: Run, given: np.ndarray, labels: np.ndarray) -> tuple[Scaling | None, str]:
    """The temperature, or why there is none."""
    try:
        table = stored_predictions.validation_predictions(run)
    except FileNotFoundError:
        return None, OLDER
    except DamagedArtifact as error:
        return None, str(error)
    validation = probabilities(table)
    if validation.shape[1] != given.shape[1]:
        return None, "The validation predictions of this run have other classes than its test predictions."
    of_validation = table["label"].to_numpy()
    return _scaling(
        get_settings(), run.run_id, run.ended, validation, of_validation, given, labels
    ), NONE_FITS


@st.cache_data(max_entries=8, show_spinner=False)
def _scaling(
    settings: Settings,
    run_id: str,
    ended: datetime | None,
    _validation: np.ndarray,
    _validation_labels: np.ndarray,
    _given: np.ndarray,
    _labels: np.ndarray,
) -> Scaling | None:
    return temperature.scaling(_validation, _validation_labels, _given, _labels)
