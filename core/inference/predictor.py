"""Opens the models of finished runs with Keras."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path

import keras
import numpy as np

from core.architectures import load_layers
from core.architectures.classifier_output import class_probabilities
from core.experiment.views import averaged
from core.inference.answers import LooksAt, Opened
from core.inference.foreign import check_probabilities, foreign_classifier
from core.inference.grad_cam import grad_cam, on_image
from core.inference.logged_images import logged_images
from core.inference.messages import ModelImages
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


def open_model(store: RunStore, run_id: str) -> Opened:
    """Return the model of a run, loaded unless it is in memory.

    Raises UnknownRun, FileNotFoundError when the run has no model, ValueError for one that cannot be used.
    """
    state = store.state(run_id)
    try:
        images = logged_images(store, run_id)
        if images is None:
            classifier = foreign_classifier(store, run_id)
            model = classifier.model
            return Opened(
                partial(_of_foreign, model), classifier.images, "none", True, partial(_looks_at, model)
            )
        views = store.run(run_id).data.params.get(TEST_TIME, "none")  # as the evaluation of the run averaged
        path = store.models.file(run_id)
        return Opened(
            partial(_answer, load(path, views)),
            images,
            views,
            False,
            lambda image, index: _looks_at(load(path), image, index),  # of the image, not of views of it
        )
    except FileNotFoundError as error:
        if schema.NUMBER not in state.tags:  # of another program: the error says what it lacks
            raise
        raise FileNotFoundError(
            f"'{state.name}' is {state.status} and has no saved model; only a finished run can predict."
            if state.status != schema.FINISHED
            else f"'{state.name}' cannot predict: {error}"
        ) from error


def takes(store: RunStore, run_id: str) -> ModelImages:
    """Return the images that the model of another program's run takes. Raises as `foreign_classifier`."""
    return foreign_classifier(store, run_id).images


def _answer(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    outputs = model.predict(pixels.astype("float32"), batch_size=BATCH, verbose=0)
    return class_probabilities(np.asarray(outputs))


def _of_foreign(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """The model gets the pixels as they are. Raises ValueError where it outputs no probabilities."""
    outputs = np.asarray(model.predict(pixels.astype("float32"), batch_size=BATCH, verbose=0), "float32")
    check_probabilities(outputs)
    return class_probabilities(outputs)


def _looks_at(model: keras.Model, image: np.ndarray, index: int) -> LooksAt:
    found = grad_cam(model, image, index)
    height, width = found.values.shape
    return LooksAt(on_image(found.values, model, image.shape[:2]), (height, width), found.layer)
