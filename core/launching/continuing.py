"""What can be done with a run that exists: resume, extend, cancel."""

from __future__ import annotations

import re

from core import datasets
from core.analysis.experiments import experiment_name, repeat_name
from core.config import ConfigError, ExperimentConfig
from core.datasets import choices
from core.jobs.groups import named_repeat
from core.jobs.worker import worker_of
from core.launching.checks import check
from core.launching.extension import Extension
from core.launching.launch import launch
from core.schedules import length
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore


def resume(store: RunStore, run_id: str) -> None:
    """Put a run that failed or was cancelled into the queue again; it goes on from its last checkpoint.

    Without one it begins anew. Raises NotAllowed, UnknownRun, ConfigError when it cannot go on.
    """
    store.settings.require_trainer("resume a run")
    state = store.state(run_id)
    if state.status not in (schema.FAILED, schema.KILLED):
        raise ConfigError(
            f"Only a run that failed or was cancelled can be resumed. '{state.name}' is {state.status}."
        )
    if state.archived:
        raise ConfigError(f"'{state.name}' is archived: restore it before resuming it.")
    config = config_of(store, run_id)
    check(config)
    require_same_images(store, run_id, config)
    store.reopen(run_id)
    worker_of(store.settings).ensure()


def extend(
    store: RunStore, run_id: str, epochs: int, learning_rate: float | None = None, stretch: bool = False
) -> str:
    """Train a finished run further, as a run of its own that has the epochs before too; returns its id.

    Args:
        epochs: How many more.
        learning_rate: Constant in these; None: as the schedule of the run says.
        stretch: Whether a cosine or one cycle may be stretched over all epochs: the rate jumps.

    Raises NotAllowed, UnknownRun, ConfigError when it cannot go on.
    """
    store.settings.require_trainer("extend a run")
    state = store.state(run_id)
    if state.status != schema.FINISHED:
        raise ConfigError(f"Only a finished run can be extended. '{state.name}' is {state.status}.")
    config = config_of(store, run_id)
    check(config)
    if config.schedule.component.tests_rates:
        raise ConfigError(f"A range test trains no model that could be extended. Received: '{state.name}'.")
    if config.training.steps:
        raise ConfigError(
            "A run is extended by epochs, so training.steps must be 0. "
            f"Received: {config.training.steps} in '{state.name}'."
        )
    if epochs < 1:
        raise ConfigError(f"The number of further epochs must be at least 1. Received: {epochs}.")
    if not store.settings.checkpoint(run_id).exists():
        raise ConfigError(f"'{state.name}' has no checkpoint on this machine to continue from.")
    require_same_images(store, run_id, config)
    done = store.read.last_step(run_id)  # fewer than were planned where it stopped early
    longer, rates = extension(config, done, epochs).chosen(learning_rate, stretch)
    longer = longer.with_values({"name": extended_name(config.title, done + epochs)})
    return launch([longer], {schema.EXTENDS: run_id} | ({schema.RATES: rates} if rates else {}))[0]


def extended_name(name: str, epochs: int) -> str:
    """The name of a run that was trained further, which tells it from the run that it extends.

    epochs: of both together. A fold and seed stay at the end, as in the names of all repeats.
    """
    experiment = EXTENDED.sub("", experiment_name(name))
    return named_repeat(experiment, [f"extended to {epochs} epochs", *filter(None, [repeat_name(name)])])


EXTENDED = re.compile(r" · extended to \d+ epochs$")


def extension(config: ExperimentConfig, done: int, epochs: int) -> Extension:
    """What extending a run after `done` epochs by `epochs` does to its learning rate."""
    images, _ = choices.sizes(datasets.info(config.data.name), config.data)
    return Extension(config, done, epochs, length(config, images).steps_per_epoch)


def config_of(store: RunStore, run_id: str) -> ExperimentConfig:
    """Raises ConfigError when the run's config is gone, or is none any more."""
    try:
        return store.config(run_id)
    except (FileNotFoundError, DamagedArtifact) as error:
        raise ConfigError(f"{error} Without it the run cannot continue.") from error


def require_same_images(store: RunStore, run_id: str, config: ExperimentConfig) -> None:
    """Raise ConfigError when the dataset is no longer what a run has begun with."""
    try:
        begun = store.read_json(run_id, schema.DATA, ("fingerprint",))["fingerprint"]
    except FileNotFoundError:
        return  # it had not come so far
    except DamagedArtifact as error:
        raise ConfigError(f"{error} So it is not known which images the run began with.") from error
    if datasets.info(config.data.name).fingerprint != begun:
        raise ConfigError(
            f"The dataset '{config.data.name}' was changed since this run began, so the run cannot continue."
        )


def cancel(store: RunStore, run_id: str) -> int:
    """Ask a run to end, or all runs of a group; returns how many were asked.

    Raises NotAllowed on a read-only server, UnknownRun.
    """
    store.settings.require_trainer("cancel a run")
    state = store.state(run_id)
    if schema.GROUP not in state.tags:
        store.request_cancel(run_id)
        return int(state.active)
    return sum(cancel(store, child.run_id) for child in store.read.children(run_id)[run_id])
