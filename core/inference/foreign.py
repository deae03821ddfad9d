"""Models that another program logged with MLflow: which of them classify images, and which images they take.

Only the model file is known. Its input gives size and channels, its output the number of classes; how the
images were preprocessed is unknown.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from core.architectures.classifier_output import ADDED, with_probabilities
from core.inference.messages import ModelImages
from core.inference.notes import GIVEN_AS_THEY_ARE, no_keras_model
from core.tracking.store import RunStore

NAME = "The Keras model of this run"
SUM_TOLERANCE = 0.01  # of the probabilities of an image, which half precision rounds
KEPT = 4  # loaded at once


class Classifier(NamedTuple):
    """A model with an output of probabilities, `(N, classes)` or `(N, 1)`, and the images that it takes."""

    model: keras.Model
    images: ModelImages


def foreign_classifier(store: RunStore, run_id: str) -> Classifier:
    """Load the Keras model of a run of another program.

    Raises FileNotFoundError when it logged none, ValueError when the model is no image classifier; the
    message is a sentence.
    """
    try:
        path = store.models.file(run_id)
    except FileNotFoundError as error:
        raise FileNotFoundError(no_keras_model(store.state(run_id).name)) from error
    return _classifier(path)


def check_probabilities(outputs: np.ndarray) -> None:
    """Raise ValueError when outputs `(N, k)` of a model are no probabilities; k = 1: one sigmoid unit."""
    fits = np.isfinite(outputs).all() and outputs.min() >= 0 and outputs.max() <= 1 + SUM_TOLERANCE
    if fits and outputs.shape[1] > 1:
        fits = np.abs(outputs.sum(axis=1) - 1).max() < SUM_TOLERANCE
    if not fits:
        raise ValueError(
            f"{NAME} cannot classify images here: its values are no probabilities that sum to 1. "
            f"Received: {outputs.min():.3g} to {outputs.max():.3g}."
        )


@lru_cache(maxsize=KEPT)
def _classifier(path: Path) -> Classifier:
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of Keras, or of what the file brings
        reason = " ".join(str(error).split()).partition(". ")[0][:200].rstrip(".") or type(error).__name__
        raise ValueError(f"{NAME} cannot be loaded in Keras' safe mode: {reason}.") from error
    shape, classes = _image_shape(model), _classes(model)
    answering = with_probabilities(model, NAME, shape, classes)
    added = answering is not model and _has_added(answering) and not _has_added(model)
    if added and model.outputs[0].shape[1] == 1:
        raise ValueError(
            f"{NAME} cannot classify images here: its one value has no activation, so it can be a "
            "measurement as well as the logit of a class."
        )
    note = GIVEN_AS_THEY_ARE
    if added:
        note += " Its last layer has no activation: its values were taken as logits, with a softmax."
    names = tuple(f"class {index}" for index in range(classes))
    return Classifier(answering, ModelImages(shape, names, "stretch", brightness={}, note=note))


def _image_shape(model: keras.Model) -> tuple[int, int, int]:
    """Return height, width and channels of a model's images. Raises ValueError for other inputs."""
    inputs = [tuple(one.shape) for one in getattr(model, "inputs", None) or ()]
    match inputs:
        case [(None, int(height), int(width), (1 | 3) as channels)]:
            return height, width, channels
    received = ", ".join(map(str, inputs)) or "a model without a known input"
    raise ValueError(
        f"{NAME} cannot classify images here: it must take one batch of images of a fixed size, (None, "
        f"height, width, 1 or 3). Received: {received}."
    )


def _classes(model: keras.Model) -> int:
    """Return the number of classes; one unit stands for two. Raises ValueError for other outputs."""
    shapes = [tuple(one.shape) for one in model.outputs]
    match shapes:
        case [(None, int(units))]:
            return max(units, 2)
    raise ValueError(
        f"{NAME} cannot classify images here: it must have one output value per class, (None, classes). "
        f"Received: {', '.join(map(str, shapes))}."
    )


def _has_added(model: keras.Model) -> bool:
    return any(layer.name == ADDED for layer in model.layers)
