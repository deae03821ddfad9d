"""The exports in Keras' format and as TensorFlow's SavedModel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from core.architectures.classifier_output import class_probabilities
from core.exporting.original import BATCH, Original, Refused, Samples
from core.tracking import model_files
from core.tracking.store import RunStore

LONGEST_S = 600.0
# What a person does with the folder, in a Python that knows nothing of this program.
ALONE = """
import importlib.util, pathlib, sys
import numpy as np

folder, images, answers = map(pathlib.Path, sys.argv[1:])
for package in (folder / "code").glob("archlab_layers_*"):
    sys.path.insert(0, str(folder / "code"))
    importlib.import_module(package.name)
assert importlib.util.find_spec("core") is None, "this program can be imported"
import keras

model = keras.saving.load_model(folder / "model.keras", compile=False)
np.save(answers, model.predict(np.load(images).astype("float32"), batch_size=32, verbose=0))
"""


def write_keras(
    store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Copy the saved model with what lies beside it, and answer with plain Keras in a process of its own."""
    source = store.models.file(original.run_id)
    path.mkdir()
    shutil.copyfile(source, path / "model.keras")
    beside = source.parent.parent  # of a store elsewhere, where the file alone was downloaded, it has neither
    if (beside / model_files.README).exists():
        shutil.copyfile(beside / model_files.README, path / model_files.README)
        if (beside / "code").is_dir():
            shutil.copytree(beside / "code", path / "code", ignore=shutil.ignore_patterns("__pycache__"))
    else:
        model_files.write_beside(
            path, original.model, original.images.classes, original.images.target.sentences
        )
    if original.views != "none":
        raise Refused(
            "The evaluation of this run averages over views of each image, which the Keras file does not: "
            "export it as SavedModel, ONNX or LiteRT, or download the file as it is."
        )
    return lambda images: _alone(path, images)


def _alone(folder: Path, images: np.ndarray) -> np.ndarray:
    work = folder.parent.parent
    np.save(work / "images.npy", images)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ARCHLAB"))}
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", ALONE, str(folder), *(str(work / f"{one}.npy") for one in NAMES)],
        cwd=work,
        env=known,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300].rstrip(".")
        raise Refused(f"The model cannot be loaded without this program: {said}.")
    return class_probabilities(np.load(work / "answers.npy").astype("float32"))


NAMES = ("images", "answers")


def write_saved_model(
    store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Write TensorFlow's SavedModel, and answer with TensorFlow alone."""
    original.model.export(str(path), format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(str(path))

    def answer(images: np.ndarray) -> np.ndarray:
        parts = [
            np.asarray(loaded.serve(tf.constant(images[start : start + BATCH], "float32")))
            for start in range(0, len(images), BATCH)
        ]
        return class_probabilities(np.concatenate(parts))

    return answer
