"""Results of a run: remarks, scores, confusion matrix, worst mistakes, settings."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis import health, losses
from core.analysis.calibration import calibration
from core.analysis.mistakes import confusion_matrix, probabilities, worst_mistakes
from core.analysis.rate_range import points, suggestion
from core.analysis.scores import per_class
from core.analysis.values import validation_accuracy
from core.figures import confusion
from core.figures import rate_range as rate_range_figure
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import reads, words
from core.ui.common.chart import chart
from core.ui.common.images import image_grid

SHOWN_MISTAKES = 24
HEADLINE = ("test_accuracy", "best_val_accuracy", "parameters", "latency_ms", "train_seconds")
MORE_SCORES = (
    ("test_loss", "Test loss", "Mean negative log likelihood of the right class, in nats."),
    ("test_balanced_accuracy", "Balanced accuracy", "The mean over classes of the share recognised."),
    ("test_macro_f1", "Macro F1", "The mean over classes of the harmonic mean of precision and recall."),
    ("test_roc_auc", "ROC AUC", "One class against the rest, the mean over classes."),
)


def warnings(run: Run) -> None:
    """Say what is wrong with the run, before its figures: those of a diverged run look like any other's."""
    found = health.troubles(run)
    if run.status == schema.FINISHED and not {one.kind for one in found} & set(health.LEARNED_NOTHING):
        with suppress(FileNotFoundError, DamagedArtifact):  # older runs: by their predictions
            table = reads.predictions(run.run_id)
            found += health.of_predictions(probabilities(table), table["label"].to_numpy())
    if (note := losses.sentence(run)) is not None:
        st.caption(f":material/info: {note}")
    for one in found:
        st.warning(words.plain(one.sentence), icon=":material/warning:")


def headline(run: Run) -> None:
    """Draw the scores and costs; nothing where none was logged, as by another program."""
    if run.metrics.keys().isdisjoint(HEADLINE):
        return
    st.subheader("Result")
    accuracy, validation, parameters, latency, seconds = st.columns(5)
    accuracy.metric("Test accuracy", words.percent(run.metrics.get("test_accuracy")))
    kept = run.last_epoch if run.keeps_last else run.metrics.get("best_epoch")
    epoch = "" if kept is None else f", epoch {kept:.0f} of {run.last_epoch}"
    validation.metric(f"Validation{epoch}", words.percent(validation_accuracy(run)))
    parameters.metric("Parameters", _number(run, "parameters", "{:,.0f}"))
    latency.metric("Latency, one image", _number(run, "latency_ms", "{:.1f} ms"))
    seconds.metric("Training took", _number(run, "train_seconds", "{:.1f} s"))
    columns = st.columns(5)
    for column, (name, label, help_text) in zip(columns[:4], MORE_SCORES, strict=True):
        column.metric(label, _number(run, name, "{:.4f}"), help=help_text)
    with columns[4]:
        _calibration(run)
    if saved := run.tags.get(schema.KEPT):
        st.caption(
            f"The saved model has the weights of epoch {saved}; the test set was evaluated once, with them."
        )


def _calibration(run: Run) -> None:
    """Draw the calibration error with its noise floor; of older runs it is computed from the predictions."""
    error = run.metrics.get("test_calibration_error")
    floor = run.metrics.get("test_calibration_floor", math.nan)
    if error is None:
        with suppress(FileNotFoundError, DamagedArtifact):
            table = reads.predictions(run.run_id)
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


def mistakes(store: RunStore, run: Run) -> None:
    """Draw the confusion matrix and the most confident mistakes, or say why they cannot be read."""
    try:
        predictions = reads.predictions(run.run_id)
        data = store.read_json(run.run_id, schema.DATA, ("name", "fingerprint", "classes"))
    except FileNotFoundError:
        st.info("This run has no test predictions.", icon=":material/info:")
        return
    except DamagedArtifact as error:
        st.error(words.plain(str(error)), icon=":material/broken_image:")
        return
    classes = data["classes"]
    chart(confusion.draw(confusion_matrix(predictions), classes), f"confusion-{run.run_id}")
    with st.expander("Precision and recall by class", icon=":material/target:"):
        st.dataframe(
            per_class(probabilities(predictions), predictions["label"].to_numpy(), classes),
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(name, format="%.3f")
                for name in ("precision", "recall", "f1")
            },
        )
    _worst_mistakes(predictions, data)


def _worst_mistakes(predictions: pd.DataFrame, data: dict[str, Any]) -> None:
    """Draw the images of the most confident wrong predictions. data: `data.json` of the run."""
    wrong, classes = worst_mistakes(predictions, SHOWN_MISTAKES), data["classes"]
    st.subheader("Worst mistakes")
    if wrong.empty:
        st.success("Every test image was recognised.", icon=":material/check_circle:")
        return
    st.caption("The most confident wrong predictions: predicted class, confidence, true class.")
    dataset = reads.same_dataset(data["name"], data["fingerprint"])
    if dataset is None:
        st.warning(
            f"The dataset '{words.plain(data['name'])}' was changed or removed since; "
            "its images cannot be shown.",
            icon=":material/image_not_supported:",
        )
        return
    captions = [
        f"{classes[row.predicted]} ({row.confidence:.0%}), true: {classes[row.label]}"
        for row in wrong.itertuples()
    ]
    image_grid([dataset.images[index] for index in wrong["index"]], captions)


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


def settings(run: Run) -> None:
    """Draw a table of every setting by its dotted name."""
    table = pd.DataFrame({"setting": list(run.params), "value": list(run.params.values())})
    st.dataframe(table, hide_index=True)
    st.caption(f"run id {run.run_id}")


def _number(run: Run, metric: str, form: str) -> str:
    """A metric in a format string; a dash where it was not logged."""
    return form.format(run.metrics[metric]) if metric in run.metrics else "–"
