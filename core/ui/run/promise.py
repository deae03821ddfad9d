"""How many images a model can answer without a person, when few of its answers may be wrong."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.analysis.automation import RISK, outcome, promise, promise_sentence
from core.analysis.mistakes import probabilities
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.ui.common import stored_predictions, words
from core.ui.common.fields import URL

PER_HUNDRED = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
HELP = (
    "An image is answered where the confidence reaches a threshold, and left to a person elsewhere. The "
    "threshold is found on the validation images, so that with "
    f"{1 - RISK:.0%} certainty no more of the answers to new images of their kind are wrong than promised."
)


def promise_panel(run: Run, given: np.ndarray, labels: np.ndarray) -> None:
    """Draw the choice of a promise, and what became of it on the test images.

    Args:
        given: Test probabilities, float `(n, k)`; labels: int `(n,)`.
    """
    try:
        table = stored_predictions.validation_predictions(run)
    except FileNotFoundError:
        st.caption("Nothing can be promised: this run has no validation predictions to find a threshold on.")
        return
    except DamagedArtifact as error:
        st.caption(words.plain(str(error)))
        return
    validation = probabilities(table)
    if validation.shape[1] != given.shape[1]:
        return  # said beside the temperature
    most = st.select_slider(
        "Mistakes in 100 answers, at most", PER_HUNDRED, 1.0, key="promise", bind=URL, help=HELP
    )
    promised = promise(validation, table["label"].to_numpy(), most / 100)
    st.markdown(words.plain(promise_sentence(promised, outcome(promised, given, labels))))
