"""What a config means for a dataset: input shape, split, and class weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.config import DataConfig, ExperimentConfig
from core.datasets.balance import at_most, balanced, class_weights
from core.datasets.records import DatasetInfo, ImageDataset, Shape
from core.datasets.splits import Split, split
from core.datasets.together import Rule


def split_for(dataset: ImageDataset, data: DataConfig, rule: Rule | None = None) -> Split:
    """Return the split that a config asks for; its training rows are those of one epoch.

    With even sampling, images of small classes occur several times. Validation and test set do not change.

    Args:
        dataset: to be split.
        data: of the config.
        rule: which images stay together; default: as config and dataset demand, see `rule_of`.
    """
    divided = split(
        dataset,
        validation_fraction=data.validation_fraction,
        seed=data.split_seed,
        folds=data.folds or None,
        fold=data.fold if data.folds else None,
        rule=rule or rule_of(dataset.info, data),
    )
    labels = dataset.labels[divided.train]
    if data.imbalance == "balanced":
        return replace(divided, train=balanced(divided.train, labels, data.split_seed))
    if data.imbalance == "at_most":
        return replace(divided, train=at_most(divided.train, labels, data.at_most, data.split_seed))
    return divided


def rule_of(info: DatasetInfo, data: DataConfig) -> Rule:
    """Return which images no split divides: near duplicates too if the config or the import demands it."""
    asked = (data.keep_together, info.options.get("keep_together"))
    return "near" if "near" in asked else "identical"


def weights(dataset: ImageDataset, rows: np.ndarray, data: DataConfig) -> dict[int, float] | None:
    """Return the weight of each class in the loss, None if the config has no class weights.

    rows: for training.
    """
    if data.imbalance != "class_weights":
        return None
    return dict(enumerate(class_weights(dataset.labels[rows], dataset.info.num_classes).tolist()))


def image_shape(shape: Shape, data: DataConfig) -> Shape:
    """Return the shape of the images as they are read."""
    height, width, channels = shape
    return height, width, 1 if data.grey else channels


def cropped_shape(config: ExperimentConfig, shape: Shape) -> Shape:
    """Return the shape that the model gets for images stored as `shape`."""
    height, width, channels = image_shape(shape, config.data)
    crop = config.augmentation.random_crop
    return (crop, crop, channels) if crop else (height, width, channels)


def check(config: ExperimentConfig, info: DatasetInfo) -> None:
    """Raise ValueError, in one sentence, if the config's settings do not fit images of this dataset."""
    height, width, channels = image_shape(info.shape, config.data)
    crop, margin = config.augmentation.random_crop, config.augmentation.pad_and_crop
    if crop > min(height, width):
        raise ValueError(
            f"augmentation.random_crop must be at most the images' shorter side, {min(height, width)}. "
            f"Received: {crop}."
        )
    if margin >= min(height, width):
        raise ValueError(
            f"augmentation.pad_and_crop must be smaller than the images, {height}×{width}. "
            f"Received: {margin}."
        )
    # ImageNet's weights get grey images as three equal channels.
    if config.data.component.colour_only and channels != 3 and config.model.weights != "imagenet":
        raise ValueError(
            f"data.preprocessing '{config.data.preprocessing}' is made for images of 3 channels. "
            f"Received: {channels}."
        )


def sizes(info: DatasetInfo, data: DataConfig) -> tuple[int, int]:
    """Return about how many images an epoch trains and validates on, from the counts alone."""
    pool = np.array(info.counts["train"])
    given = np.array(info.counts["validation"])
    if data.folds:
        held = (pool + given) / data.folds
        pool = pool + given - held
    elif given.any():
        held = given
    else:
        held = pool * data.validation_fraction
        pool = pool - held
    if data.imbalance == "balanced":
        pool = np.where(pool > 0, pool.max(), 0)
    elif data.imbalance == "at_most":
        pool = np.minimum(pool, data.at_most)
    return round(float(pool.sum())), round(float(held.sum()))
