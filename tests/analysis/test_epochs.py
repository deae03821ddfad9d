"""Epochs that another program counts from 0 stand beside ours, which begin at 1."""

from __future__ import annotations

import pandas as pd
import pytest

from core.analysis.epochs import from_zero, numbered_from_one


def test_a_run_that_begins_at_0_moves_by_one_and_others_stay() -> None:
    history = pd.DataFrame(
        {
            "run_id": ["theirs"] * 4 + ["ours"] * 2,
            "metric": ["loss", "loss", "val_loss", "loss", "loss", "loss"],
            "step": [0, 1, 1, 2, 1, 2],  # validated after the second epoch alone: it moves with its run
        }
    )
    assert numbered_from_one(history)["step"].tolist() == [1, 2, 2, 3, 1, 2]
    assert numbered_from_one(history.iloc[:0]).empty


@pytest.mark.parametrize(
    ("metrics", "moves"),
    [
        ({"loss": [1, 2, 3], "accuracy": [0]}, False),  # a final value, which MLflow puts at step 0
        ({"loss": [0, 1, 2], "accuracy": [3]}, True),
        ({"loss": [0], "val_accuracy": [1, 2, 3]}, False),
        ({"val_loss": [0, 1], "val_accuracy": [1, 2]}, True),
        ({"loss": [0], "val_loss": [0]}, True),  # one epoch
        ({"loss": [1], "accuracy": [0]}, False),
    ],
)
def test_a_final_value_moves_no_epoch(metrics: dict[str, list[int]], moves: bool) -> None:
    rows = [("run", name, step) for name, steps in metrics.items() for step in steps]
    history = pd.DataFrame(rows, columns=["run_id", "metric", "step"])
    assert from_zero(history) == (["run"] if moves else [])
    assert numbered_from_one(history)["step"].tolist() == [step + moves for _, _, step in rows]
