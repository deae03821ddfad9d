"""Makes the ONNX file of a Keras model, and keeps it where its answers are those of Keras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx

from core.architectures.classifier_output import class_probabilities
from core.experiment.views import averaged
from core.onnx_form.convert import to_onnx
from core.onnx_form.session import Facts, Session

TOLERANCE = 1e-4  # between a probability by Keras and the same by onnxruntime
REAL, RANDOM = 12, 4  # images that are compared
AT_ONCE = 8


@dataclass(frozen=True)
class Made:
    """An ONNX file, or why there is none.

    difference: the largest between probabilities of both; None where nothing could be compared. refused: one
    sentence; empty where the file was written.
    """

    difference: float | None = None
    refused: str = ""


def make(model: keras.Model, facts: Facts, images: np.ndarray, path: Path) -> Made:
    """Write a model's ONNX file and compare it with the model, on given images and on random ones.

    The file is deleted unless all probabilities agree within `TOLERANCE`. No error of the conversion gets out
    of here: a run keeps its result without this file.

    Args:
        model: takes images of 0-255, answers probabilities.
        facts: what the file is to say of itself; its views are part of the graph.
        images: of the dataset, uint8 `(N, H, W, C)`; at most `REAL` are compared.
        path: of the file.
    """
    try:
        whole = averaged(model, facts.views)
        onnx.save_model(to_onnx(whole, facts.metadata()), str(path))
        difference = largest_difference(whole, Session(path), images[:REAL])
    except Exception as error:
        path.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        return Made(refused=f"The model could not be written as ONNX: {reason}.")
    if not difference <= TOLERANCE:  # also where it is no number
        path.unlink()
        return Made(
            difference,
            f"The ONNX form of the model gives other probabilities than Keras: they differ by "
            f"{difference:.2g}, and {TOLERANCE:g} is allowed.",
        )
    return Made(difference)


def largest_difference(model: keras.Model, session: Session, images: np.ndarray) -> float:
    """Return the largest difference between probabilities of both, on some images and on random ones."""
    random = np.random.default_rng(0).integers(0, 256, (RANDOM, *session.shape), dtype="uint8")
    compared = np.concatenate([images, random]) if len(images) else random
    return float(np.abs(keras_probabilities(model, compared) - session.probabilities(compared)).max())


def keras_probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return what Keras answers: float32 `(N, classes)`. images: uint8 `(N, H, W, C)`.

    TensorFlow computes layer by layer, which for so few images is quicker than to compile the model.
    """
    parts: Sequence[np.ndarray] = [
        np.asarray(_outputs(model, images[start : start + AT_ONCE].astype("float32")))
        for start in range(0, len(images), AT_ONCE)
    ]
    return class_probabilities(np.concatenate(parts).astype("float32"))


def _outputs(model: keras.Model, images: np.ndarray) -> np.ndarray:
    if keras.backend.backend() == "tensorflow":
        return model(images, training=False)
    return model.predict_on_batch(images)
