"""Actions of the Run page: training further after a schedule that ended with the run, and editing."""

from __future__ import annotations

import pytest

from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.annotation import Annotation, annotation_of
from core.tracking.store import RunStore
from tests.support.pages import opened

pytestmark = pytest.mark.engine


def test_a_cosine_that_ended_is_followed_by_a_rate_of_choice(store: RunStore) -> None:
    config = ExperimentConfig().with_values({"schedule.name": "cosine", "optimizer.learning_rate": 0.002})
    run_id = store.create(config)
    store.log_metrics(run_id, {"loss": 1}, step=5)
    store.settings.checkpoint(run_id).parent.mkdir(parents=True)
    store.settings.checkpoint(run_id).touch()
    store.set_status(run_id, schema.FINISHED)
    app = opened("pages/4_Run.py", run=run_id)
    assert not app.exception
    assert any("followed a cosine over 5 epochs" in caption.value for caption in app.caption)
    rate = next(one for one in app.number_input if one.label == "Constant rate")
    assert rate.value == 0.0002
    rate.set_value(0.0005).run()
    next(one for one in app.button if one.key == f"extend-{run_id}").click().run()
    assert not app.exception
    (longer,) = store.active()
    assert longer.tags[schema.EXTENDS] == run_id
    assert store.config(longer.run_id).optimizer.learning_rate == 0.0005
    assert store.config(longer.run_id).schedule.name == "constant"
    app = opened("pages/4_Run.py", run=longer.run_id)
    assert any("it is constant at 0.0005" in caption.value for caption in app.caption)


def test_saving_a_form_keeps_what_others_said_since_it_was_drawn(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig(name="first"))
    store.set_status(run_id, schema.FINISHED)
    store.set_tags(run_id, {"team": "vision, nlp"})
    app = opened("pages/4_Run.py", run=run_id)
    store.set_tags(run_id, {"added": "by another"})
    store.read.changed(run_id)
    (name,) = [one for one in app.text_input if one.label == "Name"]
    name.set_value("better name")
    (save,) = [one for one in app.button if one.label == "Save"]
    save.click().run()
    assert not app.exception
    assert annotation_of(store.state(run_id)) == Annotation(
        "better name", {"team": "vision, nlp", "added": "by another"}
    )
