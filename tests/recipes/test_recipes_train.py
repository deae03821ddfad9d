"""Each model of the recipes that ship with the program trains two steps on made-up images of its shape."""

from __future__ import annotations

from typing import Any

import pytest

from core import recipes
from core.architectures import architectures
from core.config import ExperimentConfig
from core.system.settings import Settings
from core.tracking.store import get_store
from tests.support.made_up import made_up

pytestmark = pytest.mark.slow


def _distinct() -> list[tuple[str, str]]:
    """The first recipe and run of each model."""
    found: dict[str, tuple[str, str]] = {}
    for name in recipes.shipped():
        recipe = recipes.get(name)
        if recipe.variant_of:
            continue
        for run in recipe.runs:
            found.setdefault(run.config.model.name, (name, run.title))
    return [*found.values()]


@pytest.mark.parametrize(("name", "title"), _distinct())
def test_a_run_of_each_model_trains_two_steps(settings: Settings, name: str, title: str) -> None:
    import keras

    from core.training.experiment import load_data, prepare_experiment
    from core.training.fitting import compile_model
    from core.training.pipeline import fed

    recipe = recipes.get(name)
    (run,) = [one for one in recipe.runs if one.title == title]
    assert recipe.data.shape is not None
    assert recipe.data.classes is not None
    made_up("made-up", recipe.data.shape, recipe.data.classes, 8 // recipe.data.classes + 1)
    # Weights come over the network or from another run, and bottleneck features need them.
    alone = {"model.weights": "none", "model.weights_layers": "", "model.bottleneck": False}
    fewest: dict[str, Any] = {
        "data.name": "made-up",
        "training.steps": 2,
        "training.batch_size": 2,
        "training.xla": "off",
    }
    if run.config.model.resize:  # as small as the model works, since a large one takes a minute
        fewest["model.resize"] = max(32, architectures.get(run.config.model.name).min_size)
    config: ExperimentConfig = run.config.with_values({**alone, **fewest})
    experiment = prepare_experiment(config, load_data(config), get_store())
    task = experiment.task
    compile_model(task.model, experiment.config, task.run, task.macs * 2)
    task.model.run_eagerly = True  # tracing a graph takes longer than the two steps
    before = int(task.model.optimizer.iterations)
    task.model.fit(fed(task.training.from_epoch(0, 2)), epochs=1, verbose=0, shuffle=False)
    assert int(task.model.optimizer.iterations) - before == 2
    keras.backend.clear_session()
