"""The exports for LiteRT, in float32 and in 8 bits, by the converter that comes with TensorFlow."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from core.architectures.classifier_output import class_probabilities
from core.exporting.original import Original, Refused, Samples
from core.tracking.store import RunStore

BATCH = 16


def write(
    store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Write the model in float32."""
    return _converted(original, path, lambda converter: None)


def write_int8(
    store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Write the model in 8 bits; the ranges of its activations are measured on training images."""

    def quantize(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _one_by_one(found.training)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8

    return _converted(original, path, quantize)


def _one_by_one(images: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The images; the first gets a black and a white pixel, so that one step of the input is 1 of 255."""
    for place, image in enumerate(images):
        one = image.astype("float32")
        if place == 0:
            one[0, 0], one[0, 1] = 0, 255
        yield [one[None]]


def _converted(
    original: Original, path: Path, change: Callable[[tf.lite.TFLiteConverter], None]
) -> Callable[[np.ndarray], np.ndarray]:
    # Only what every LiteRT runtime has: with TensorFlow's own operations a phone would need TensorFlow.
    with tempfile.TemporaryDirectory() as folder:
        original.model.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        change(converter)
        path.write_bytes(converter.convert())
    return _answering(path)


def _answering(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return what answers from a file by the runtime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter will move to a package of its own
        interpreter = tf.lite.Interpreter(str(path))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = taken["quantization"]
    if taken["dtype"] == np.uint8 and (abs(scale - 1) > 1e-3 or zero != 0):
        raise Refused(f"In 8 bits the model takes no pixels of 0 to 255: a step of its input is {scale:g}.")

    def answer(images: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(images), BATCH):
            some = images[start : start + BATCH].astype(taken["dtype"])
            interpreter.resize_tensor_input(taken["index"], some.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(taken["index"], some)
            interpreter.invoke()
            parts.append(interpreter.get_tensor(given["index"]).copy())
        return class_probabilities(np.concatenate(parts))

    return answer
