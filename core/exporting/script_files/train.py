"""Repeats one training without the program that ran it first. Needs keras with tensorflow, and numpy.

python train.py [data.npz] [--epochs N]

data.npz holds `images`, uint8 (N, height, width, channels); `labels`, whole numbers (N,); and which rows are
in which set: `train`, `validation`, `test`. It prints a line of JSON an epoch and the accuracy on the test
set, and writes model.keras with the weights that are kept.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

SETTINGS: dict[str, Any] = {}
MODEL = ""


class Batches(keras.utils.PyDataset):
    """Batches of some rows; the order of an epoch follows from seed and epoch. seed: None keeps the order."""

    def __init__(self, images: Any, labels: Any, rows: Any, size: int, seed: int | None, least: int = 1):
        super().__init__()
        self.images, self.labels, self.rows = images, labels, rows
        self.size, self.seed, self.least = size, seed, least
        self.start(0)

    def start(self, epoch: int) -> None:
        self.order = self.rows
        if self.seed is not None:
            self.order = np.random.default_rng((self.seed, epoch)).permutation(self.rows)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def before(self, index: int) -> int:
        """How many images come before a batch; a last batch takes what it lacks from the one before."""
        count = len(self.rows)
        if index == (count - 1) // self.size > 0:
            return min(index * self.size, count - self.least)
        return min(index * self.size, count)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rows = np.sort(self.order[self.before(index) : self.before(index + 1)])
        return self.images[rows], self.labels[rows]


class Rates(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of every step; the last one stays."""

    def __init__(self, rates: list[float]):
        self.rates = keras.ops.convert_to_tensor(np.array(rates, "float32"))

    def __call__(self, step: Any) -> Any:
        last = self.rates.shape[0] - 1
        return keras.ops.take(self.rates, keras.ops.minimum(keras.ops.cast(step, "int32"), last))

    def get_config(self) -> dict[str, Any]:
        return {"rates": keras.ops.convert_to_numpy(self.rates).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?", default=str(Path(__file__).with_name("data.npz")))
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    arguments = parser.parse_args()
    with np.load(arguments.data) as found:
        data = {name: found[name] for name in ("images", "labels", "train", "validation", "test")}

    keras.utils.set_random_seed(SETTINGS["seed"])
    model = keras.models.model_from_json(MODEL)
    optimizer = keras.optimizers.deserialize(SETTINGS["optimizer"])
    if len(SETTINGS["rates"]) > 1:
        optimizer._learning_rate = Rates(SETTINGS["rates"])
    outputs = model.output_shape[-1]
    accuracy = keras.metrics.BinaryAccuracy if outputs == 1 else keras.metrics.SparseCategoricalAccuracy
    model.compile(optimizer=optimizer, loss=SETTINGS["loss"], metrics=[accuracy(name="accuracy")])

    size = SETTINGS["batch_size"]
    sets = data["images"], data["labels"]
    train = Batches(*sets, data["train"], size, SETTINGS["seed"], max(1, size // 2))
    validation = Batches(*sets, data["validation"], size, None)
    best, kept = (-np.inf, -np.inf), None
    for epoch in range(arguments.epochs):
        train.start(epoch)
        scores = model.fit(
            train,
            validation_data=validation if len(data["validation"]) else None,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
        )
        logs = {name: float(values[-1]) for name, values in scores.history.items()}
        print(json.dumps({"epoch": epoch + 1, **logs}), flush=True)
        score = logs.get("val_accuracy", -np.inf), -logs.get("val_loss", np.inf)
        if SETTINGS["keep"] == "best" and score > best:
            best, kept = score, model.get_weights()
    if kept is not None:
        model.set_weights(kept)
    if len(data["test"]):
        result = model.evaluate(Batches(*sets, data["test"], size, None), verbose=0, return_dict=True)
        print(json.dumps({"test_accuracy": float(result["accuracy"])}))
    model.save("model.keras")


if __name__ == "__main__":
    main()
