"""Settings that suit a dataset better than the defaults, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.config import ExperimentConfig
from core.datasets import DatasetInfo, choices

STEPS = 400  # from which small models had stopped improving quickly on the digits
MOST_EPOCHS = 100
COSINE_FROM = 10  # epochs
PHOTO_SIDE = 24  # pixels from which colour images are taken for photos
MOST_PADDING = 16  # pixels


@dataclass(frozen=True)
class Suggestion:
    """A setting by its dotted name, its value, and why."""

    name: str
    value: float | str | bool
    why: str


def suggestions(config: ExperimentConfig, info: DatasetInfo) -> list[Suggestion]:
    """Return what would suit these images, for settings that are as they are by default.

    Nothing that the other settings refuse or make needless is among it.

    Args:
        config: What is chosen so far. What differs from the defaults is left alone.
        info: The dataset.
    """
    found = [*_length(config, info), *_augmentation(config, info)]
    default, chosen = ExperimentConfig().flat(), config.flat()
    return [one for one in found if chosen[one.name] == default[one.name] and one.value != default[one.name]]


def _length(config: ExperimentConfig, info: DatasetInfo) -> list[Suggestion]:
    if config.training.steps:
        return []
    images, _ = choices.sizes(info, config.data)
    steps = max(1, math.ceil(images / config.training.images_per_step))
    epochs = min(MOST_EPOCHS, math.ceil(STEPS / steps))
    found = []
    if epochs > config.training.epochs:
        why = f"an epoch has only {steps} step{'' if steps == 1 else 's'}"
        found.append(Suggestion("training.epochs", epochs, why))
    lowered = config.schedule.plateau_patience  # the rate falls already, when the loss does not
    if max(epochs, config.training.epochs) >= COSINE_FROM and not lowered:
        found.append(
            Suggestion("schedule.name", "cosine", "the rate ends near 0, which quiets the last epochs")
        )
    return found


def _augmentation(config: ExperimentConfig, info: DatasetInfo) -> list[Suggestion]:
    height, width, channels = info.shape
    side = min(height, width)
    if channels != 3 or side < PHOTO_SIDE or config.model.bottleneck:  # which computes each image once
        return []
    why = "photos are as likely mirrored; not where left and right matter, as in letters and signs"
    found = [Suggestion("augmentation.horizontal_flip", True, why)]
    if not config.augmentation.random_crop:  # which shifts the images as padding does
        padding = min(MOST_PADDING, side // 8)
        why = "an eighth of the side, as usual for photos"
        found.append(Suggestion("augmentation.pad_and_crop", padding, why))
    return found
