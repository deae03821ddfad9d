"""Launching: the one place where a config becomes a run, checked before anything is written."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from core import datasets
from core.architectures import check_net
from core.architectures.transfer import net_shape
from core.config import ConfigError, ExperimentConfig
from core.datasets import choices
from core.jobs.queue import queue_of
from core.jobs.supervise import supervise
from core.jobs.worker import worker_of
from core.tracking import schema
from core.tracking.store import RunStore, get_store
from core.training.pretrained import check_weights, require_obtainable


def check(config: ExperimentConfig) -> None:
    """Raise ConfigError, in one sentence, when this training could not work."""
    try:
        info = datasets.info(config.data.name)
        choices.check(config, info)
        shape = net_shape(config.model, choices.net_shape(config, info.shape))
        check_net(config.model.name, shape, info.num_classes, config.model.options)
        check_weights(config, get_store())
    except ValueError as error:
        raise ConfigError(str(error)) from error
    training, validation = choices.sizes(info, config.data)
    if config.training.batch_size > training:
        raise ConfigError(
            f"training.batch_size must be at most the number of training images, {training} in "
            f"'{info.name}'. Received: {config.training.batch_size}."
        )
    if config.training.early_stopping and not validation:
        raise ConfigError(
            "training.early_stopping watches the validation loss, but no image is left to validate on. "
            f"Received: data.validation_fraction {config.data.validation_fraction}."
        )


def obtain(config: ExperimentConfig) -> None:
    """Raise ConfigError when weights that are to be downloaded are out of reach; asks the network."""
    try:
        require_obtainable(config.model)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def launch(configs: Sequence[ExperimentConfig], tags: Mapping[str, str] | None = None) -> list[str]:
    """Put runs into the queue, in order, and see that a worker serves it; returns their ids.

    All are checked before the first is created: ConfigError leaves nothing behind. Raises NotAllowed on a
    read-only server.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    for config in configs:
        check(config)
        obtain(config)
    queue = queue_of(store)
    run_ids = []
    for config in configs:
        run_ids.append(store.create(config, tags))
        queue.put(run_ids[-1])
    worker_of(store.settings).ensure()
    return run_ids


def train_here(config: ExperimentConfig, tags: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Train one run now, beside the queue, and wait for its end; returns its id and final state."""
    store = get_store()
    store.settings.require_trainer("launch a training")
    check(config)
    obtain(config)
    run_id = store.create(config, {schema.FOREGROUND: "true", **(tags or {})})
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as on Ctrl-C: the run KILLED
    try:
        return run_id, supervise(store, run_id)
    finally:
        signal.signal(signal.SIGTERM, before)


def cancel(store: RunStore, run_id: str) -> None:
    """Ask a run to end. Raises NotAllowed on a read-only server, UnknownRun."""
    store.settings.require_trainer("cancel a run")
    store.request_cancel(run_id)
