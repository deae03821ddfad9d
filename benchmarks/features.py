"""What do bottleneck features save?

    python -m benchmarks.features [--images 256] [--size 64] [--backbone resnet18] [--epochs 10]
        [--rounds 3]

Trains heads on a frozen backbone in one process, and compares medians:

- `one pass`: the backbone alone, predicting every image once, already traced.
- `joined`: the whole model on the images, every epoch, without bottleneck features.
- `features, first head`: nothing is cached; the backbone runs once over the images, tracing included.
- `features, next head`: another head on the same backbone finds them in the cache.
- `head`: training a head on features, tracing included; the cost of each further head.

Images are random, which changes no time. Every round has other images and an empty cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from core.architectures.transfer import assemble, backbone_of, head_of
from core.config import ExperimentConfig, ModelConfig
from core.datasets import DatasetInfo, ImageDataset
from core.schedules import Length
from core.system.settings import Settings
from core.training.bottleneck import bottleneck_features
from core.training.fitting import compile_model
from core.training.models import wrap
from core.training.pipeline import Batches

CLASSES = 5


def main() -> None:
    """Measure, round by round, and print medians and their ratios to one pass."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    for number in range(options.rounds + 1):  # round 0 warms up and does not count
        dataset = random_images(options.images, options.size, number)
        home = Path(tempfile.mkdtemp(prefix="archlab-"))
        try:
            measured = one_round(options.backbone, options.epochs, dataset, Settings(home, "unused"))
        finally:
            shutil.rmtree(home)
        for name, value in measured.items() if number else ():
            seconds.setdefault(name, []).append(value)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{options.images} images of {options.size} pixels, {options.backbone}, {options.epochs} epochs")
    for name, value in medians.items():
        print(f"{name:22} {value:8.3f} s   {value / medians['one pass']:7.3f} passes")
    for name in ("first", "next"):
        with_features = medians[f"features, {name} head"] + medians["head"]
        print(f"joined / {name} head and its features: {medians['joined'] / with_features:.1f}")


def one_round(backbone: str, epochs: int, dataset: ImageDataset, settings: Settings) -> dict[str, float]:
    """Return the seconds of each way."""
    settings_of_model = ModelConfig(name=backbone, head="gap_dense", freeze="all")
    first, other = (assemble(settings_of_model, dataset.info.shape, CLASSES) for _ in range(2))
    backbone_of(other).set_weights(backbone_of(first).get_weights())
    extractor = backbone_of(first)
    batches = Batches(dataset.images, dataset.labels, np.arange(len(dataset)), 32)
    extractor.predict(batches, verbose=0)  # traced
    measured = {"one pass": timed(lambda: extractor.predict(batches, verbose=0))}
    measured["joined"] = timed(lambda: train(first, epochs, dataset))

    config = ExperimentConfig(model=settings_of_model)

    def features_of(each: keras.Model) -> np.ndarray:
        return bottleneck_features(each, config, dataset, None, settings)

    measured["features, first head"] = timed(lambda: features_of(first))
    measured["features, next head"] = timed(lambda: features_of(other))
    features = features_of(other)
    measured["head"] = timed(lambda: train(other, epochs, dataset, features))
    return measured


def train(base: keras.Model, epochs: int, dataset: ImageDataset, features: np.ndarray | None = None) -> None:
    """Train the head of a model: on features where there are some, else with the whole model on images."""
    config = ExperimentConfig().with_values({"training.epochs": epochs, "model.freeze": "all"})
    model = wrap(base, config)[0] if features is None else head_of(base)
    inputs = dataset.images if features is None else features
    batches = Batches(inputs, dataset.labels, np.arange(len(dataset)), 32, seed=0)
    compile_model(model, config, Length(len(batches), len(batches)), 0)
    model.fit(batches, epochs=epochs, verbose=0)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def random_images(count: int, size: int, seed: int) -> ImageDataset:
    shape = (size, size, 3)
    names = tuple(map(str, range(CLASSES)))
    counts = {"train": (count,), "validation": (0,), "test": (0,)}
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype="uint8")
    zeros = np.zeros(count, dtype="int8")
    info = DatasetInfo("random", "Random pixels", shape, names, counts, fingerprint=f"random {seed}")
    return ImageDataset(info, images, np.arange(count) % CLASSES, zeros, zeros, None, zeros, zeros)


if __name__ == "__main__":
    main()
