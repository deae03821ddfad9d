"""The ONNX file of a run's model, made when the model is saved."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import keras
import numpy as np

from core.onnx_form.check import REAL, Made, make
from core.onnx_form.session import Facts
from core.tracking import schema
from core.training.device import exact_float32

MOST_WEIGHTS = 100 * 10**6  # of a model of which a file is made


@contextmanager
def onnx_file(model: keras.Model, facts: Facts, images: np.ndarray) -> Iterator[tuple[Made, Path | None]]:
    """Make the ONNX file of a model for the time of the block; see `core.onnx_form.check.make`.

    Nothing that goes wrong with it ends the training.

    Args:
        model: the model.
        facts: what the file says of it.
        images: all of the dataset, uint8 `(N, H, W, C)`; some from all over it are compared.

    Yields:
        What became of it, and the file; None where it was refused.
    """
    with ExitStack() as stack:
        path = None
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        except OSError as error:
            made = Made(refused=f"There was no place to write its ONNX file: {error.strerror}.")
        else:
            path = Path(folder) / "model.onnx"
            made = _made(model, facts, images, path)
        print(made.refused or f"ONNX: the largest difference from Keras is {made.difference:.1e}")
        yield made, None if made.refused else path


def _made(model: keras.Model, facts: Facts, images: np.ndarray, path: Path) -> Made:
    if model.count_params() > MOST_WEIGHTS:
        return Made(
            refused=f"An ONNX file is made of at most {MOST_WEIGHTS // 10**6} million weights, because "
            f"making it takes five times their memory; the model has {model.count_params() // 10**6} million."
        )
    rows = np.unique(np.linspace(0, len(images) - 1, REAL).astype(int))
    with exact_float32():
        return make(model, facts, np.asarray(images[rows]), path)


def onnx_tags(made: Made) -> dict[str, str]:
    """What to note of the ONNX file of a run."""
    if made.refused:
        return {schema.ONNX_REFUSED: made.refused}
    return {schema.ONNX_DIFFERENCE: f"{made.difference:.2g}"}
