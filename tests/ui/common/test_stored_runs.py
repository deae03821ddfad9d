"""What pages read of runs: the same, however many runs were read before."""

from __future__ import annotations

import pandas as pd

from core.config import ExperimentConfig
from core.tracking import frames, schema
from core.tracking.store import RunStore
from core.ui.common import stored_runs


def test_rows_that_were_read_before_are_those_that_are_read_now(store: RunStore) -> None:
    ids = [
        store.create(ExperimentConfig().with_values({"name": name, "seed": seed}))
        for seed, name in enumerate("abc")
    ]
    store.log_metrics(ids[0], {"loss": 0.5, "val_accuracy": 0.25}, 1)
    store.log_metrics(ids[1], {"loss": float("inf")}, 2)
    store.set_tags(ids[2], {schema.PINNED: "true"})
    stored_runs.forget_runs()
    for asked in ([ids[1]], [ids[2], ids[0]], [ids[0], "nobody", ids[1]], [*ids, ids[0]]):
        found = stored_runs.rows(asked)
        now = frames.of_runs(store, asked)
        known = [run_id for run_id in dict.fromkeys(asked) if run_id in ids]
        assert found["run_id"].tolist() == known
        by_id = now.set_index("run_id").loc[known].reset_index()
        pd.testing.assert_frame_equal(found, by_id[now.columns])
    assert stored_runs.rows(["nobody"]).empty
    assert stored_runs.rows([]).empty
