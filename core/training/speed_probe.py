"""`python -m core.training.speed_probe RUN_ID PARENT_PID`: how long would a run take? A few steps tell.

What it finds is kept with the run; nothing else is, and no weights are changed anywhere.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.system.parent_watch import die_with_parent

ENOUGH_S = 2.0  # of training that is measured
FEW = 4  # batches that are validated

if TYPE_CHECKING:
    import keras

    from core.config import ExperimentConfig
    from core.tracking.store import RunStore
    from core.training.fitting import Task
    from core.training.pipeline import Batches


def main() -> None:
    run_id, parent_pid = sys.argv[1], int(sys.argv[2])
    die_with_parent(parent_pid)
    began = time.perf_counter()
    from core.system.fast_keras_import import import_keras

    import_keras()
    from core.tracking import schema
    from core.tracking.store import get_store

    store = get_store()
    store.set_tags(run_id, {schema.PACE: json.dumps(measure(store.config(run_id), store, began))})


def measure(config: ExperimentConfig, store: RunStore, began: float) -> dict[str, float]:
    """Prepare a run as its training does, and time a few of its steps.

    Args:
        began: when this process began, by `time.perf_counter`.

    Returns:
        Seconds: `fixed`, whatever the length of the run, and `per_unit`, an epoch, or a step of a run whose
        length is given in steps.

    Raises:
        ValueError: the run is one whose time a few steps do not tell.
    """
    import keras

    from core.experiment.views import averaged
    from core.training.device import across_devices, set_up_device
    from core.training.experiment import load_data, prepare_experiment
    from core.training.fitting import compile_model
    from core.training.models import in_float32
    from core.training.pipeline import Batches
    from core.training.portable import portable

    if config.model.bottleneck:
        raise ValueError(
            "Runs on bottleneck features are not measured: most of their time is the making of these."
        )
    set_up_device(config.training)
    keras.utils.set_random_seed(config.seed)
    data = load_data(config)
    with across_devices(config.training.devices):
        experiment = prepare_experiment(config, data, store)
        task, size = experiment.task, config.training.images_per_step
        compile_model(task.model, experiment.config, task.run, task.macs * size)
        steps = min(task.model.steps_per_execution, len(task.training))
        _fit_seconds(task, steps)  # compiles
        saved = portable(in_float32(experiment.deployable))
        fixed = time.perf_counter() - began
        while (seconds := _fit_seconds(task, steps)) < ENOUGH_S and steps < len(task.training):
            steps = min(2 * steps, len(task.training))
        validation = task.validation
        validating = _seconds_an_image(task.model.evaluate, validation) if len(validation.rows) else 0.0
        dataset, rows = data.dataset, data.split.test
        tested = Batches(dataset.images, dataset.labels, rows, size, least=config.training.devices)
        views = averaged(saved, config.augmentation.test_time)
        evaluating = _seconds_an_image(views.predict, tested) if len(rows) else 0.0
    fixed += len(rows) * evaluating + _seconds_to_save(saved)
    run = data.length
    epoch = run.steps_per_epoch * seconds / steps + len(data.split.validation) * validating
    return {"fixed": fixed, "per_unit": epoch / run.steps_per_epoch if config.training.steps else epoch}


def _fit_seconds(task: Task, steps: int) -> float:
    from core.training.pipeline import fed

    began = time.perf_counter()
    batches = fed(task.training.from_epoch(0, steps))
    task.model.fit(batches, epochs=1, verbose=0, shuffle=False, class_weight=task.class_weight)
    return time.perf_counter() - began


def _seconds_an_image(compute: Callable[..., Any], batches: Batches) -> float:
    """Time `evaluate` or `predict` on a few batches, after it has compiled."""
    from core.training.pipeline import fed

    few = batches.from_epoch(0, min(FEW, len(batches)))
    compute(fed(few), verbose=0)
    began = time.perf_counter()
    compute(fed(few), verbose=0)
    return (time.perf_counter() - began) / few.images_an_epoch


def _seconds_to_save(model: keras.Model) -> float:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
