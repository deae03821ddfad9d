"""Train further on the Run page: what becomes of a schedule that ended with the run."""

from __future__ import annotations

import pytest

from core.config import ExperimentConfig
from core.tracking import schema
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
