"""From the form to runs that train: what is said before, and what is shown after."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.config import ExperimentConfig
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import get_store
from tests.support.pages import launch_button, opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.engine

FINISHED = ":green-badge[:material/check_circle: finished]"


def test_the_bar_says_what_would_be_launched_and_what_differs_from_the_defaults(settings: Settings) -> None:
    app = opened("pages/2_Train.py", architectures=["lenet5", "conv3"])
    epochs = ExperimentConfig().training.epochs
    said = [caption.value for caption in app.caption]
    assert f"lenet5, conv3 on digits · {epochs} epochs · all settings as they are by default" in said
    app = opened("pages/2_Train.py", optimizer="sgd", learning_rate="0.05", epochs="3", seeds="2")
    said = [caption.value.replace("\\", "") for caption in app.caption]
    names = "optimizer.name, optimizer.learning_rate, training.epochs"
    assert f"lenet5 on digits · 3 epochs · differs from the defaults in {names}" in said
    assert launch_button(app).label == "Launch 2 runs"


def door(app: AppTest) -> str:
    (label,) = [one.label for one in app.expander if one.label.startswith("More settings")]
    return label


def test_what_differs_behind_the_door_is_written_on_it(settings: Settings) -> None:
    app = opened("pages/2_Train.py", optimizer="sgd", learning_rate="0.05", batch_size="32", epochs="3")
    assert door(app) == "More settings: all as they are by default"  # what differs stands before it
    app.selectbox(key="schedule").set_value("cosine").run()
    assert door(app) == "More settings: schedule differs"
    app.number_input(key="early_stopping").set_value(2)
    app.slider(key="rotation").set_value(10).run()
    assert door(app) == "More settings: rotation, schedule, early stopping differ"
    app = opened("pages/2_Train.py", seeds="2", mixup="0.2", xla="off", l2_dense="0.01", steps="9")
    assert door(app) == "More settings: repeats, mixup, l2 dense, steps and 1 more differ"


def test_a_number_that_turns_something_off_is_an_empty_field_that_says_so(settings: Settings) -> None:
    """Addresses of before named the 0."""
    app = opened("pages/2_Train.py", early_stopping="0")
    assert not app.error
    for key in ("clip_norm", "steps", "folds", "all_folds", "random_crop", "resize", "warmup"):
        field = app.number_input(key=key)
        assert (field.value, field.placeholder) == (None, "off"), key
    app.number_input(key="clip_norm").set_value(0.5).run()
    launch_button(app).click().run()
    (run,) = get_store().active()
    config = get_store().config(run.run_id)
    assert (config.optimizer.clip_norm, config.training.early_stopping, config.training.steps) == (0.5, 0, 0)


def test_what_was_launched_is_shown_with_the_way_to_it(settings: Settings) -> None:
    app = opened("pages/2_Train.py", epochs="2")
    assert "Launched last" not in [one.value for one in app.subheader]
    launch_button(app).click().run()
    assert not app.exception
    (run_id,) = frames.run_ids(get_store())
    assert "Launched last" in [one.value for one in app.subheader]
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Watch the launched run"]
    assert link.proto.query_string == f"run={run_id}"
    assert "No other run is training or queued." in [one.value for one in app.caption]

    assert not app.get("bidi_component")  # a chart

    wait_for(lambda: get_store().state(run_id).status == schema.FINISHED, 240)
    wait_for(lambda: app.run().get("bidi_component"), 30)  # curves may be a second old
    wait_for(lambda: any(FINISHED in one.value for one in app.run().markdown), 30)
    launch_button(app).click().run()
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Watch the launched run"]
    assert run_id not in link.proto.query_string  # the last launch alone is shown
