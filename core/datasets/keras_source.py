"""Sources that Keras downloads and stores in its own cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from core.datasets.records import SUBSETS, Arrays, DatasetError, Shape, Source
from core.system.environment import process_environment
from core.system.settings import PROGRAM, get_settings


def keras_source(
    name: str,
    title: str,
    description: str,
    licence: str,
    shape: Shape,
    classes: tuple[str, ...],
    counts: Mapping[str, int],
    file: str,
    subfolder: str = "datasets",
) -> Source:
    """Return a source that `keras.datasets.<name>` loads.

    Args:
        counts: images per class of each set, the same for all classes.
        file: that a user may put into the cache by hand.
        subfolder: of it, below Keras' home.
    """
    return Source(
        name=name,
        title=title,
        description=description,
        licence=licence,
        shape=shape,
        classes=classes,
        counts={subset: (counts.get(subset, 0),) * len(classes) for subset in SUBSETS},
        read=partial(load, name, title, file, subfolder),
    )


def load(name: str, title: str, file: str, subfolder: str) -> Arrays:
    """Load the arrays by Keras. Raises DatasetError, with the remedy, if they cannot be obtained."""
    with tempfile.TemporaryDirectory(prefix="archlab-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "core.datasets.keras_loader", name, folder],
            cwd=PROGRAM,
            env=process_environment(
                get_settings(), {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            printed = (
                done.stdout.strip() or done.stderr.strip() or f"exit status {done.returncode}"
            ).splitlines()
            raise DatasetError(
                f"{title} could not be downloaded ({printed[-1]}): put {file} in {keras_home() / subfolder}, "
                f"or import the images as a folder under the name '{name}'."
            )
        x_train, y_train, x_test, y_test = (
            np.load(Path(folder) / f"{key}.npy", allow_pickle=False)
            for key in ("x_train", "y_train", "x_test", "y_test")
        )
    images = np.concatenate([x_train, x_test])
    labels = np.concatenate([y_train.ravel(), y_test.ravel()])
    subsets = np.repeat([SUBSETS.index("train"), SUBSETS.index("test")], [len(x_train), len(x_test)]).astype(
        np.int8
    )
    names = [f"train {i:05}" for i in range(len(x_train))] + [f"test {i:05}" for i in range(len(x_test))]
    return Arrays(images if images.ndim == 4 else images[..., None], labels, subsets, names)


def keras_home() -> Path:
    """Return the folder of Keras' downloads."""
    get_settings()  # sets KERAS_HOME to a folder in the home unless the user has set it
    return Path(os.environ["KERAS_HOME"])
