"""A few steps of a run that waits tell how long it will take; a run that cannot be measured says why."""

from __future__ import annotations

import json

from core.analysis.expected import Experience
from core.jobs import calibrate
from core.tracking import frames, schema
from core.tracking.store import RunStore
from tests.conftest import SMALL
from tests.waiting import wait_for


def test_runs_are_measured_one_after_another_in_the_background(store: RunStore) -> None:
    run_id = store.create(SMALL.with_values({"training.epochs": 7}))
    head = {"model.name": "vgg11", "model.resize": 32, "model.head": "gap", "model.freeze": "all"}
    bottleneck = store.create(SMALL.with_values({**head, "model.bottleneck": True}))
    found = calibrate.begin(store, [bottleneck, run_id])
    assert calibrate.begin(store, [run_id]) is found  # one at a time
    wait_for(lambda: not found.running, 250)  # what else goes on comes first
    assert found.done == 2
    assert set(found.problems) == {bottleneck}
    assert "Runs on bottleneck features are not measured" in found.problems[bottleneck]
    pace = json.loads(store.state(run_id).tags[schema.PACE])
    assert 0 < pace["per_unit"] < pace["fixed"]  # an epoch of the digits against a start of Keras
    runs = frames.runs(store).set_index("run_id", drop=False)
    assert Experience(runs).seconds(runs.loc[run_id]) == pace["fixed"] + 7 * pace["per_unit"]
    assert store.state(run_id).status == schema.SCHEDULED
