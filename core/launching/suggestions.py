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

    Args:
        config: What is chosen so far. What a person has set is left alone.
        info: The dataset.
    """
    found = [*_length(config, info), *_augmentation(info)]
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
        why = f"an epoch has {steps} step{'' if steps == 1 else 's'} only"
        found.append(Suggestion("training.epochs", epochs, why))
    if max(epochs, config.training.epochs) >= COSINE_FROM:
        found.append(
            Suggestion("schedule.name", "cosine", "the rate ends near 0, which quiets the last epochs")
        )
    return found


def _augmentation(info: DatasetInfo) -> list[Suggestion]:
    height, width, channels = info.shape
    side = min(height, width)
    if channels != 3 or side < PHOTO_SIDE:
        return []
    padding = min(MOST_PADDING, side // 8)
    return [
        Suggestion("augmentation.horizontal_flip", True, "photos are as likely mirrored"),
        Suggestion("augmentation.pad_and_crop", padding, "an eighth of the side, as usual for photos"),
    ]
