"""The held-out test set, once, with the weights that were kept."""

from __future__ import annotations

import time

import keras
import numpy as np
import pandas as pd

from core.architectures.classifier_output import class_probabilities
from core.datasets import ImageDataset
from core.tracking import schema
from core.training.pipeline import Batches, fed

MOST_PROBABILITIES = 20_000_000  # of validation images that are logged: 80 MB


def predict_probabilities(
    model: keras.Model, dataset: ImageDataset, rows: np.ndarray, batch_size: int, least: int = 1
) -> np.ndarray:
    """Class probabilities of images: float32 `(n, num_classes)`; one sigmoid unit becomes two columns.

    least: as `Batches` takes it.
    """
    batches = Batches(dataset.images, dataset.labels, rows, batch_size, least=least)
    return class_probabilities(np.asarray(model.predict(fed(batches), verbose=0), dtype="float32"))


def test_metrics(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Loss, accuracy and, of more than five classes, top-5 accuracy, under their names in the schema.

    probabilities: `(n, k)`; labels: int64 `(n,)`. Of classes with equal probability the first ranks first,
    for accuracy and top-5 alike. The loss is the mean negative log likelihood in nats, clipped at 1e-7 as
    Keras does, so it can stand beside val_loss. Raises FloatingPointError when a probability is no number.
    """
    if not np.isfinite(probabilities).all():
        raise FloatingPointError("The model's test probabilities are not numbers; its weights diverged.")
    of_label = probabilities[np.arange(len(labels)), labels]
    best_first = np.argsort(-probabilities, axis=1, kind="stable")
    rank = (best_first == labels[:, None]).argmax(axis=1)
    metrics = {
        "test_loss": float(-np.log(np.clip(of_label, 1e-7, 1.0)).mean()),
        "test_accuracy": float((rank == 0).mean()),
    }
    if probabilities.shape[1] > schema.TOP:
        metrics["test_top5_accuracy"] = float((rank < schema.TOP).mean())
    return metrics


def predictions_table(dataset: ImageDataset, rows: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """One row an image: index in the dataset, label, source name, and the probabilities `p0` to `pk`."""
    table = pd.DataFrame(
        {
            "index": rows,
            "label": dataset.labels[rows],
            "source_name": np.asarray(dataset.source_names)[rows],
        }
    )
    columns = {f"p{column}": probabilities[:, column] for column in range(probabilities.shape[1])}
    return pd.concat([table, pd.DataFrame(columns)], axis=1)


def validation_rows(rows: np.ndarray, classes: int) -> np.ndarray:
    """Return the validation images whose predictions are logged: all, or of very many a random choice.

    The same rows give the same choice, so that runs with one validation set can be compared image by image.

    Args:
        rows: int64 `(n,)`, ascending, of the validation images in the dataset.
    """
    most = max(1, MOST_PROBABILITIES // classes)
    if len(rows) <= most:
        return rows
    return np.sort(np.random.Generator(np.random.PCG64(0)).permutation(rows)[:most])


def latency_ms(model: keras.Model, repeats: int = 20) -> float:
    """Median time of a forward pass for one image, in milliseconds, after a warm-up."""
    image = np.zeros((1, *model.input_shape[1:]), dtype="float32")
    seconds = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        model.predict_on_batch(image)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[3:]) * 1000)
