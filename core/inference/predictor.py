"""Classifies images with the models of finished runs."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core import datasets
from core.architectures import load_layers
from core.datasets.brightness import Usual, usual_brightness
from core.datasets.decode import Decoded, Target, Unreadable, decode_image
from core.inference.facts import logged_facts
from core.inference.foreign import check_probabilities, foreign_classifier
from core.inference.notes import FULL_RANGE, inversion_note, value_notes, views_note
from core.registry import UnknownName
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.evaluation import both_columns
from core.training.views import averaged

KEPT_MODELS = 4  # loaded at once; the one that was not used for longest goes
BATCH = 64
TEST_TIME = "augmentation.test_time"  # the parameter that names the views

_models: OrderedDict[tuple[Path, str], keras.Model] = OrderedDict()


def load(path: Path, views: str = "none") -> keras.Model:
    """A saved model, in Keras' safe mode: a file can bring weights and layers, never code.

    views: the views that it averages over, as in `core.training.views`.
    """
    key = path, views
    if key in _models:
        _models.move_to_end(key)
        return _models[key]
    load_layers()
    _models[key] = averaged(keras.saving.load_model(path, compile=False, safe_mode=True), views)
    while len(_models) > KEPT_MODELS:
        _models.popitem(last=False)
    return _models[key]


def predict(
    store: RunStore, run_id: str, blobs: list[bytes], top_k: int = 5, invert: bool = False
) -> list[dict[str, Any]]:
    """The `top_k` most probable classes of each image, as `core.inference.client.predict` describes.

    Raises ValueError naming an image that cannot be read, FileNotFoundError when the run has no model.
    """
    state = store.state(run_id)
    try:
        data = logged_facts(store, run_id)
        if data is None:
            return _predict_foreign(store, run_id, blobs, top_k, invert)
        views = store.run(run_id).data.params.get(TEST_TIME, "none")  # the demo answers as the evaluation did
        model = load(store.model_file(run_id), views)
    except FileNotFoundError as error:
        if schema.NUMBER not in state.tags:  # of another program: the sentence says what it lacks
            raise
        raise FileNotFoundError(
            f"'{state.name}' is {state.status} and has no saved model; only a finished run can predict."
            if state.status != schema.FINISHED
            else f"'{state.name}' cannot predict: {error}"
        ) from error
    target = Target.of_run(data)
    decoded, images = _read(blobs, target, invert)
    outputs = model.predict(images.astype("float32"), batch_size=BATCH, verbose=0)
    usual = training_brightness(data)
    return [
        {
            **_top(probabilities, data["classes"], top_k),
            "notes": value_notes(target.values, image),
            "inversion": inversion_note(usual, pixels),
            "views": views_note(views),
            "preprocessing": "",
        }
        for probabilities, image, pixels in zip(both_columns(outputs), decoded, images, strict=True)
    ]


def takes(store: RunStore, run_id: str) -> dict[str, Any]:
    """What the model of a run of another program takes, as `core.inference.client.takes` describes."""
    return foreign_classifier(store, run_id).facts


def _predict_foreign(
    store: RunStore, run_id: str, blobs: list[bytes], top_k: int, invert: bool
) -> list[dict[str, Any]]:
    """`predict` with a model that another program logged: it gets the pixels as they are."""
    model, data = foreign_classifier(store, run_id)
    decoded, images = _read(blobs, Target.of_run(data), invert)
    outputs = np.asarray(model.predict(images.astype("float32"), batch_size=BATCH, verbose=0), "float32")
    check_probabilities(outputs)
    return [
        {
            **_top(probabilities, data["classes"], top_k),
            "notes": [f"The image has more than 8 bits: {FULL_RANGE}"] if image.deep else [],
            "inversion": "",
            "views": "",
            "preprocessing": data["note"],
        }
        for probabilities, image in zip(both_columns(outputs), decoded, strict=True)
    ]


def training_brightness(data: dict[str, Any]) -> Usual:
    """How bright the training images are: as the run wrote it down, else as its dataset has it, or empty."""
    if "brightness" in data:
        return data["brightness"]
    try:
        if datasets.info(data["name"]).fingerprint != data["fingerprint"]:
            return {}
    except (UnknownName, datasets.DatasetError):
        return {}
    return _brightness_of(data["name"], bool(data.get("grey")), data["fingerprint"])


@lru_cache(maxsize=16)
def _brightness_of(name: str, grey: bool, fingerprint: str) -> Usual:
    dataset = datasets.load(name, grey=grey)
    return usual_brightness(dataset, dataset.indices("train"))


def _read(blobs: list[bytes], target: Target, invert: bool) -> tuple[list[Decoded], np.ndarray]:
    """The images as they were decoded, and what the model gets of them: uint8 `(N, H, W, C)`."""
    decoded = [_decoded(blob, target, number) for number, blob in enumerate(blobs, start=1)]
    images = np.stack([image.pixels for image in decoded])
    return decoded, 255 - images if invert else images


def _decoded(blob: bytes, target: Target, number: int) -> Decoded:
    try:
        return decode_image(blob, target)
    except Unreadable as error:
        raise ValueError(f"Image {number} {error}.") from error


def _top(probabilities: np.ndarray, classes: list[str], top_k: int) -> dict[str, Any]:
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    return {
        "classes": [classes[index] for index in order],
        "probabilities": [float(probabilities[index]) for index in order],
    }
