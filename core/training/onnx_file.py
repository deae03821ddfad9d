"""The ONNX file of a run's model, made when the model is saved."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from core.onnx_form.check import REAL, Made, make
from core.onnx_form.session import Facts
from core.tracking import schema
from core.training.device import exact_float32


def onnx_file(model: keras.Model, facts: Facts, images: np.ndarray, path: Path) -> Made:
    """Write the ONNX file of a model if it answers as the model does; see `core.onnx_form.check.make`.

    images: all of the dataset, uint8 `(N, H, W, C)`; some from all over it are compared.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, REAL).astype(int))
    with exact_float32():
        made = make(model, facts, np.asarray(images[rows]), path)
    print(made.refused or f"ONNX: the largest difference from Keras is {made.difference:.1e}")
    return made


def onnx_tags(made: Made) -> dict[str, str]:
    """What to note of the ONNX file of a run."""
    if made.refused:
        return {schema.ONNX_REFUSED: made.refused}
    return {schema.ONNX_DIFFERENCE: f"{made.difference:.2g}"}
