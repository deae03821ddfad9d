"""Cached reads of what finished runs predicted, and which runs have a model that can predict."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from core.analysis.evaluated_images import Answers, answers_of
from core.inference import client
from core.inference.client import Caller
from core.inference.messages import ModelImages
from core.inference.notes import no_keras_model
from core.system.settings import Settings, get_settings
from core.tracking import frames, schema
from core.tracking.run import Run
from core.tracking.store import get_store
from core.tracking.tables import column
from core.ui.common import stored_runs, words
from core.ui.common.kept import BY_HASH
from core.ui.common.visitor import visitor


def finished_runs() -> pd.DataFrame:
    """Return the finished runs of ArchLab: they have a model, and its preprocessing is known."""
    found = stored_runs.columns(schema.NUMBER, "schedule.name")
    range_tests = column(found, "params.schedule.name", object) == "range_test"
    return found[(found["status"] == schema.FINISHED) & stored_runs.are_ours(found) & ~range_tests]


def predicting_runs() -> pd.DataFrame:
    """Return the runs that can predict: `finished_runs`, and those of other programs with a Keras model."""
    found, ours = stored_runs.columns(schema.NUMBER, "schedule.name"), finished_runs()["run_id"]
    foreign = found.loc[~stored_runs.are_ours(found) & (found["status"] == schema.FINISHED), "run_id"]
    also = _with_keras_model(get_settings(), tuple(foreign)) if len(foreign) else []
    return found[found["run_id"].isin([*ours, *also])]


@st.cache_data(ttl=60.0, max_entries=4, show_spinner=False, hash_funcs=BY_HASH)
def _with_keras_model(settings: Settings, run_ids: tuple[str, ...]) -> list[str]:
    return get_store().models.with_keras_model(run_ids)


def taken_images(run_id: str) -> ModelImages:
    """What the model of another program's run takes (`core.inference.client.takes`).

    Raises InferenceError, a sentence, when it is no image classifier.
    """
    return _taken_images(get_settings(), run_id, visitor())


@st.cache_data(max_entries=16, show_spinner="Looking at the model", hash_funcs=BY_HASH)
def _taken_images(settings: Settings, run_id: str, _caller: Caller) -> ModelImages:
    return client.takes(settings, run_id, _caller)


def why_it_cannot_predict(run_id: str) -> str | None:
    """Say in a sentence why a run is not among `predicting_runs`; None for a run that does not exist."""
    if (run := stored_runs.find(run_id)) is None:
        return None
    if not run.is_ours and run.status == schema.FINISHED:
        return no_keras_model(run.name)
    if run.archived:
        return f"'{run.name}' is archived: restore it on the Run page to predict with it."
    if run.is_range_test:
        return f"'{run.name}' tried learning rates only and has no model."
    state = words.STATE_WORDS.get(run.status, (run.status,))[0]
    return f"'{run.name}' is {state}: only a finished run has a model that can predict."


def predictions(run: Run) -> pd.DataFrame:
    """Return the test predictions of a finished run. Raises FileNotFoundError, DamagedArtifact."""
    return _predictions(get_settings(), run.run_id, run.ended)


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=BY_HASH)
def _predictions(settings: Settings, run_id: str, ended: datetime | None) -> pd.DataFrame:
    """Cached by the end of the run too: one that is resumed ends with other predictions."""
    return frames.predictions(get_store(), run_id)


def validation_predictions(run: Run) -> pd.DataFrame:
    """Return the validation predictions of a finished run, in the columns of `predictions`.

    Raises FileNotFoundError where it has none, as every run of an older version, and DamagedArtifact.
    """
    return _validation_predictions(get_settings(), run.run_id, run.ended)


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=BY_HASH)
def _validation_predictions(settings: Settings, run_id: str, ended: datetime | None) -> pd.DataFrame:
    return frames.predictions(get_store(), run_id, schema.VALIDATION_PREDICTIONS)


def answers(run: Run) -> Answers:
    """Return which test images a run got right.

    Raises FileNotFoundError, DamagedArtifact, ValueError (`core.analysis.evaluated_images.answers_of`).
    """
    return _answers(get_settings(), run.run_id, run.ended)


@st.cache_resource(max_entries=512, show_spinner=False, hash_funcs=BY_HASH)
def _answers(settings: Settings, run_id: str, ended: datetime | None) -> Answers:
    """Cached by the end of the run too: one that is resumed ends with other predictions."""
    return answers_of(frames.predictions(get_store(), run_id))


def validation_answers(run: Run) -> Answers:
    """Return which validation images a run got right.

    Raises FileNotFoundError, DamagedArtifact, ValueError (`core.analysis.evaluated_images.answers_of`).
    """
    return _validation_answers(get_settings(), run.run_id, run.ended)


@st.cache_resource(max_entries=512, show_spinner=False, hash_funcs=BY_HASH)
def _validation_answers(settings: Settings, run_id: str, ended: datetime | None) -> Answers:
    return answers_of(frames.predictions(get_store(), run_id, schema.VALIDATION_PREDICTIONS))
