"""`python -m core.training.calibration RUN_ID PARENT_PID`: how long would a run take? A few steps tell.

What it finds is kept with the run; nothing else is, and no weights are changed anywhere.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from core.system.parent_watch import die_with_parent

ENOUGH_S = 2.0  # of training that is measured
FEW = 4  # batches that are validated

if TYPE_CHECKING:
    from core.config import ExperimentConfig


def main() -> None:
    run_id, parent_pid = sys.argv[1], int(sys.argv[2])
    die_with_parent(parent_pid)
    began = time.perf_counter()
    from core.system.fast_keras_import import import_keras

    import_keras()
    from core.tracking import schema
    from core.tracking.store import get_store

    store = get_store()
    store.set_tags(run_id, {schema.PACE: json.dumps(measure(store.config(run_id), began))})


def measure(config: ExperimentConfig, began: float) -> dict[str, float]:
    """Seconds whatever the length of the run (`fixed`), and an epoch or a step (`per_unit`).

    began: of this process, by `time.perf_counter`. Raises ValueError for a run that cannot be told so.
    """
    import keras

    from core import datasets
    from core.architectures import inference_model
    from core.architectures.describe import describe_model
    from core.architectures.transfer import assemble
    from core.datasets import choices
    from core.experiment.preprocessing import needs_mean, training_mean
    from core.schedules import length
    from core.training.device import across_devices, set_up_device
    from core.training.fitting import compile_model
    from core.training.pipeline import fed
    from core.training.regularization import regularized
    from core.training.train import batches, wrap

    if config.model.bottleneck:
        raise ValueError(
            "Runs on bottleneck features are not measured: most of their time is the making of these."
        )
    set_up_device(config.training)
    keras.utils.set_random_seed(config.seed)
    dataset = datasets.load(config.data.name, grey=config.data.grey)
    parts = choices.choose(dataset, config.data)
    run, size = length(config, len(parts.train)), config.training.images_per_step
    mean = training_mean(dataset.images, parts.train) if needs_mean(config.data.preprocessing) else None
    with across_devices(config.training.devices):
        net = assemble(config.model, choices.net_shape(config, dataset.info.shape), dataset.info.num_classes)
        net = regularized(net, config.regularization)
        model, deployable = wrap(net, config, dataset.info.shape, mean)
        macs = describe_model(inference_model(net)).macs
        compile_model(model, config, run, macs * size)
    training, validation = batches(
        dataset.images, dataset.labels, parts, size, config.seed, least=config.training.devices
    )
    steps = min(model.steps_per_execution, len(training))
    _fit_seconds(model, training, steps)  # compiles
    fixed = time.perf_counter() - began
    while (seconds := _fit_seconds(model, training, steps)) < ENOUGH_S and steps < len(training):
        steps = min(2 * steps, len(training))
    step = seconds / steps
    few = min(FEW, max(1, len(validation)))
    asked = training.starting(0, few)
    deployable.predict(fed(asked), verbose=0)  # compiles
    asking = time.perf_counter()
    deployable.predict(fed(asked), verbose=0)
    image = (time.perf_counter() - asking) / asked.images_an_epoch
    fixed += len(parts.test) * image
    epoch = run.steps_per_epoch * step + len(parts.validation) * image
    return {"fixed": fixed, "per_unit": epoch / run.steps_per_epoch if config.training.steps else epoch}


def _fit_seconds(model: Any, training: Any, steps: int) -> float:
    from core.training.pipeline import fed

    began = time.perf_counter()
    model.fit(fed(training.starting(0, steps)), epochs=1, verbose=0, shuffle=False)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
