"""Shows an image as a model gets it in training, computed by the same layers."""

from __future__ import annotations

import base64
from functools import lru_cache

import keras
import numpy as np

from core import datasets
from core.architectures.transfer import model_input_shape
from core.config import DataConfig, ExperimentConfig, from_mapping
from core.datasets import choices
from core.experiment.augmentation import augment, mixing_layer
from core.experiment.preparation import preparation
from core.experiment.preprocessing import needs_mean, training_mean
from core.experiment.pretrained import check_weights
from core.images.pixels import to_png
from core.inference.messages import Preview
from core.tracking.store import RunStore

PARTNERS = 24  # other images of the batch, which mixing draws from
MAX_SIDE = 384  # pixels; larger images might not fit into a message
RANGES = {
    "scale": (0.0, 1.0),
    "tf": (-1.0, 1.0),
}  # of 0-255, by preprocessing; for others it depends on the image


def preview(store: RunStore, request: Preview) -> tuple[str, ...]:
    """Return one image `count` times as the model gets it in training: PNG files in base64.

    Where the range of values depends on the image, the smallest value is shown black and the largest white.
    Images with a side longer than `MAX_SIDE` are shown smaller.

    store: with the runs whose weights the config may start from; these decide the preprocessing. Raises
    ValueError for an unknown row or an invalid config.
    """
    config, row = from_mapping(request.tree), request.row
    dataset = datasets.load(config.data.name, grey=config.data.grey)
    if not 0 <= row < len(dataset):
        raise ValueError(f"Rows of '{config.data.name}' go from 0 to {len(dataset) - 1}. Received: {row}.")
    choices.check(config, dataset.info)
    config = config.with_values({"data.preprocessing": check_weights(config, store)})
    values = _model_input(config, dataset, request)
    low, high = RANGES.get(config.data.preprocessing, (float(values.min()), float(values.max())))
    shown = np.clip((values - low) * 255 / max(high - low, 1e-6), 0, 255).round().astype("uint8")
    if config.data.preprocessing == "caffe":
        shown = shown[..., ::-1]  # BGR to RGB
    return tuple(base64.b64encode(to_png(image, MAX_SIDE)).decode() for image in shown)


def _model_input(config: ExperimentConfig, dataset: datasets.ImageDataset, request: Preview) -> np.ndarray:
    """Return the image as the model gets it, `count` times: float32 `(count, H, W, C)`."""
    count, seed = request.count, request.seed
    rows = np.full(count, request.row)
    if mixing_layer(config.augmentation, seed) is not None:
        others = np.random.default_rng(seed).choice(dataset.indices("train"), PARTNERS)
        rows = np.concatenate([rows, others])
    images = keras.ops.convert_to_tensor(dataset.images[rows].astype("float32"))
    images, *_ = augment(images, config.augmentation, seed, training=True)
    mean = _mean(config.data, dataset.info.fingerprint) if needs_mean(config.data) else None
    shape = choices.cropped_shape(config, dataset.info.shape)
    prepare = preparation(config, shape, model_input_shape(config.model, shape), mean)
    return keras.ops.convert_to_numpy(prepare(images[:count]))


@lru_cache(maxsize=4)
def _mean(data: DataConfig, fingerprint: str) -> np.ndarray:
    """Return the mean image of the training set; cached, since computing it reads every image."""
    dataset = datasets.load(data.name, grey=data.grey)
    return training_mean(dataset.images, choices.split_for(dataset, data).train)
