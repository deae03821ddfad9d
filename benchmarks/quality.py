"""Do the classic models reach their published accuracy? Each is trained in full, on two CPU cores.

    python -m benchmarks.quality DATA [--only lenet5-mnist ...] [--home FOLDER]

DATA holds mnist-png.zip and cifar10-images.zip, with a folder per class, train/ and test/ above them. The
kept epoch is the best on a validation set held out from the training set; the test set is used once at the
end. The runs stay in the home (default: the one of the settings); their ids are printed.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import datasets
from core.config import ExperimentConfig
from core.importing.importer import import_images
from core.launching.launch import train_here
from core.system import settings as settings_module
from core.tracking import schema
from core.tracking.store import get_store

ARCHIVES = {"mnist": "mnist-png.zip", "cifar10": "cifar10-images.zip"}


@dataclass(frozen=True)
class Aim:
    """A config, and the test accuracy that it should reach."""

    accuracy: float
    settings: dict[str, Any]


AIMS = {
    "lenet5-mnist": Aim(
        0.9857,
        {
            "data.name": "mnist",
            "model.name": "lenet5",
            "training.batch_size": 128,
            "training.epochs": 20,
        },
    ),
    "mnist-cnn": Aim(
        0.99,
        {
            "data.name": "mnist",
            "data.validation_fraction": 0.2,
            "model.name": "mnist_cnn",
            "training.batch_size": 300,
            "training.epochs": 10,
        },
    ),
    "cifar-cnn": Aim(
        0.71,
        {
            "data.name": "cifar10",
            "model.name": "cifar_cnn",
            "training.batch_size": 64,
            "training.epochs": 10,
        },
    ),
    "cuda-convnet-3k": Aim(
        0.73,
        {
            "data.name": "cifar10",
            "data.preprocessing": "standardize",
            "model.name": "cuda_convnet",
            "augmentation.random_crop": 24,
            "augmentation.horizontal_flip": True,
            "augmentation.brightness": 63 / 255,
            "augmentation.contrast": 0.8,
            "augmentation.test_time": "ten_crops",
            "optimizer.ema": 0.99,
            "training.batch_size": 128,
            "training.steps": 3000,
        },
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(AIMS), default=list(AIMS))
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    if options.home:
        os.environ["ARCHLAB_HOME"] = str(options.home)
        settings_module.get_settings.cache_clear()
    store = get_store()
    for name in options.only:
        aim = AIMS[name]
        dataset = aim.settings["data.name"]
        if not datasets.info(dataset).prepared:
            import_images(dataset, options.data / ARCHIVES[dataset], replace=True)
        run_id, state = train_here(ExperimentConfig(name=name).with_values(aim.settings))
        if state != schema.FINISHED:
            print(f"{name}: {state}, {store.state(run_id).tags.get(schema.FAILURE)}", flush=True)
            continue
        metrics = store.run(run_id).data.metrics
        reached = metrics["test_accuracy"]
        print(
            f"{name}: test accuracy {reached:.4f}, aim {aim.accuracy} "
            f"{'reached' if reached >= aim.accuracy else 'MISSED'}; loss {metrics['test_loss']:.4f}, "
            f"validation {metrics['best_val_accuracy']:.4f} in epoch {metrics['best_epoch']:.0f}; "
            f"{metrics['train_seconds'] / 60:.1f} minutes; run {run_id}",
            flush=True,
        )


if __name__ == "__main__":
    main()
