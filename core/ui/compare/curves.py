"""The learning curves of the chosen runs and groups of runs, overlaid."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from core.analysis import basis, curves, losses
from core.analysis.curves import Band, EpochSize
from core.analysis.entries import Entry, narrowed, run_ids_of
from core.figures import curve_lines, learning_curves
from core.figures.curve_lines import MAX_LINES, Look
from core.figures.style import LineStyle, group_style
from core.system.settings import Settings, get_settings
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import get_store
from core.ui.common import guard, stored_runs, words
from core.ui.common.chart import chart, prepared
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.kept import kept

METRICS = (
    "val_accuracy",
    "accuracy",
    "accuracy_gap",
    "val_loss",
    "loss",
    "loss_gap",
    "learning_rate",
    "images_per_second",
    "epoch_seconds",
)
BAND_LABELS = {"interval": "95% interval", "deviation": "standard deviation"}
# What is read of each run: which images it was measured on, its colour, and what its loss is.
KEYS = (
    *dict.fromkeys(
        name.partition(".")[2] for name in basis.COLUMNS if name.partition(".")[0] in ("params", "tags")
    ),
    schema.LOSS,
    schema.LOSS_FROM,
    *(f"regularization.{name}" for name in losses.L2),
    "loss",
    "model.options.layers",
    "training.batch_size",
    "training.batch_size_is",
    "training.devices",
    "training.epochs",
    "training.label_smoothing",
    "training.loss",
    "training.steps",
)


def learning(entries: Sequence[Entry]) -> None:
    """Draw the curves of some runs, one chart per metric; renewed while one of them trains."""
    chosen = stored_runs.some(run_ids_of(entries), *KEYS)
    if chosen.empty:
        return
    if reasons := basis.differences(chosen):
        st.caption(
            ":material/info: Validation accuracy and loss do not rank these runs against each other. "
            + words.plain(" ".join(reasons))
        )
    say_unknown("metrics", [learning_curves.LABELS[metric] for metric in METRICS], "Curves")
    shown = st.pills(
        "Curves",
        METRICS,
        selection_mode="multi",
        default=("val_accuracy", "val_loss"),
        format_func=lambda metric: learning_curves.LABELS[metric],
        key="metrics",
        bind=URL,
    )
    look = _look(any(entry.is_group for entry in entries))
    alive = chosen["status"].isin(schema.ACTIVE).any()
    guard.fragment(2.0 if alive else None)(_draw)(tuple(entries), list(shown or []), look)


def _look(groups: bool) -> Look:
    """Draw how curves are shown; every choice stands in the URL."""
    say_unknown("x", curves.AXES, "Over")
    say_unknown("band", [*BAND_LABELS.values()], "Band of a group")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        axis = st.segmented_control(
            "Over",
            curves.AXES,
            default="epoch",
            key="x",
            bind=URL,
            required=True,
        )
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.99,
            0.0,
            0.01,
            key="smoothing",
            bind=URL,
            width=180,
            help="Weight of the earlier epochs in an exponential mean. The faint line is what was logged.",
        )
        training = st.toggle(
            "Training beside validation",
            key="training",
            bind=URL,
            help="Dotted. Training accuracy and loss are measured during the epoch, on augmented images.",
        )
        log_x = st.toggle("Log x", key="log_x", bind=URL)
        log_y = st.toggle("Log y", key="log_y", bind=URL)
        band: Band = "interval"
        if groups:
            band = st.segmented_control(
                "Band of a group",
                curves.BANDS,
                default="interval",
                format_func=BAND_LABELS.__getitem__,
                key="band",
                bind=URL,
                required=True,
                help="Around the mean of a group: its 95% interval (Student's t), or one standard deviation.",
            )
    return Look(axis, smoothing, band, training, log_x, log_y)


def _draw(entries: tuple[Entry, ...], metrics: list[str], look: Look) -> None:
    runs = {run.run_id: run for run in stored_runs.of_ids(run_ids_of(entries), *KEYS)}
    if {"loss", "val_loss", "loss_gap"} & set(metrics):
        for run in runs.values():
            if (note := losses.sentence(run)) is not None:
                st.caption(f":material/info: {words.plain(words.run_label(run))}: {note}")
    entries = tuple(narrowed(entries, runs))
    styles = styles_of(entries, runs)
    active = any(run.active for run in runs.values())
    state = (stored_runs.version() if active else None, tuple(map(_logged_so_far, runs.values())))
    found = kept(
        lambda: _charts(entries, runs, metrics, look, styles),
        *("curves", entries, tuple(metrics), look, tuple(styles.items()), state),
    )
    columns = st.columns(2)
    for position, (metric, figure) in enumerate(found.figures.items()):
        with columns[position % 2]:
            chart(figure, f"curve-{metric}")
    for note in found.notes:
        st.caption(f":material/info: {words.plain(note)}")


def _logged_so_far(run: Run) -> Hashable:
    return run.run_id, run.status, run.ended, run.last_epoch


@dataclass(frozen=True)
class _Charts:
    """The figures by metric, as the page takes them, and what they do not show, in sentences."""

    figures: Mapping[str, str]
    notes: tuple[str, ...]


def _charts(
    entries: Sequence[Entry],
    runs: Mapping[str, Run],
    metrics: Sequence[str],
    look: Look,
    styles: Mapping[str, LineStyle],
) -> _Charts:
    sizes = epoch_sizes(list(runs.values())) if look.axis in ("step", "images") else {}
    table = curves.table(stored_runs.history_now(run_ids_of(entries)), look.axis, sizes)
    figures, notes = dict[str, str](), list[str]()
    for metric in metrics:
        lines = curve_lines.collect_from(table, entries, metric, look)
        figures[metric] = prepared(learning_curves.draw(lines, styles, metric, look))
        notes += _notes(lines, metric, look)
    return _Charts(figures, tuple(dict.fromkeys(notes)))


def _notes(lines: curve_lines.Lines, metric: str, look: Look) -> list[str]:
    """What a chart does not show, and how its bands came about, in sentences."""
    label, found = learning_curves.LABELS.get(metric, metric), []
    if lines.rest is not None:
        found.append(
            f"{MAX_LINES} lines are drawn, in the order of the table. The other {lines.rest_of} are one grey "
            "band, from their lowest to their highest value."
        )
    if lines.missing and (lines.lines or look.axis != "epoch"):
        why = (
            "logged none" if look.axis in ("epoch", "time") else "logged none, or not how many images it used"
        )
        found.append(f"No {label} of {_listed(lines.missing)}: {why}.")
    if any(line.curve.low for line in lines.lines):
        band = "the 95% interval of the mean" if look.band == "interval" else "one standard deviation"
        found.append(f"Thick lines are means over the finished runs of a group; the band is {band}.")
    for line in lines.lines:
        if line.curve.not_finite:
            runs = f"{line.curve.not_finite} run{'' if line.curve.not_finite == 1 else 's'}"
            found.append(f"{line.name}: {runs} logged a {label} that is no number; the mean leaves it out.")
    cut = None if look.log_y else learning_curves.outliers_cut(lines, metric)
    if cut is not None:
        found.append(f"Values of {label} above {cut:.3g} lie outside the chart; Log y shows them.")
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def styles_of(entries: Sequence[Entry], runs: Mapping[str, Run]) -> dict[str, LineStyle]:
    """Return how each entry is drawn, by its key: a run in its own colour, a group in that of its key."""
    return {
        entry.key: stored_runs.style_of(runs[entry.key]) if entry.key in runs else group_style(entry.key)
        for entry in entries
    }


def epoch_sizes(runs: Sequence[Run]) -> dict[str, EpochSize]:
    """Return the images and steps of an epoch, by run id, of the runs that logged how many they used."""
    found = {}
    for run in runs:
        batch = run.whole_setting("training.batch_size")
        if run.params.get("training.batch_size_is") == "per_device":
            batch *= max(1, run.whole_setting("training.devices", 1))
        images = 0
        with suppress(FileNotFoundError, DamagedArtifact, KeyError, TypeError):  # not begun, or older
            images = _training_images(get_settings(), run.run_id)
        if images and batch:
            steps = math.ceil(images / batch)
            total = run.whole_setting("training.steps") or run.whole_setting("training.epochs") * steps
            found[run.run_id] = EpochSize(images, steps, total or steps)
    return found


@st.cache_data(max_entries=2000, show_spinner=False)
def _training_images(settings: Settings, run_id: str) -> int:
    """How many images a run trains on each epoch; it is written before the first one."""
    return sum(get_store().read_json(run_id, schema.DATA, ("counts",))["counts"]["train"])
