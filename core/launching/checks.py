"""What is checked before a config becomes a run, so that nothing is written that could not work."""

from __future__ import annotations

from core import datasets
from core.architectures import checked_choice
from core.architectures.transfer import model_input_shape
from core.config import ConfigError, ExperimentConfig
from core.datasets import DatasetInfo, choices, split_report
from core.experiment import lineage
from core.experiment.pretrained import check_weights, require_obtainable
from core.inference.client import InferenceError
from core.inference.own_models import problem
from core.jobs.slots import device_options, limit, slots_of
from core.schedules import length
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
    _check_devices(config)
    _check_length(config, training, validation)


def _check_devices(config: ExperimentConfig) -> None:
    """Raise ConfigError when this machine has no such devices, or they cannot share a batch."""
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


def _check_length(config: ExperimentConfig, training: int, validation: int) -> None:
    """Raise ConfigError for a schedule or a stop that the number of images does not allow."""
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
