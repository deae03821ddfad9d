"""Bottleneck features: what a frozen backbone makes of every image, computed once and kept on disk.

Random changes that a backbone itself makes in training, such as dropout, are off.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.architectures.transfer import backbone_of
from core.config import ExperimentConfig
from core.datasets import ImageDataset
from core.experiment.preparation import preparation
from core.system.files import DISK, replacing
from core.system.settings import Settings
from core.training.pipeline import Batches


def bottleneck_features(
    network: keras.Model,
    config: ExperimentConfig,
    dataset: ImageDataset,
    mean: np.ndarray | None,
    settings: Settings,
) -> np.ndarray:
    """The backbone's outputs for a dataset: float32 `(N, h, w, c)`, mapped from disk.

    Row i belongs to image i; images that were left out have zeros. Computed where the cache has none of the
    same images, backbone, weights and preprocessing, whatever the head is. mean: as `preparation` takes it.
    Raises OSError when the disk is too small for them.
    """
    backbone = backbone_of(network)
    path = settings.cache / "bottleneck" / f"{fingerprint(backbone, config, dataset, mean)}.npy"
    shape = (len(dataset), *backbone.output_shape[1:])
    if (kept := read_features(path, shape)) is not None:
        print("bottleneck features: from the cache")
        return kept
    write_features(path, backbone, config, dataset, mean)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def read_features(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Features that were kept; None where there are none of this shape, or their file is damaged."""
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return features if features.shape == shape and features.dtype == np.float32 else None


def wiring(layer: keras.Layer) -> list[Any]:
    """What a layer does, whatever it is called."""
    config = layer.get_config()
    return [type(layer).__name__, {key: config[key] for key in config if key != "name"}]


def fingerprint(
    backbone: keras.Model, config: ExperimentConfig, dataset: ImageDataset, mean: np.ndarray | None
) -> str:
    """Changes with all that the features depend on, and not with the head."""
    facts = {
        "data": dataset.info.fingerprint,
        "net": config.model.name,
        "options": config.model.options,
        "images": dataset.info.shape,
        "input": backbone.input_shape,
        "preprocessing": config.data.preprocessing,
        "keras": keras.__version__,
        "dtype": keras.config.dtype_policy().name,
        "wiring": [wiring(layer) for layer in backbone.layers],
    }
    digest = sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    if mean is not None:
        digest.update(mean.tobytes())
    for weight in backbone.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()[:32]


def write_features(
    path: Path,
    backbone: keras.Model,
    config: ExperimentConfig,
    dataset: ImageDataset,
    mean: np.ndarray | None,
    batch_size: int = 32,
) -> None:
    """One pass over the dataset; the file appears under its name when it is whole."""
    shape = (len(dataset), *backbone.output_shape[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    images = keras.Input(dataset.info.shape)
    prepare = preparation(config, dataset.info.shape, backbone.input_shape[1:], mean)
    extractor = keras.Model(images, backbone(prepare(images)))
    rows = dataset.indices()
    batches = Batches(dataset.images, dataset.labels, rows, batch_size)
    with replacing(path, sync=False) as draft:  # it can be computed again
        features = np.lib.format.open_memmap(draft, "w+", "float32", shape)
        reserve(draft, f"The bottleneck features of {len(dataset):,} images")
        for number in range(len(batches)):
            part = rows[number * batch_size : (number + 1) * batch_size]
            features[part] = extractor.predict_on_batch(batches[number][0])
        features.flush()
    print(f"bottleneck features: {len(rows):,} images, {features.nbytes / 1e6:.0f} MB")


def reserve(path: Path, what: str) -> None:
    """Take the room of a mapped file from the disk now: where it lacks later, a signal ends the process.

    Raises OSError where there is too little.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in DISK:
                return  # a file system that reserves nothing
            raise OSError(
                error.errno, f"{what} take {size / 1e9:.3g} GB, more than is free below {path.parent}"
            ) from error
