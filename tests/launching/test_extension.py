"""A schedule that ended with its run is not silently another one in the run that extends it."""

from __future__ import annotations

import numpy as np
import pytest

from core.config import ConfigError, ExperimentConfig
from core.launching.continuing import extend, extended_name
from core.launching.extension import Extension
from core.schedules import Length, curve, rate_at
from core.tracking import schema
from core.tracking.store import RunStore

COSINE = ExperimentConfig().with_values({"schedule.name": "cosine", "training.epochs": 10})


def test_a_rate_is_the_one_of_the_curve_in_every_stage() -> None:
    config = COSINE.with_values(
        {"model.freeze": "all", "model.unfreeze_epoch": 4, "model.unfreeze_learning_rate": 1e-5}
    )
    run = Length(5, 50)
    steps, rates = curve(config, run)
    assert [rate_at(config, run, int(step)) for step in steps] == pytest.approx(rates.tolist())


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_schedule_that_ended_needs_a_choice(schedule: str) -> None:
    further = Extension(COSINE.with_values({"schedule.name": schedule}), done=10, epochs=5, steps=20)
    assert further.next_rate > 10 * further.last_rate
    with pytest.raises(ConfigError, match=f"{further.last_rate:.3g} after epoch 10"):
        further.chosen(None, False)
    with pytest.raises(ConfigError, match="not both"):
        further.chosen(1e-4, True)
    config, sentence = further.chosen(None, True)
    assert (config.schedule.name, config.training.epochs) == (schedule, 15)
    assert sentence is not None
    assert f"it continues at {further.next_rate:.3g}" in sentence
    config, sentence = further.chosen(1e-4, False)
    assert (config.schedule.name, config.training.epochs) == ("constant", 15)
    assert config.optimizer.learning_rate == 1e-4
    assert sentence is not None
    assert sentence.endswith("from there it is constant at 0.0001.")


def test_the_constant_rate_is_that_of_the_stage_that_goes_on() -> None:
    staged = COSINE.with_values({"model.freeze": "all", "model.unfreeze_epoch": 4})
    config, _ = Extension(staged, done=10, epochs=5, steps=20).chosen(1e-4, False)
    assert config.model.unfreeze_learning_rate == 1e-4
    assert config.optimizer.learning_rate == COSINE.optimizer.learning_rate


def test_schedules_without_an_end_and_runs_that_stopped_early_go_on_as_planned() -> None:
    constant = COSINE.with_values({"schedule.name": "step"})
    assert Extension(constant, 10, 5, 20).chosen(None, False) == (
        constant.with_values({"training.epochs": 15}),
        None,
    )
    assert Extension(COSINE, 7, 3, 20).chosen(None, False) == (COSINE, None)  # stopped after 7 of its 10
    assert np.isclose(Extension(COSINE, 7, 3, 20).last_rate, Extension(COSINE, 7, 3, 20).next_rate, rtol=0.1)


def test_the_longer_run_says_what_its_rates_were(store: RunStore) -> None:
    run_id = store.create(COSINE)
    store.log_metrics(run_id, {"loss": 1}, step=10)
    store.settings.checkpoint(run_id).parent.mkdir(parents=True)
    store.settings.checkpoint(run_id).touch()
    store.set_status(run_id, schema.FINISHED)
    with pytest.raises(ConfigError, match="Choose a constant learning rate or a stretched schedule"):
        extend(store, run_id, 5)
    assert not store.active()
    longer = extend(store, run_id, 5, learning_rate=2e-4)
    store.request_cancel(longer)
    assert "from there it is constant at 0.0002" in store.state(longer).tags[schema.RATES]
    assert store.config(longer).schedule.name == "constant"
    assert store.state(longer).name == f"{COSINE.title} · extended to 15 epochs"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lenet5 on digits", "lenet5 on digits · extended to 20 epochs"),
        ("lenet5 on digits · extended to 15 epochs", "lenet5 on digits · extended to 20 epochs"),
        ("mine · fold 1 of 2 · seed 3", "mine · extended to 20 epochs · fold 1 of 2 · seed 3"),
        (
            "mine · extended to 15 epochs · fold 1 of 2 · seed 3",
            "mine · extended to 20 epochs · fold 1 of 2 · seed 3",
        ),
        (200 * "x", f"{176 * 'x'} · extended to 20 epochs"),
    ],
)
def test_a_longer_run_has_a_name_that_tells_it_from_the_run_before(before: str, after: str) -> None:
    assert extended_name(before, 20) == after
