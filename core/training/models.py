"""The models around a network: the one that trains, with augmentation, and the one that is saved."""

from __future__ import annotations

import json

import keras
import numpy as np

from core.architectures import inference_model
from core.architectures.layers import AuxiliaryModel
from core.config import ExperimentConfig
from core.datasets import choices
from core.datasets.records import Shape
from core.experiment.augmentation import MixingModel, augment
from core.experiment.preparation import cropped, preparation
from core.training.device import float32_layers
from core.training.portable import finalize
from core.training.resident import Resident


def wrap(
    network: keras.Model,
    config: ExperimentConfig,
    shape: Shape | None = None,
    mean: np.ndarray | None = None,
    held: Resident | None = None,
) -> tuple[keras.Model, keras.Model]:
    """The network that trains (with augmentation) and the one that is kept; they share their weights.

    Both take images of 0-255 as the dataset has them; they crop, preprocess and resize them, so that
    whoever loads the saved model feeds it pixels and cannot get that wrong.

    shape: `(H, W, C)` of the images; default: the network's. mean: the training set's mean image, where the
    preprocessing subtracts it. held: with it, the network that trains takes the rows of images instead.
    """
    with float32_layers():
        return _wrapped(network, config, shape, mean, held)


def _wrapped(
    network: keras.Model,
    config: ExperimentConfig,
    shape: Shape | None,
    mean: np.ndarray | None,
    held: Resident | None,
) -> tuple[keras.Model, keras.Model]:
    images = keras.Input(shape or network.input_shape[1:], name="images")
    cut = choices.cropped_shape(config, images.shape[1:])
    prepare = preparation(config, cut, network.input_shape[1:], mean)
    answer = inference_model(network)
    deployable = keras.Model(images, answer(prepare(cropped(images, cut))), name=network.name)
    source = images if held is None else keras.Input((), dtype="int32", name="rows")
    pixels = images if held is None else held.layer(source)
    augmented, *shares = augment(pixels, config.augmentation, config.seed)
    if not shares and answer is network:
        return keras.Model(source, network(prepare(augmented)), name="training"), deployable
    if answer is network:
        heads = [network(prepare(augmented))]
    else:
        heads = keras.Model(network.inputs, network.outputs)(
            prepare(augmented)
        )  # the auxiliary ones train too
    kind = MixingModel if shares else AuxiliaryModel
    return kind(source, [*heads, *shares], name="training"), deployable


def in_float32(model: keras.Model) -> keras.Model:
    """A copy that computes in 32 bits on any device; the model itself where it does so already."""
    if keras.config.dtype_policy().name == "float32":
        return model
    text = json.dumps(keras.saving.serialize_keras_object(model))
    policy = keras.config.dtype_policy().name
    copy = keras.saving.deserialize_keras_object(json.loads(text.replace(f'"{policy}"', '"float32"')))
    copy.set_weights(model.get_weights())
    finalize(copy)
    return copy
