"""The Train form: what is folded reaches the config, and a schedule is seen before it is launched."""

from __future__ import annotations

import pytest

from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import get_store
from tests.support.pages import launch_button, opened

pytestmark = pytest.mark.slow


def test_settings_of_the_address_reach_the_run(settings: Settings) -> None:
    app = opened(
        "pages/2_Train.py",
        optimizer="sgd",
        schedule="piecewise",
        boundaries="2, 3",
        label_smoothing="0.1",
        l2_dense="0.01",
        clip_norm="1",
        precision="float32",
        steps="40",
    )
    assert not app.exception
    assert not app.error
    launch_button(app).click().run()
    (run_id,) = frames.run_ids(get_store())
    params = get_store().run(run_id).data.params
    expected = {
        "optimizer.name": "sgd",
        "schedule.name": "piecewise",
        "schedule.boundaries": "2, 3",
        "training.label_smoothing": "0.1",
        "regularization.l2_dense": "0.01",
        "optimizer.clip_norm": "1.0",
        "training.precision": "float32",
        "training.steps": "40",
    }
    assert {name: params[name] for name in expected} == expected


def test_a_schedule_is_drawn_before_the_launch(settings: Settings) -> None:
    assert not opened("pages/2_Train.py").get("bidi_component")
    assert len(opened("pages/2_Train.py", schedule="cosine").get("bidi_component")) == 1


def test_a_schedule_that_cannot_be_is_said(settings: Settings) -> None:
    app = opened("pages/2_Train.py", schedule="piecewise", boundaries="3, 2")
    (error,) = app.error
    assert error.value.replace("\\", "").startswith("schedule.boundaries must be above 0 and ascend.")
    assert launch_button(app).disabled


def test_seeds_and_folds_are_one_group(settings: Settings) -> None:
    app = opened("pages/2_Train.py", seeds="2", all_folds="3")
    assert launch_button(app).label == "Launch 6 runs"
    launch_button(app).click().run()
    assert not app.error
    (parent,) = get_store().read.open_groups()
    tags = [get_store().state(run_id).tags for run_id in frames.runs(get_store())["run_id"]]
    assert [one[schema.PARENT] for one in tags] == [parent.run_id] * 6
    assert sorted((one[schema.FOLD], one[schema.SEED]) for one in tags) == [
        (fold, seed) for fold in "012" for seed in "01"
    ]
