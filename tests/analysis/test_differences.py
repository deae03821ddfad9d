"""In which settings do runs differ: of entries, and of columns of the frame."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from core.analysis.differences import differing, differing_columns
from core.analysis.entries import Entry
from core.analysis.experiments import default_options
from tests.support.runs import OURS, as_run, run

RATE = "optimizer.learning_rate"
DEEP = "resnet_cifar"
DEPTH = default_options(DEEP)["model.options.depth"]


def rows(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [run(str(place), 0.9, **change) for place, change in enumerate(changes)]


def of_entries(found: list[dict[str, Any]]) -> list[str]:
    entries = [Entry(row["run_id"], row["name"], (row["run_id"],)) for row in found]
    return [*differing(entries, {row["run_id"]: as_run(row) for row in found})]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (({}, {}), []),
        (({RATE: 0.5}, {"params.training.epochs": None}), [RATE]),  # what was not logged is the default
        # so is an option of the model
        (({"model.name": DEEP}, {"model.name": DEEP, "params.model.options.depth": DEPTH}), []),
        (({f"params.{RATE}": "0.5"}, {f"params.{RATE}": "5e-1"}), []),
        # another program trained it, and logged neither
        (({}, {OURS: None, f"params.{RATE}": None}), [RATE]),
    ],
)
def test_entries_and_columns_differ_in_the_same_settings(
    changes: tuple[dict[str, Any], ...], expected: list[str]
) -> None:
    found = rows(*changes)
    assert of_entries(found) == expected
    assert differing_columns(pd.DataFrame(found)) == expected


def test_a_group_has_all_values_of_its_runs() -> None:
    found = rows({"seed": 1}, {"seed": 2}, {"seed": 2, "model.name": "conv3"})
    runs = {row["run_id"]: as_run(row) for row in found}
    values = differing([Entry("group", "group", ("0", "1")), Entry("2", "2", ("2",))], runs)
    assert values["seed"] == (frozenset({"1", "2"}), frozenset({"2"}))
    assert values["model.name"] == (frozenset({"lenet5"}), frozenset({"conv3"}))
