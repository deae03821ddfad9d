"""Classifies images with the models of finished runs."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from core.architectures import load_layers
from core.datasets.decode import Decoded, Target, Unreadable, decode_image
from core.inference.notes import value_notes
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.evaluation import both_columns

KEPT_MODELS = 4  # loaded at once; the one that was not used for longest goes
BATCH = 64

_models: OrderedDict[Path, keras.Model] = OrderedDict()


def load(path: Path) -> keras.Model:
    """A saved model, in Keras' safe mode: a file can bring weights and layers, never code."""
    if path in _models:
        _models.move_to_end(path)
        return _models[path]
    load_layers()
    _models[path] = keras.saving.load_model(path, compile=False, safe_mode=True)
    while len(_models) > KEPT_MODELS:
        _models.popitem(last=False)
    return _models[path]


def predict(
    store: RunStore, run_id: str, blobs: list[bytes], top_k: int = 5, invert: bool = False
) -> list[dict[str, Any]]:
    """The `top_k` most probable classes of each image, as `core.inference.client.predict` describes.

    Raises ValueError naming an image that cannot be read, FileNotFoundError when the run has no model.
    """
    state = store.state(run_id)
    try:
        model = load(store.model_file(run_id))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"'{state.name}' is {state.status} and has no saved model; only a finished run can predict."
        ) from error
    data = json.loads(store.read_text(run_id, schema.DATA))
    target = Target.of_run(data)
    decoded = [_decoded(blob, target, number) for number, blob in enumerate(blobs, start=1)]
    images = np.stack([image.pixels for image in decoded])
    if invert:
        images = 255 - images
    outputs = model.predict(images.astype("float32"), batch_size=BATCH, verbose=0)
    return [
        {**_top(probabilities, data["classes"], top_k), "notes": value_notes(target.values, image)}
        for probabilities, image in zip(both_columns(outputs), decoded, strict=True)
    ]


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
