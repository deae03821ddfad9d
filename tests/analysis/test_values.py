"""What is read of all runs at once is what is read of each."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from core.analysis import health
from core.analysis.values import (
    fractions,
    is_final,
    not_a_fraction,
    percent,
    validation_accuracies,
    validation_accuracy,
)
from core.tracking import schema
from core.tracking.run import runs_of
from core.ui.common.stored_runs import are_ours
from core.ui.common.words import run_label, run_labels
from core.ui.compare.tables import runs_table
from tests.support.runs import OURS, run

LAST = {"training.keep": "last", "metrics.val_accuracy": 0.6}
ROWS: list[dict[str, Any]] = [
    run("best", 0.9, **{"metrics.val_accuracy": 0.7}),
    run("last", 0.9, **LAST),
    run("older · fold 2 of 5 · seed 0", 0.8, **{"params.training.keep": None}),
    run("nothing", math.nan, **{"training.keep": "last"}),
    run("percent", 90.0, **{OURS: None, f"tags.{schema.LEAK}": "It saw them."}),
    {**run("nameless", math.inf, status=schema.RUNNING), "name": None, "run_id": "0123456789"},
]


@pytest.mark.parametrize("count", [0, 1, len(ROWS)])
def test_all_at_once_is_the_same_as_one_by_one(count: int) -> None:
    frame = pd.DataFrame(ROWS).iloc[:count]
    runs = runs_of(frame)
    assert [None if math.isnan(value) else value for value in validation_accuracies(frame)] == [
        validation_accuracy(run) for run in runs
    ]
    assert run_labels(frame) == {run.run_id: run_label(run) for run in runs}
    assert health.of_all(frame) == [health.troubles(run) for run in runs]
    assert are_ours(frame).tolist() == [run.is_ours for run in runs]


def test_the_table_of_runs_has_what_each_run_logged() -> None:
    rows = [{**row, "started": pd.Timestamp("2026-01-01", tz="UTC"), "last_epoch": 1.0} for row in ROWS]
    frame = pd.DataFrame(rows)
    table = runs_table(frame)
    assert table["run"].tolist() == [run_label(run) for run in runs_of(frame)]
    for metric in ("test_accuracy", "best_val_accuracy"):
        for logged, shown in zip(runs_of(frame), table[metric], strict=True):
            value = logged.metrics.get(metric)
            counts = is_final(metric, logged.status) and not_a_fraction("", value) is None
            assert shown == value if counts and value is not None else math.isnan(shown)


def test_a_label_has_the_fold_first_and_a_run_without_a_name_is_unnamed() -> None:
    assert list(run_labels(pd.DataFrame(ROWS)).values())[2:] == [
        "fold 2 of 5 · seed 0 · older · older ", "nothing · nothin", "percent · percen", "unnamed · 012345",
    ]  # fmt: skip


def test_only_fractions_stay() -> None:
    values = [0.0, 1.0, 1 + 1e-9, -1e-9, 1.5, -0.5, 64.0, math.inf, math.nan]
    kept = fractions(pd.Series(values))
    for value, found in zip(values, kept, strict=True):
        assert math.isnan(found) == (math.isnan(value) or not_a_fraction("", value) is not None)
        assert math.isnan(found) or found == value


def test_what_is_no_fraction_is_shown_as_it_is() -> None:
    assert [percent(value) for value in (0.5, None, math.nan, 64.0)] == [
        "50.00%",
        "–",
        "–",
        "64 (not a fraction)",
    ]
