"""A row of the frame of runs as a value: what is absent is absent, whoever logged it and whatever."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from core.tracking import frames, schema
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore
from tests.support.homes import SMALL

SUBMITTED = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_row_becomes_a_run_with_what_it_has_and_nothing_else() -> None:
    rows: list[dict[str, Any]] = [
        {
            "run_id": "a",
            "name": "first",
            "status": schema.FINISHED,
            "started": pd.Timestamp(SUBMITTED),
            "last_epoch": 3.0,
            "params.model.name": "lenet5",
            "metrics.loss": math.inf,
            f"tags.{schema.NUMBER}": "1",
        },
        {
            "run_id": "b",
            "name": None,
            "status": schema.RUNNING,
            "metrics.loss": math.nan,
            "metrics.accuracy": 1,
            "params.data.name": "digits",
        },
    ]
    first, second = runs_of(pd.DataFrame(rows))
    assert first == Run(
        "a", "first", schema.FINISHED, {schema.NUMBER: "1"},
        started=SUBMITTED, last_epoch=3, params={"model.name": "lenet5"}, metrics={"loss": math.inf},
    )  # fmt: skip
    assert second == Run(
        "b", "", schema.RUNNING, {}, params={"data.name": "digits"}, metrics={"accuracy": 1.0}
    )
    assert (first.model, first.dataset, second.model, second.dataset) == ("lenet5", None, None, "digits")
    assert (first.is_ours, second.is_ours, first.active, second.active) == (True, False, False, True)
    assert isinstance(first.last_epoch, int)
    assert isinstance(second.metrics["accuracy"], float)


def test_a_run_cannot_be_changed() -> None:
    (run,) = runs_of(pd.DataFrame([{"run_id": "a", "params.x": "1", "metrics.y": 2.0, "tags.z": "3"}]))
    with pytest.raises(FrozenInstanceError):
        run.status = schema.FINISHED  # type: ignore[misc]
    for values in (run.params, run.metrics, run.tags):
        with pytest.raises(TypeError):
            values["x"] = "2"  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("0.25", 0.25, 0),
        ("1e3", 1000.0, 1000),
        ("inf", math.inf, 7),
        ("nan", None, 7),
        ("best", None, 7),
        ("", None, 7),
    ],
)
def test_a_setting_is_a_number_only_where_one_was_logged(text: str, number: float | None, whole: int) -> None:
    run = Run("a", "a", schema.FINISHED, params={"training.epochs": text})
    assert run.setting("training.epochs") == number
    assert run.whole_setting("training.epochs", 7) == whole
    assert run.setting("training.steps") is None
    assert run.whole_setting("training.steps", 7) == 7


def test_a_run_of_the_store_reads_the_same_from_all_columns_and_from_those_it_needs(store: RunStore) -> None:
    run_id = store.create(SMALL.with_values({"name": "one"}))
    store.log_metrics(run_id, {"loss": 1.5, "val_loss": math.nan}, 2)
    store.set_tags(run_id, {schema.STARTED: "2500", schema.HELD: "yes", schema.CANCEL: "requested"})
    foreign = store.client.create_run("0").info.run_id
    frame = frames.runs(store)
    found = {run.run_id: run for run in runs_of(frame)}
    assert list(found) == frame["run_id"].tolist()
    run, state = found[run_id], store.state(run_id)
    assert (run.name, run.status, run.tags) == (state.name, state.status, state.tags)
    assert run.params == {
        name: str(value) for name, value in SMALL.with_values({"name": "one"}).flat().items()
    }
    assert run.metrics == {"loss": 1.5}
    assert (run.last_epoch, run.training_started, run.ended) == (2, 2.5, None)
    assert (run.held, run.locked, run.cancel_requested, run.parent) == (True, False, True, None)
    assert not found[foreign].is_ours
    (narrow,) = runs_of(frame.loc[frame["run_id"] == run_id, ["run_id", "metrics.loss"]])
    assert narrow == Run(run_id, "", "", metrics={"loss": 1.5})
    assert runs_of(frame.iloc[:0]) == []
