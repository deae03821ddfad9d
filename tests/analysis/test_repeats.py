"""Means and deviations of repeated runs, of those that finished and belong together."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from core.analysis.repeats import PARENT, repeats
from core.tracking import schema


def run(parent: str | None, status: str, accuracy: float | None) -> dict:
    return {
        PARENT: parent,
        f"tags.{schema.NUMBER}": "1",
        "name": "lenet5 · wide · fold 2 of 5 · seed 3",
        "status": status,
        "metrics.test_accuracy": accuracy,
    }


def test_a_group_is_told_by_its_finished_runs() -> None:
    rows = [
        run("new", schema.FINISHED, 0.5),
        run(None, schema.FINISHED, 0.1),
        run("old", schema.FINISHED, 0.9),
    ]
    rows += [run("old", schema.FINISHED, 0.8), run("old", schema.FAILED, None)]
    found = repeats(pd.DataFrame(rows)).set_index("group")
    assert list(found.index) == ["new", "old"]
    assert found.loc["old", ["name", "runs", "finished"]].tolist() == ["lenet5 · wide", 3, 2]
    assert found.loc["old", "test_accuracy"] == pytest.approx(0.85)
    assert found.loc["old", "test_accuracy_std"] == pytest.approx(0.1 / math.sqrt(2))
    assert math.isnan(found.loc["new", "test_accuracy_std"])  # one run has no deviation
    assert math.isnan(found.loc["old", "val_accuracy"])


def test_the_validation_accuracy_is_that_of_the_weights_that_were_kept() -> None:
    def kept(keep: str) -> dict:
        accuracies = {"metrics.val_accuracy": 0.6, "metrics.best_val_accuracy": 0.9}
        return {**run(keep, schema.FINISHED, 0.5), **accuracies, "params.training.keep": keep}

    found = repeats(pd.DataFrame([kept("best"), kept("last")])).set_index("group")
    assert found["val_accuracy"].to_dict() == {"best": 0.9, "last": 0.6}


def test_without_groups_there_is_nothing_to_tell() -> None:
    assert repeats(pd.DataFrame([run(None, schema.FINISHED, 0.1)])).empty
    assert repeats(pd.DataFrame(columns=["status"])).empty
