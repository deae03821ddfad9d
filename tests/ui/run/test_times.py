"""The times of earlier runs are collected once for all visitors."""

from __future__ import annotations

from core.config import ExperimentConfig
from core.tracking.store import RunStore
from core.ui.common import stored_runs
from core.ui.run.times import present_speed_model


def test_the_times_of_earlier_runs_are_collected_once_until_the_runs_change(store: RunStore) -> None:
    store.create(ExperimentConfig())
    stored_runs.forget_runs()
    first = present_speed_model(store, ["cpu"])
    assert present_speed_model(store, ["cpu"]) is first
    assert present_speed_model(store, ["0"]) is not first  # other devices, other times
    store.create(ExperimentConfig())
    stored_runs.forget_runs()
    assert present_speed_model(store, ["cpu"]) is not first
