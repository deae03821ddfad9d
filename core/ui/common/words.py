"""Numbers, times, states and names as pages show them."""

from __future__ import annotations

import html
import time
from collections.abc import Sized
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from core.analysis.experiments import experiment_name, repeat_name
from core.analysis.table_columns import STATES
from core.analysis.values import percent as percent
from core.system.redaction import redact
from core.system.settings import get_settings
from core.tracking import schema
from core.tracking.progress import latest, started_at
from core.tracking.run_state import RunState

STATE_WORDS = {
    schema.SCHEDULED: (STATES[schema.SCHEDULED], "orange", ":material/schedule:"),
    schema.RUNNING: (STATES[schema.RUNNING], "blue", ":material/play_circle:"),
    schema.FINISHED: (STATES[schema.FINISHED], "green", ":material/check_circle:"),
    schema.FAILED: (STATES[schema.FAILED], "red", ":material/error:"),
    schema.KILLED: (STATES[schema.KILLED], "gray", ":material/cancel:"),
}


# Phases of a run's progress in which it has trained no step yet.
BEFORE_TRAINING = (
    schema.PENDING,
    "starting",
    "importing Keras",
    "loading the images",
    "building the model",
    "computing the outputs of the backbone",
    "compiling",
)


def ago(moment: datetime | None) -> str:
    """Write the time since a moment (UTC) in whole minutes, hours or days; empty for None."""
    if moment is None:
        return ""
    minutes = int((datetime.now(UTC) - moment).total_seconds() // 60)
    if minutes < 1:
        return "less than a minute ago"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // (24 * 60)} days ago"


def count(things: Sized, one: str = "run") -> str:
    """Count things: `3 runs`, `1 run`."""
    return f"{len(things):,} {one}{'' if len(things) == 1 else 's'}"


def spread(mean: float, deviation: float) -> str:
    """Write a mean of fractions with its deviation: "98.12 ± 0.34%"; a dash where there is none."""
    if pd.isna(mean):
        return "–"
    return percent(mean) if pd.isna(deviation) else f"{100 * mean:.2f} ± {100 * deviation:.2f}%"


def plain(text: str) -> str:
    """Escape text of users (a name of a run or a class) for Markdown, and redact secrets in it."""
    escaped = html.escape(redact(str(text)), quote=False)
    for sign in "\\`*_{}[]()#+!|~$:":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


def device_name(device: str) -> str:
    """Write the devices of a run: `0,1` as "GPU 0, 1"."""
    names = {"auto": "auto", "cpu": "CPU", "cluster": "cluster"}
    return names.get(device) or f"GPU {device.replace(',', ', ')}"


def progress(run: RunState) -> dict[str, Any]:
    """Return the last progress that a run's present attempt reported, or an empty mapping."""
    return latest(get_settings(), run.run_id, run.tags)


def is_cancelling(run: RunState) -> bool:
    """Whether a run that was asked to end still runs."""
    return run.status == schema.RUNNING and run.cancel_requested


def activity(run: RunState) -> str:
    """Name what a RUNNING run does: starting, running, ending or cancelling."""
    reported = progress(run)
    begins = not reported and started_at(run.tags) is not None  # one without is of another program
    phase = reported.get("phase", "starting" if begins else "training")
    if is_cancelling(run):
        return "cancelling"
    return "running" if phase == "training" else "starting" if phase in BEFORE_TRAINING else "ending"


def seconds_so_far(run: RunState) -> float | None:
    """Return how long the present attempt of a RUNNING run has taken; None where its start is not known."""
    started = started_at(run.tags)
    return None if started is None else max(0.0, time.time() - started)


def run_name(name: object) -> str:
    """Return a run's name as lists show it: the fold and seed of a repeat first, since long names are cut.

    Other programs log runs without a name, which stores give as None or NaN.
    """
    if not isinstance(name, str) or not name:
        return "unnamed"
    return " · ".join(filter(None, (repeat_name(name), experiment_name(name))))


def run_label(run: RunState) -> str:
    """Return a run's name, and the beginning of its id to tell runs of one name apart."""
    return label_of(run.run_id, run.name)


def run_labels(runs: pd.DataFrame) -> dict[str, str]:
    """Return `run_label` of every row of `frames.runs`, by run id."""
    ids, names = (runs[column].to_numpy(dtype=object) for column in ("run_id", "name"))
    return {run_id: label_of(run_id, name) for run_id, name in zip(ids, names, strict=True)}


def label_of(run_id: str, name: object) -> str:
    """Return `run_label` of a run of this id and name."""
    return f"{run_name(name)} · {run_id[:6]}"
