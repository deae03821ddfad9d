"""A few steps of a run that waits tell how long it will take; a run that cannot be measured says why."""

from __future__ import annotations

import json

import pytest

from core.analysis.expected import SpeedModel
from core.jobs import queue, speed_probe
from core.jobs.worker import worker_of
from core.launching.continuing import cancel
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from tests.support.homes import SMALL
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine


def test_runs_are_measured_in_a_slot_of_the_worker(store: RunStore) -> None:
    run_id = store.create(SMALL.with_values({"training.epochs": 7}))
    head = {"model.name": "vgg11", "model.resize": 32, "model.head": "gap", "model.freeze": "all"}
    bottleneck = store.create(SMALL.with_values({**head, "model.bottleneck": True}))
    queue.hold(store, [bottleneck, run_id])
    speed_probe.ask(store, [bottleneck, run_id])
    worker_of(store.settings).ensure()
    wait_for(lambda: not any(schema.MEASURE in run.tags for run in queue.waiting(store)), 250)
    problem = store.state(bottleneck).tags[schema.UNMEASURED]
    assert "Runs on bottleneck features are not measured" in problem
    assert schema.UNMEASURED not in store.state(run_id).tags
    pace = json.loads(store.state(run_id).tags[schema.PACE])
    assert 0 < pace["per_unit"] < pace["fixed"]  # an epoch of the digits against a start of Keras
    runs = {run.run_id: run for run in runs_of(frames.runs(store))}
    assert SpeedModel(runs.values()).seconds(runs[run_id]) == pace["fixed"] + 7 * pace["per_unit"]
    assert store.state(run_id).status == schema.SCHEDULED
    assert schema.STARTED not in store.state(run_id).tags


def test_a_run_is_measured_before_others_start_and_starts_after_that(store: RunStore) -> None:
    others, run_id = store.create(SMALL), store.create(SMALL)
    speed_probe.ask(store, [run_id])
    worker_of(store.settings).ensure()
    wait_for(lambda: schema.PACE in store.state(run_id).tags, 120)
    assert store.state(others).status == schema.SCHEDULED  # there is one slot
    wait_for(lambda: store.state(others).status == schema.RUNNING, 120)
    cancel(store, others)  # it has started
    wait_for(lambda: not store.active(), 120)
    assert store.state(run_id).status == schema.FINISHED
