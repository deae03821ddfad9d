"""Launching: the one place where a config becomes a run, checked before anything is written."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from core import datasets
from core.analysis.experiments import experiment_name, repeat_name
from core.architectures import checked_choice
from core.architectures.transfer import model_input_shape
from core.config import ConfigError, ExperimentConfig
from core.datasets import DatasetInfo, choices, split_report
from core.experiment import lineage
from core.experiment.pretrained import check_weights, require_obtainable
from core.inference.client import InferenceError
from core.inference.own_models import problem
from core.jobs.groups import Group, conclude_groups, named_repeat, places
from core.jobs.slots import AUTO, device_options, limit, slots_of
from core.jobs.supervise import interrupted, supervise
from core.jobs.worker import worker_of
from core.launching.extension import Extension
from core.schedules import length
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore, get_store


def check(config: ExperimentConfig) -> None:
    """Raise ConfigError, in one sentence, when this training could not work."""
    try:
        info = datasets.info(config.data.name)
        choices.check(config, info)
        shape = model_input_shape(config.model, choices.cropped_shape(config, info.shape))
        checked_choice(config.model.name, shape, info.num_classes, config.model.options)
        preprocessing = check_weights(config, get_store())
        images = choices.cropped_shape(config, info.shape)
        found = problem(get_store().settings, config.model, images, info.num_classes, preprocessing)
    except (ValueError, InferenceError) as error:
        raise ConfigError(str(error)) from error
    if found:
        raise ConfigError(found)
    training, validation = _sizes(info, config)
    if config.training.images_per_step > training:
        raise ConfigError(
            f"training.batch_size must be at most the number of training images, {training} in "
            f"'{info.name}'. Received: {config.training.images_per_step}."
        )
    settings = get_store().settings
    if config.training.device not in device_options(settings):
        raise ConfigError(
            f"training.device must be one of {', '.join(device_options(settings))} here. "
            f"Received: '{config.training.device}'."
        )
    most = limit(slots_of(settings))
    if config.training.devices > most:
        raise ConfigError(
            f"training.devices must be at most the number of GPUs that have slots here, {most}. "
            f"Received: {config.training.devices}."
        )
    if config.training.devices > 1 and config.training.images_per_step % config.training.devices:
        raise ConfigError(
            f"training.batch_size must be a multiple of training.devices, {config.training.devices}. "
            f"Received: {config.training.images_per_step}."
        )
    for setting, epochs in (
        ("training.early_stopping", config.training.early_stopping),
        ("schedule.plateau_patience", config.schedule.plateau_patience),
    ):
        if epochs and not validation:
            raise ConfigError(
                f"{setting} watches the validation set, but no image is left to validate on. "
                f"Received: data.validation_fraction {config.data.validation_fraction}."
            )
    run = length(config, training)
    if config.model.unfreeze_epoch >= run.epochs:
        raise ConfigError(
            f"model.unfreeze_epoch must be less than the epochs of the run, {run.epochs}. "
            f"Received: {config.model.unfreeze_epoch}."
        )


def chosen(config: ExperimentConfig, store: RunStore) -> dict[str, str]:
    """Return the settings that a checked config leaves to be chosen, by dotted name, as they will be used."""
    return {"data.preprocessing": check_weights(config, store)}


def notes(config: ExperimentConfig) -> list[str]:
    """What the split does to copies of images, to be known before this training is launched."""
    info = datasets.info(config.data.name)
    if not info.prepared:
        return []
    return list(split_report.report_of(info.name, info.fingerprint, config.data).notes)


def warnings(config: ExperimentConfig) -> list[str]:
    """What should be known before this training is launched: sentences about what weakens its result."""
    info = datasets.info(config.data.name)
    if not info.prepared:
        return []
    found = list(split_report.report_of(info.name, info.fingerprint, config.data).warnings)
    return found + overlap_warnings(config)


def overlap_warnings(config: ExperimentConfig) -> list[str]:
    """What should be known of the images that the weights to start from have seen."""
    if config.model.weights == "none" or not datasets.info(config.data.name).prepared:
        return []
    try:
        found = lineage.overlap(config, get_store(), {})
    except ValueError:
        return []  # the check of the config says why
    return [sentence for sentence in (found.leak, found.unchecked) if sentence]


def check_overlap(config: ExperimentConfig) -> None:
    """Raise ConfigError when weights to start from saw images of the validation or test set, unless allowed.

    Only for a config that passed `check`.
    """
    if datasets.info(config.data.name).prepared:
        lineage.require_unseen(config, get_store())


def _sizes(info: DatasetInfo, config: ExperimentConfig) -> tuple[int, int]:
    """How many images an epoch trains and validates on; about, where they are not downloaded yet."""
    if not info.prepared:
        return choices.sizes(info, config.data)
    try:
        report = split_report.report_of(info.name, info.fingerprint, config.data)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return report.total("train"), report.total("validation")


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
    return launch_groups([Group("", (config,)) for config in configs], tags)


def launch_groups(groups: Sequence[Group], tags: Mapping[str, str] | None = None) -> list[str]:
    """Launch several experiments, each as often as it is repeated; returns the ids of all runs.

    Those that are repeated get a parent. Checks and raises as `launch` does.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    for group in groups:
        compared = set()  # repeats with other seeds start from the same weights and have the same split
        for config in group.configs:
            check(config)
            question = config.data, config.model.weights, config.model.allow_overlap
            if schema.EXTENDS in (tags or {}) or question in compared:
                continue  # what is extended is marked, it cannot be chosen anew
            check_overlap(config)
            compared.add(question)
    for group in groups:
        obtain(group.configs[0])  # repeats start from the same weights
    run_ids: list[str] = []
    try:
        for group in groups:
            run_ids += _create(store, group, tags)
    finally:
        worker_of(store.settings).ensure()  # what was created before something broke is trained
    return run_ids


