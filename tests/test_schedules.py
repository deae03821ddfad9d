"""Every schedule against its formula, as it is drawn and as the optimizer follows it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.components.schedules import schedules
from core.config import ConfigError, ExperimentConfig
from core.schedules import Length, curve, learning_rate, length

RUN = Length(steps_per_epoch=10, total=100)


def config(name: str, **settings: object) -> ExperimentConfig:
    changes = {f"schedule.{key}": value for key, value in settings.items()}
    return ExperimentConfig().with_values(
        {"schedule.name": name, "optimizer.learning_rate": 0.5, "training.epochs": 10, **changes}
    )


CASES = {
    "constant": (config("constant"), lambda step: 0.5),
    "step": (config("step", every_epochs=3, factor=0.2), lambda step: 0.5 * 0.2 ** (step // 30)),
    "exponential": (config("exponential", every_epochs=2, factor=0.5), lambda step: 0.5 * 0.5 ** (step / 20)),
    "inverse_time": (config("inverse_time", decay=0.01), lambda step: 0.5 / (1 + 0.01 * step)),
    "piecewise by epoch": (
        config("piecewise", boundaries=[3, 7.5], factor=0.1),
        lambda step: 0.5 if step < 30 else 0.05 if step < 75 else 0.005,
    ),
    "piecewise by step": (
        config("piecewise", boundaries="32, 48", boundaries_in="steps", factors="0.5, 2"),
        lambda step: 0.5 if step < 32 else 0.25 if step < 48 else 1.0,
    ),
    "cosine": (config("cosine"), lambda step: 0.25 * (1 + math.cos(math.pi * step / 100))),
    "cosine to a tenth": (
        config("cosine", final=0.1),
        lambda step: 0.05 + 0.225 * (1 + math.cos(math.pi * step / 100)),
    ),
    "cosine with warm-up": (
        config("cosine", warmup_epochs=2),
        lambda step: 0.5 * step / 20 if step < 20 else 0.25 * (1 + math.cos(math.pi * (step - 20) / 80)),
    ),
    "cosine with a restart": (
        config("cosine", restarts=1, restart_growth=3),
        lambda step: 0.25 * (1 + math.cos(math.pi * (step / 25 if step < 25 else (step - 25) / 75))),
    ),
    "one_cycle": (
        config("one_cycle", rise=0.4),
        lambda step: (
            0.02 + 0.48 * (1 - math.cos(math.pi * step / 40)) / 2
            if step < 40
            else 0.5 / 250_000 + (0.5 - 0.5 / 250_000) * (1 + math.cos(math.pi * (step - 40) / 60)) / 2
        ),
    ),
    "range_test": (config("range_test"), lambda step: 0.5 * 10 ** (-6 * (1 - step / 99))),
}


def test_every_schedule_has_its_formula_here() -> None:
    assert {settings.schedule.name for settings, _ in CASES.values()} == set(schedules.names())


@pytest.mark.parametrize("name", CASES)
def test_schedule_is_its_formula(name: str) -> None:
    settings, formula = CASES[name]
    steps = np.arange(100.0)
    expected = [formula(step) for step in range(100)]
    np.testing.assert_allclose(learning_rate(settings, RUN, steps) + 0 * steps, expected, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_optimizer_follows_it_step_by_step(name: str) -> None:
    import keras

    from core.training.optimizers import make_optimizer

    settings, formula = CASES[name]
    optimizer = make_optimizer(settings, RUN)
    weight = keras.Variable(1.0)
    optimizer.build([weight])
    for step in range(0, 100, 7):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(formula(step), rel=1e-4, abs=1e-9)


def test_steps_are_those_of_the_32_000_of_the_paper() -> None:
    """ "Deep Residual Learning", section 4.2: divided by 10 at 32k and 48k iterations, ended at 64k."""
    settings = ExperimentConfig().with_values(
        {
            "schedule.name": "piecewise",
            "schedule.boundaries": "32000, 48000",
            "schedule.boundaries_in": "steps",
            "optimizer.learning_rate": 0.1,
            "training.steps": 64_000,
            "training.batch_size": 128,
        }
    )
    run = length(settings, 45_000)
    assert (run.steps_per_epoch, run.total, run.epochs) == (352, 64_000, 182)
    rates = learning_rate(settings, run, np.array([0, 31_999, 32_000, 47_999, 48_000, 63_999]))
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_the_curve_begins_and_ends_with_the_run() -> None:
    steps, rates = curve(config("cosine"), RUN)
    assert (steps[0], steps[-1], len(steps)) == (0, 99, 100)
    assert rates[0] == 0.5
    assert len(curve(config("constant"), Length(1000, 10**6))[0]) <= 500


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"boundaries": "3, two"}, "schedule.boundaries must be numbers with commas between. Received: "),
        ({"boundaries": [5, 3]}, "schedule.boundaries must be above 0 and ascend. Received: '5, 3'."),
        (
            {"boundaries": "3", "factors": "1, 2"},
            "schedule.factors must be as many as schedule.boundaries",
        ),
        ({}, "schedule.boundaries must not be empty with schedule.name piecewise."),
        ({"boundaries": "1", "factor": 0}, "schedule.factor must be greater than 0. Received: 0."),
    ],
)
def test_what_is_no_schedule_is_refused(settings: dict, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        config("piecewise", **settings)
    assert str(error.value).startswith(sentence)


def test_the_curve_of_a_model_that_is_unfrozen_begins_anew_with_its_own_rate() -> None:
    chosen = config("cosine").with_values(
        {"model.freeze": "all", "model.unfreeze_epoch": 2, "model.unfreeze_learning_rate": 1e-4}
    )
    steps, rates = curve(chosen, RUN)
    cut = 2 * RUN.steps_per_epoch
    assert rates[steps == cut - 1][0] < 0.01 * 0.5
    assert rates[steps == cut][0] == pytest.approx(1e-4)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("text", ["inf", "nan", "1e999", "1, x"])
def test_boundaries_are_numbers(text: str) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.boundaries must be numbers with commas between"):
        config("piecewise", boundaries=text)


def test_a_single_boundary_keeps_its_digits() -> None:
    assert config("piecewise", boundaries=1234567).schedule.boundaries == "1234567"
