"""Numbers, times and states as people read them."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from core.analysis.comparable import experiment_name, repeat_name
from core.analysis.values import is_ours as is_ours
from core.analysis.values import percent as percent
from core.system.redaction import redact
from core.system.settings import get_settings
from core.tracking import schema
from core.tracking.progress import latest, started_at

STATE_WORDS = {
    schema.SCHEDULED: ("queued", "orange", ":material/schedule:"),
    schema.RUNNING: ("running", "blue", ":material/play_circle:"),
    schema.FINISHED: ("finished", "green", ":material/check_circle:"),
    schema.FAILED: ("failed", "red", ":material/error:"),
    schema.KILLED: ("cancelled", "gray", ":material/cancel:"),
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


def ago(moment: Any) -> str:
    """A UTC time as the time since then, in whole minutes, hours or days."""
    if pd.isna(moment):
        return ""
    minutes = int((datetime.now(UTC) - moment.to_pydatetime()).total_seconds() // 60)
    if minutes < 1:
        return "less than a minute ago"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // (24 * 60)} days ago"


def count(things: Sized, one: str = "run") -> str:
    """`3 runs`, `1 run`."""
    return f"{len(things):,} {one}{'' if len(things) == 1 else 's'}"


def spread(mean: float, deviation: float) -> str:
    """A mean of fractions with its deviation: "98.12 ± 0.34 %"; a dash where there is none."""
    if pd.isna(mean):
        return "–"
    return percent(mean) if pd.isna(deviation) else f"{100 * mean:.2f} ± {100 * deviation:.2f} %"


def plain(text: str) -> str:
    """Text from outside (a run's or a class' name), so that Markdown shows it and does not read it.

    Without secrets of the environment, which errors may quote.
    """
    escaped = html.escape(redact(str(text)), quote=False)
    for sign in "\\`*_{}[]()#+!|~$:":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


def device_name(device: str) -> str:
    """What a training runs on: `0,1` as "GPU 0, 1"."""
    names = {"auto": "auto", "cpu": "CPU", "cluster": "cluster"}
    return names.get(device) or f"GPU {device.replace(',', ', ')}"


def is_range_test(run: pd.Series) -> bool:
    """Whether a run only tried learning rates; it has no net that could be compared or asked."""
    return run.get("params.schedule.name") == "range_test"


def progress(run: pd.Series | Mapping[str, Any]) -> dict[str, Any]:
    """The last thing that a run's present attempt said of itself, or an empty mapping."""
    return latest(get_settings(), run["run_id"], _tags(run))


def is_cancelling(run: pd.Series | Mapping[str, Any]) -> bool:
    """Whether somebody has asked a run to end that still runs."""
    return run["status"] == schema.RUNNING and isinstance(run.get(f"tags.{schema.CANCEL}"), str)


def doing(run: pd.Series | Mapping[str, Any]) -> str:
    """What a RUNNING run does, in one word: starting, running, ending or cancelling."""
    said = progress(run)
    begins = not said and started_at(_tags(run)) is not None  # one without is of another program
    phase = said.get("phase", "starting" if begins else "training")
    if is_cancelling(run):
        return "cancelling"
    return "running" if phase == "training" else "starting" if phase in BEFORE_TRAINING else "ending"


def seconds_so_far(run: pd.Series | Mapping[str, Any]) -> float | None:
    """How long the present attempt of a RUNNING run has taken; None where nothing says so."""
    started = started_at(_tags(run))
    return None if started is None else max(0.0, time.time() - started)


def _tags(run: pd.Series | Mapping[str, Any]) -> dict[str, Any]:
    return {name: run.get(f"tags.{name}") for name in (schema.PROGRESS, schema.STARTED)}


def run_name(name: object) -> str:
    """A run's name as lists show it: the fold and seed of a repeat come first, since long names are cut.

    Other programs log runs without a name, which stores give as None or as no number.
    """
    if not isinstance(name, str):
        return "unnamed"
    return " · ".join(filter(None, (repeat_name(name), experiment_name(name))))


def run_label(run: pd.Series) -> str:
    """A run in a list: its name, and the beginning of its id to tell namesakes apart."""
    return f"{run_name(run['name'])} · {run['run_id'][:6]}"
