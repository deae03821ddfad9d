"""Classifies images with the models of finished runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from core import datasets
from core.architectures import load_layers
from core.architectures.classifier_output import class_probabilities
from core.datasets.brightness import Usual, usual_brightness
from core.experiment.views import averaged
from core.images.decode import Decoded
from core.images.value_range import FULL_RANGE
from core.inference.foreign import check_probabilities, foreign_classifier
from core.inference.logged_images import logged_images
from core.inference.messages import ModelImages, PredictionResult
from core.inference.notes import inversion_note, value_notes, views_note
from core.registry import UnknownName
from core.tracking import schema
from core.tracking.store import RunStore

KEPT_MODELS = 4  # in memory at once; the least recently used one is dropped
BATCH = 64
TEST_TIME = "augmentation.test_time"  # the parameter that names the views

_models: OrderedDict[tuple[Path, str], keras.Model] = OrderedDict()


def load(path: Path, views: str = "none") -> keras.Model:
    """Load a saved model in Keras' safe mode: a file can bring weights and layers, never code.

    views: the views that it averages over, as in `core.experiment.views`. Raises ValueError for a damaged
    file.
    """
    key = path, views
    if key in _models:
        _models.move_to_end(key)
        return _models[key]
    load_layers()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file raises nearly anything in Keras, h5py or zipfile
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise ValueError(f"The model of this run cannot be loaded, its file is damaged: {reason}.") from error
    _models[key] = averaged(model, views)
    while len(_models) > KEPT_MODELS:
        _models.popitem(last=False)
    return _models[key]


class Opened(NamedTuple):
    """A run's model, and the images that it takes.

    views: what the prediction is averaged over, as in `core.experiment.views`. foreign: whether another
    program logged it.
    """

    model: keras.Model
    images: ModelImages
    views: str
    foreign: bool


def open_model(store: RunStore, run_id: str) -> Opened:
    """Return the model of a run, loaded unless it is in memory.

    Raises UnknownRun, FileNotFoundError when the run has no model, ValueError for one that cannot be used.
    """
    state = store.state(run_id)
    try:
        images = logged_images(store, run_id)
        if images is None:
            classifier = foreign_classifier(store, run_id)
            return Opened(classifier.model, classifier.images, "none", True)
        views = store.run(run_id).data.params.get(TEST_TIME, "none")  # as the evaluation of the run averaged
        return Opened(load(store.models.file(run_id), views), images, views, False)
    except FileNotFoundError as error:
        if schema.NUMBER not in state.tags:  # of another program: the error says what it lacks
            raise
        raise FileNotFoundError(
            f"'{state.name}' is {state.status} and has no saved model; only a finished run can predict."
            if state.status != schema.FINISHED
            else f"'{state.name}' cannot predict: {error}"
        ) from error


def predictions(
    opened: Opened, decoded: Sequence[Decoded], top_k: int = 5, invert: bool = False
) -> tuple[PredictionResult, ...]:
    """Return the `top_k` most probable classes of images that were decoded for the model.

    decoded: by `opened.images.target`. Raises ValueError where another program's model outputs no
    probabilities.
    """
    pixels = shown_to_model(decoded, invert)
    outputs = np.asarray(opened.model.predict(pixels.astype("float32"), batch_size=BATCH, verbose=0))
    if opened.foreign:  # it gets the pixels as they are
        outputs = outputs.astype("float32")
        check_probabilities(outputs)
    usual = training_brightness(opened.images)
    found = []
    for probabilities, image, one in zip(class_probabilities(outputs), decoded, pixels, strict=True):
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        height, width, channels = one.shape
        result = PredictionResult(
            classes=tuple(opened.images.classes[index] for index in order),
            probabilities=tuple(float(probabilities[index]) for index in order),
            shape=(height, width, channels),
            notes=_notes(opened, image),
            inversion=inversion_note(usual, one),
            views=views_note(opened.views),
            preprocessing=opened.images.note,
        )
        found.append(result)
    return tuple(found)


def shown_to_model(decoded: Sequence[Decoded], invert: bool) -> np.ndarray:
    """Return what a model gets of images: uint8 `(N, H, W, C)`."""
    images = np.stack([image.pixels for image in decoded])
    return 255 - images if invert else images


def takes(store: RunStore, run_id: str) -> ModelImages:
    """Return the images that the model of another program's run takes. Raises as `foreign_classifier`."""
    return foreign_classifier(store, run_id).images


def training_brightness(images: ModelImages) -> Usual:
    """Return how bright the training images are: as logged, else as the dataset has it, or empty."""
    if images.brightness is not None:
        return images.brightness
    try:
        if datasets.info(images.name).fingerprint != images.fingerprint:
            return {}
    except (UnknownName, datasets.DatasetError):
        return {}
    return _brightness_of(images.name, images.grey, images.fingerprint)


@lru_cache(maxsize=16)
def _brightness_of(name: str, grey: bool, fingerprint: str) -> Usual:
    dataset = datasets.load(name, grey=grey)
    return usual_brightness(dataset, dataset.indices("train"))


def _notes(opened: Opened, image: Decoded) -> tuple[str, ...]:
    """Return sentences on how a deep image was read; a foreign model gives no rule for that."""
    if opened.foreign:
        return (f"The image has more than 8 bits: {FULL_RANGE}.",) if image.deep else ()
    return tuple(value_notes(opened.images.target.values, image))
