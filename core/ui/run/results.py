"""The results of a run in numbers: scores and costs."""

from __future__ import annotations

import math
from contextlib import suppress

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis.calibration import calibration
from core.analysis.intervals import wilson
from core.analysis.mistakes import probabilities
from core.analysis.rate_range import points, suggestion
from core.analysis.values import validation_accuracy
from core.figures import rate_range as rate_range_figure
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import stored_predictions, words
from core.ui.common.chart import chart

TILE = 165  # px
HEADLINE = ("test_accuracy", "best_val_accuracy", "parameters", "latency_ms", "train_seconds")
MORE_SCORES = (
    ("test_loss", "Test loss", "Mean negative log likelihood of the right class, in nats."),
    ("test_balanced_accuracy", "Balanced accuracy", "The mean over classes of the share recognised."),
    ("test_macro_f1", "Macro F1", "The mean over classes of the harmonic mean of precision and recall."),
    ("test_roc_auc", "ROC AUC", "One class against the rest, the mean over classes."),
)


def headline(run: Run) -> None:
    """Draw the scores with their 95% intervals, and the costs; nothing where none was logged."""
    if run.metrics.keys().isdisjoint(HEADLINE):
        return
    kept = run.last_epoch if run.keeps_last else run.metrics.get("best_epoch")
    epoch = "" if kept is None else f", epoch {kept:.0f} of {run.last_epoch}"
    images = run.metrics.get("validation_images")
    with st.container(horizontal=True):
        with _tile():
            _accuracy("Test accuracy", run.metrics.get("test_accuracy"), run.metrics.get("test_images"))
        with _tile():
            _accuracy(f"Validation{epoch}", validation_accuracy(run), images)
        with _tile():
            st.metric("Parameters", _number(run, "parameters", "{:,.0f}"))
        with _tile():
            st.metric("Latency, one image", _number(run, "latency_ms", "{:.1f} ms"))
        with _tile():
            st.metric("Training took", _number(run, "train_seconds", "{:.1f} s"))
    with st.container(horizontal=True):
        for name, label, help_text in MORE_SCORES:
            with _tile():
                st.metric(label, _number(run, name, "{:.4f}"), help=help_text)
        with _tile():
            _calibration(run)
    if saved := run.tags.get(schema.KEPT):
        st.caption(
            f"The saved model has the weights of epoch {saved}; the test set was evaluated once, with them."
        )


def _tile() -> DeltaGenerator:
    """A place for one number: five stand in a row, and two on a phone."""
    return st.container(width=TILE, gap="xxsmall")


def _accuracy(label: str, value: float | None, images: float | None) -> None:
    """Draw an accuracy, and below it what accuracy on new images agrees with it."""
    st.metric(label, words.percent(value))
    if value is not None and images and images > 0 and 0 <= value <= 1:
        low, high = wilson(value, images)
        st.caption(f"95% interval {low:.1%} to {high:.1%}, {images:,.0f} images")


def _calibration(run: Run) -> None:
    """Draw the calibration error with its noise floor; of older runs it is computed from the predictions."""
    error = run.metrics.get("test_calibration_error")
    floor = run.metrics.get("test_calibration_floor", math.nan)
    if error is None:
        with suppress(FileNotFoundError, DamagedArtifact):
            table = stored_predictions.predictions(run)
            found = calibration(probabilities(table), table["label"].to_numpy())
            error, floor = found.error, found.floor
    if error is None or math.isnan(error):
        st.metric("ECE", _number(run, "test_ece", "{:.4f}"), help=OLD_CALIBRATION_HELP)
        return
    st.metric("Calibration error", f"{error:.4f}", help=CALIBRATION_HELP)
    meaning = "no evidence of bad calibration" if error <= floor else "above it: badly calibrated"
    st.caption(f"noise floor {floor:.4f}, {meaning}")


CALIBRATION_HELP = (
    "By how much confidence misses accuracy: the root mean square over 15 bins of equally many images, "
    "debiased. Perfectly calibrated predictions stay below the noise floor 19 times of 20 on a test set of "
    "this size."
)
OLD_CALIBRATION_HELP = (
    "By how much confidence misses accuracy, over 15 bins of equal width. This estimate is biased: on a few "
    "hundred images perfectly calibrated predictions read some hundredths."
)


def rate_range(store: RunStore, run: Run) -> None:
    """Draw the losses of a learning-rate range test over its rates, and suggest a rate."""
    rates, losses = points(frames.histories(store, [run.run_id], schema.RANGE_METRICS))
    if not len(rates):
        return
    suggested = suggestion(rates, losses)
    st.subheader("Learning-rate range test")
    chart(rate_range_figure.draw(rates, losses, suggested), f"range-{run.run_id}")
    if suggested:
        st.caption(
            f"The loss falls fastest at a rate of about {suggested:.2g}; "
            "choose a lower one, such as a third of it."
        )
    elif not run.active:
        st.caption("The loss never fell: try higher rates, more steps or another optimizer.")


def _number(run: Run, metric: str, form: str) -> str:
    """A metric in a format string; a dash where it was not logged."""
    return form.format(run.metrics[metric]) if metric in run.metrics else "–"
