"""Exports a model, and keeps the export where it answers as the original does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.exporting import box, keras_files, litert, onnx_file, script
from core.exporting.formats import FORMATS
from core.exporting.messages import Report
from core.exporting.original import Original, Refused, Samples, open_original, samples
from core.onnx_form.check import TOLERANCE
from core.tracking.store import RunStore

__all__ = ["Refused", "export"]

COMPARED = 64  # test images that an export of the same function is compared on
MEASURED = 1000  # test images that the accuracy of another function is measured on
MOST_LOST = 0.05  # of accuracy, by 8 bits

# Writes an export of a model to a path, and returns what answers from it: uint8 images to probabilities.
Writer = Callable[[RunStore, Original, Samples, Path], Callable[[np.ndarray], np.ndarray]]
SAME: dict[str, Writer] = {
    "keras": keras_files.write_keras,
    "savedmodel": keras_files.write_saved_model,
    "onnx": onnx_file.write,
    "litert": litert.write,
    "box": box.write,
}


def export(store: RunStore, run_id: str, name: str, folder: Path) -> Report:
    """Write an export of the model of a run into a folder, and compare it with the original.

    Raises:
        Refused: it cannot be written, or answers otherwise; what was written so far may be in the folder.
    """
    path = folder / FORMATS[name].file
    if name == "script":
        return script.write(store, run_id, path)
    original = open_original(store, run_id)
    found = samples(store, original, MEASURED)
    if name == "litert-int8":
        return _quantized(store, original, found, path)
    answer = _written(SAME[name], store, original, found, path)
    return compared(original, found, answer)


def compared(original: Original, found: Samples, answer: Callable[[np.ndarray], np.ndarray]) -> Report:
    """Compare what answers from an export with the original. Raises Refused where they differ."""
    images, _ = found.some(COMPARED)
    difference = float(np.abs(answer(images) - original.probabilities(images)).max())
    where = found.words(len(images))
    if not difference <= TOLERANCE:  # also where it is no number
        raise Refused(
            f"The export gives other probabilities than the original: on {where} they differ by "
            f"{difference:.2g}, and {TOLERANCE:g} is allowed."
        )
    return Report(difference, where)


def _quantized(store: RunStore, original: Original, found: Samples, path: Path) -> Report:
    """Measure what 8 bits cost: they are another function than the original."""
    if found.made_up:
        raise Refused(
            "The ranges of 8 bits are measured on images of the run's dataset, which was replaced or removed."
        )
    if not len(found.labels):
        raise Refused(
            "The accuracy in 8 bits cannot be measured: the run's predictions are gone, and its dataset was "
            "edited since."
        )
    answer = _written(litert.write_int8, store, original, found, path)
    images, labels = found.some(MEASURED)
    given, expected = answer(images), original.probabilities(images)
    accuracy, before = (float((one.argmax(axis=1) == labels).mean()) for one in (given, expected))
    alike = float((given.argmax(axis=1) == expected.argmax(axis=1)).mean())
    if not before - accuracy <= MOST_LOST:
        raise Refused(
            f"In 8 bits the model is right on {accuracy:.1%} of {found.words(len(images))}, and in float32 "
            f"on {before:.1%}: a loss of {MOST_LOST:.0%} is allowed."
        )
    return Report(
        float(np.abs(given - expected).max()),
        found.words(len(images)),
        accuracy,
        before,
        (f"Both name the same class for {alike:.1%} of the images.",),
    )


def _written(
    writer: Writer, store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Write an export. Converters raise nearly anything for a model that they cannot write."""
    try:
        return writer(store, original, found, path)
    except Refused:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
        raise Refused(f"The model cannot be written in this format: {reason}.") from error
