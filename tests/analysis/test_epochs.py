"""Epochs that another program counts from 0 stand beside ours, which begin at 1."""

from __future__ import annotations

import pandas as pd

from core.analysis.epochs import numbered_from_one


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
