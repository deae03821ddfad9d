"""Classifies images with the models of finished runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from core import datasets
from core.architectures import load_layers
from core.architectures.answer import class_probabilities
from core.datasets.brightness import Usual, usual_brightness
from core.datasets.decode import Decoded, Target, Unreadable, decode_image
from core.datasets.value_range import FULL_RANGE
from core.experiment.views import averaged
from core.inference.facts import logged_facts
from core.inference.foreign import check_probabilities, foreign_classifier
from core.inference.notes import inversion_note, value_notes, views_note
from core.registry import UnknownName
from core.tracking import schema
from core.tracking.store import RunStore

KEPT_MODELS = 4  # loaded at once; the one that was not used for longest goes
BATCH = 64
TEST_TIME = "augmentation.test_time"  # the parameter that names the views

_models: OrderedDict[tuple[Path, str], keras.Model] = OrderedDict()


def load(path: Path, views: str = "none") -> keras.Model:
    """A saved model, in Keras' safe mode: a file can bring weights and layers, never code.

    views: the views that it averages over, as in `core.experiment.views`.
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
    """A run's model, and what it takes and answers: `schema.DATA`, or what a foreign model's file tells.

    views: what the answer is averaged over. foreign: another program logged it.
    """

    model: keras.Model
    data: dict[str, Any]
    views: str
    foreign: bool

    @property
    def target(self) -> Target:
        """What its images become."""
        return Target.of_run(self.data)


def open_model(store: RunStore, run_id: str) -> Opened:
    """Load the model of a run, or have it at hand.

    Raises UnknownRun, FileNotFoundError when the run has no model, ValueError for one that cannot be used.
    """
    state = store.state(run_id)
    try:
        data = logged_facts(store, run_id)
        if data is None:
            classifier = foreign_classifier(store, run_id)
            return Opened(classifier.model, classifier.facts, "none", True)
        views = store.run(run_id).data.params.get(TEST_TIME, "none")  # the demo answers as the evaluation did
        return Opened(load(store.models.file(run_id), views), data, views, False)
    except FileNotFoundError as error:
        if schema.NUMBER not in state.tags:  # of another program: the sentence says what it lacks
            raise
        raise FileNotFoundError(
            f"'{state.name}' is {state.status} and has no saved model; only a finished run can predict."
            if state.status != schema.FINISHED
            else f"'{state.name}' cannot predict: {error}"
        ) from error


def predict(
    store: RunStore, run_id: str, blobs: Sequence[bytes], top_k: int = 5, invert: bool = False
) -> list[dict[str, Any]]:
    """The `top_k` most probable classes of each image, as `core.inference.client.predict` describes.

    Raises ValueError naming an image that cannot be read, and as `open_model` does.
    """
    opened = open_model(store, run_id)
    decoded = [_decoded(blob, opened.target, number) for number, blob in enumerate(blobs, start=1)]
    return answers(opened, decoded, top_k, invert)


def answers(
    opened: Opened, decoded: Sequence[Decoded], top_k: int = 5, invert: bool = False
) -> list[dict[str, Any]]:
    """What a model says of images that were decoded for it (`Opened.target`), as `predict` does."""
    pixels = shown_to_model(decoded, invert)
    outputs = opened.model.predict(pixels.astype("float32"), batch_size=BATCH, verbose=0)
    if opened.foreign:
        return _foreign_answers(np.asarray(outputs, "float32"), decoded, opened.data, top_k)
    usual = training_brightness(opened.data)
    return [
        {
            **_top(probabilities, opened.data["classes"], top_k),
            "notes": value_notes(opened.target.values, image),
            "inversion": inversion_note(usual, one),
            "views": views_note(opened.views),
            "preprocessing": "",
        }
        for probabilities, image, one in zip(class_probabilities(outputs), decoded, pixels, strict=True)
    ]


def shown_to_model(decoded: Sequence[Decoded], invert: bool) -> np.ndarray:
    """What a model gets of images: uint8 `(N, H, W, C)`."""
    images = np.stack([image.pixels for image in decoded])
    return 255 - images if invert else images


def takes(store: RunStore, run_id: str) -> dict[str, Any]:
    """What the model of a run of another program takes, as `core.inference.client.takes` describes."""
    return foreign_classifier(store, run_id).facts


def _foreign_answers(
    outputs: np.ndarray, decoded: Sequence[Decoded], data: dict[str, Any], top_k: int
) -> list[dict[str, Any]]:
    """`predict` with a model that another program logged: it gets the pixels as they are."""
    check_probabilities(outputs)
    return [
        {
            **_top(probabilities, data["classes"], top_k),
            "notes": [f"The image has more than 8 bits: {FULL_RANGE}."] if image.deep else [],
            "inversion": "",
            "views": "",
            "preprocessing": data["note"],
        }
        for probabilities, image in zip(class_probabilities(outputs), decoded, strict=True)
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