def _create(store: RunStore, group: Group, tags: Mapping[str, str] | None) -> list[str]:
    run_ids: list[str] = []
    place: Mapping[str, str] = {}
    try:
        for config, place in zip(group.configs, places(store, group, tags), strict=True):
            run_ids.append(store.create(config, {**(tags or {}), **place}, chosen(config, store)))
    except BaseException:
        if schema.PARENT in place:
            with suppress(Exception):  # else it ends when this process has
                store.set_tags(place[schema.PARENT], {schema.GROUP: str(len(run_ids))})
        raise
    return run_ids


def train_here(
    config: ExperimentConfig,
    tags: Mapping[str, str] | None = None,
    created: Callable[[str], object] = lambda run_id: None,
) -> tuple[str, str]:
    """Train one run now, beside the queue, and wait for its end; returns its id and final state.

    created: gets the id before the training begins.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    check(config)
    check_overlap(config)
    obtain(config)
    run_id = store.create(config, {schema.FOREGROUND: "true", **(tags or {})}, chosen(config, store))
    created(run_id)
    device = config.training.device
    with _interrupts():
        status = supervise(store, run_id, None if device == AUTO else device)
    if interrupted.is_set():
        raise KeyboardInterrupt
    return run_id, status


@contextmanager
def _interrupts() -> Iterator[None]:
    """Within it SIGINT and SIGTERM are noted, once: raised somewhere in a library they may be lost."""

    def note(*_: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def train_group_here(
    group: Group,
    tags: Mapping[str, str] | None = None,
    created: Callable[[str], object] = lambda run_id: None,
) -> Iterator[tuple[str, str]]:
    """Train an experiment as often as it is repeated, now, one run after the other; ids and final states.

    created: gets the id of each run before its training begins.
    """
    store = get_store()
    store.settings.require_trainer("launch a training")
    for config in group.configs:
        check(config)
        check_overlap(config)
    for config, place in zip(group.configs, places(store, group, tags), strict=True):
        yield train_here(config, {**(tags or {}), **place}, created)
    conclude_groups(store)


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
