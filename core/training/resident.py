"""Images that live in the memory of the device that trains: a step is given their rows, nothing is copied."""

from __future__ import annotations

import os
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from core.config import TrainingConfig
from core.datasets.splits import Split
from core.system import devices
from core.system.memory import MARGIN
from core.training.device import on_gpu


class FromDevice(layers.Layer):
    """Takes images by their rows, int32 `(B,)`, and gives them as float32 of 0-255, `(B, H, W, C)`.

    images: uint8 `(n, H, W, C)`; copied to the device once. They are no weight: no checkpoint holds them.
    """

    def __init__(self, images: np.ndarray):
        super().__init__(name="from_device", dtype="float32")
        self._image_shape = images.shape[1:]
        self._images = keras.ops.convert_to_tensor(images)

    def call(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.cast(keras.ops.take(self._images, rows, axis=0), "float32")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, *self._image_shape)


@dataclass(frozen=True)
class Resident:
    """The images that train and validate, on the device. rows: theirs in the dataset, ascending."""

    layer: FromDevice
    rows: np.ndarray

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Return the index in the layer of each row of the dataset; the order is kept."""
        return np.searchsorted(self.rows, rows)


def resident(
    images: np.ndarray, split: Split, training: TrainingConfig, training_bytes: int
) -> Resident | None:
    """The images on the device where the config asks for it; with `auto`, on one GPU with room for them.

    training_bytes: what training itself takes there.
    """
    rows = np.sort(np.concatenate([split.train, split.validation]))
    if training.images_on_device == "auto":
        size = len(rows) * images[0].nbytes + training_bytes
        if not on_gpu() or training.devices > 1 or size > MARGIN * _free():
            return None
    if training.images_on_device == "off":
        return None
    return Resident(FromDevice(images[rows]), rows)


def _free() -> int:
    return devices.free_memory(os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
