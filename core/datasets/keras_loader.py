"""The process that loads a dataset by Keras: `python -m core.datasets.keras_loader NAME FOLDER`.

A process of its own, because importing Keras imports TensorFlow, which the dashboard never does. Writes
x_train.npy, y_train.npy, x_test.npy and y_test.npy. Exit code 1: it failed, and the last line of stdout says
why.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

from core.system.redaction import redact_output


def main() -> int:
    """Load the dataset from Keras' cache, or download it, and write the arrays."""
    redact_output()
    name, folder = sys.argv[1], Path(sys.argv[2])
    loader = importlib.import_module(f"keras.datasets.{name}")
    try:
        train, test = loader.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        print(f"\n{' '.join(str(error).split())}")
        return 1
    for subset, (images, labels) in (("train", train), ("test", test)):
        np.save(folder / f"x_{subset}.npy", images, allow_pickle=False)
        np.save(folder / f"y_{subset}.npy", labels, allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
