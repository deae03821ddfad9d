"""What the test predictions of a run say: confusion, images, classes, confidence; one view at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis import confidence, mistakes
from core.analysis.scores import per_class
from core.datasets import ImageDataset
from core.figures import class_curves
from core.figures import confidence as confidence_figures
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import guard, stored_predictions, stored_runs, words
from core.ui.common.chart import chart
from core.ui.common.fields import URL
from core.ui.run.confusion_view import confusion_view
from core.ui.run.gallery import answer_caption, dataset_of, gallery
from core.ui.run.promise import promise_panel
from core.ui.run.reliability import reliability


@dataclass(frozen=True)
class Evaluated:
    """A run with its test predictions. data: its `data.json`."""

    run: Run
    predictions: pd.DataFrame
    data: dict[str, Any]

    @property
    def classes(self) -> list[str]:
        return self.data["classes"]

    @property
    def labels(self) -> np.ndarray:
        return self.predictions["label"].to_numpy()

    @cached_property
    def probabilities(self) -> np.ndarray:
        return mistakes.probabilities(self.predictions)

    @cached_property
    def answered(self) -> pd.DataFrame:
        return mistakes.answers(self.predictions)

    @cached_property
    def matrix(self) -> np.ndarray:
        return mistakes.confusion_matrix(self.predictions)

    @cached_property
    def dataset(self) -> ImageDataset | None:
        return dataset_of(self.data)


def evaluation(store: RunStore, run: Run) -> None:
    """Draw what the test predictions of a finished run say, or why they cannot be read."""
    try:
        predictions = stored_predictions.predictions(run)
        data = store.read_json(run.run_id, schema.DATA, ("name", "fingerprint", "classes"))
    except FileNotFoundError:
        st.info("This run has no test predictions.", icon=":material/info:")
        return
    except DamagedArtifact as error:
        st.error(words.plain(str(error)), icon=":material/broken_image:")
        return
    if predictions.empty:
        st.info("This run has no test predictions.", icon=":material/info:")
        return
    guard.fragment(None)(_views)(Evaluated(run, predictions, data))


def _views(found: Evaluated) -> None:
    chosen = st.segmented_control(
        "Test set", list(VIEWS), default="Confusion", required=True, key="view", bind=URL, wrap=True
    )
    VIEWS[chosen or "Confusion"](found)


def _confusion(found: Evaluated) -> None:
    confusion_view(found.answered, found.matrix, found.classes, found.dataset, found.run.run_id)


def _images(found: Evaluated) -> None:
    """Draw the images that are worth looking at."""
    which = st.segmented_control(
        "Images", list(IMAGES), default=WORST, required=True, key="images", bind=URL, wrap=True
    )
    choose, note = IMAGES[which or WORST]
    shown = choose(found.answered)
    if shown.empty:
        nothing = "Every test image was recognised." if which == WORST else "No test image was recognised."
        st.info(nothing, icon=":material/info:")
        return
    st.caption(f"{note} Below each image: predicted class, confidence, true class if another.")
    gallery(shown, found.dataset, answer_caption(found.classes), f"page-{which}-{found.run.run_id}")


WORST = "Worst mistakes"
IMAGES = {
    WORST: (mistakes.worst, "Wrong predictions, the most confident first."),
    "Least certain": (mistakes.least_certain, "The two most probable classes are nearly as probable."),
    "Most confidently right": (mistakes.surest_right, "Right predictions, the most confident first."),
}


def _classes(found: Evaluated) -> None:
    """Draw the scores of each class, and its ROC and precision-recall curves."""
    table = per_class(found.probabilities, found.labels, found.classes)
    scores = {name: st.column_config.NumberColumn(name, format="percent") for name in ("precision", "recall")}
    st.dataframe(
        table,
        hide_index=True,
        height=min(38 + 35 * len(table), 420),
        column_config={**scores, "f1": st.column_config.NumberColumn("F1", format="%.3f")},
        placeholder="–",
    )
    curves = class_curves.collect(found.probabilities, found.labels, found.classes)
    left, right = st.columns(2)
    with left:
        chart(class_curves.draw_roc(curves), f"roc-{found.run.run_id}")
    with right:
        chart(class_curves.draw_precision(curves), f"precision-{found.run.run_id}")
    if len(curves) > class_curves.SHOWN:
        st.caption(
            f"The {class_curves.SHOWN} of {len(curves)} classes with the smallest average precision (AP)."
        )


def _confidence(found: Evaluated) -> None:
    """Draw what confidence is worth: reliability, accuracy over confidence, top-k."""
    run = found.run
    style = stored_runs.style_of(run)
    covered = confidence.coverage(found.probabilities, found.labels)
    wanted = st.slider("Wanted accuracy, %", 50.0, 100.0, 99.0, 0.5, key="wanted", bind=URL, help=WANTED_HELP)
    st.markdown(words.plain(answerable_sentence(covered, wanted / 100)))
    promise_panel(run, found.probabilities, found.labels)
    left, right = st.columns(2)
    with left:
        chart(confidence_figures.draw_coverage(covered, style, wanted / 100), f"coverage-{run.run_id}")
        shares = confidence.top_k(found.probabilities, found.labels)
        if len(shares) > 2:
            chart(confidence_figures.draw_top_k(shares, style), f"top-k-{run.run_id}")
    with right:
        reliability(run, found.probabilities, found.labels)


def answerable_sentence(covered: confidence.Coverage, accuracy: float) -> str:
    """Say which share of the images could be answered at an accuracy."""
    if (found := covered.answerable(accuracy)) is None:
        return f"No share of the images could be answered at {accuracy:.1%} accuracy."
    share, least = found
    if share >= 1:
        return f"All images could be answered at {accuracy:.1%} accuracy."
    return (
        f"{share:.1%} of the images could be answered at {accuracy:.1%} accuracy: "
        f"those with a confidence of at least {least:.1%}."
    )


WANTED_HELP = "Images below a confidence are left to a person; the accuracy is that on the others."
VIEWS = {
    "Confusion": _confusion,
    "Images": _images,
    "Classes": _classes,
    "Confidence": _confidence,
}
