"""The export as an ONNX file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from core.exporting.original import Original, Refused, Samples
from core.onnx_form.check import make
from core.onnx_form.session import Facts, Session
from core.tracking.store import RunStore


def write(
    store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Copy the ONNX file of a run; make one where the run has none, as those of older versions."""
    with suppress(FileNotFoundError):
        shutil.copyfile(store.onnx_file(original.run_id), path)
    if not path.exists():
        facts = Facts(original.images.classes, original.images.target.sentences)
        made = make(original.model, facts, found.test, path)  # the model has its views in it
        if made.refused:
            raise Refused(made.refused)
    return Session(path).probabilities
