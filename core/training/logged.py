"""What a run logs besides the metrics of its epochs: its data, its cost, its environment, its predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from core.analysis.health import set_metrics
from core.analysis.scores import scores
from core.config import DataConfig
from core.datasets import ImageDataset, choices
from core.datasets.brightness import usual_brightness
from core.datasets.versions import evaluation_fingerprint, split_fingerprint
from core.tracking import schema
from core.tracking.patience import patiently
from core.tracking.store import RunStore
from core.tracking.writer import MetricWriter
from core.training import evaluation
from core.training.device import environment
from core.training.experiment import Cost, Data


def loss_tags(logged: int, tags: Mapping[str, str]) -> dict[str, str]:
    """What to note of the loss that a run is about to log: since when it is the cross-entropy.

    Epochs that an older version logged had the objective there. logged: the last epoch in the store, 0 before
    the first. tags: those that the run has.
    """
    if not logged or schema.LOSS in tags:
        return {schema.LOSS: schema.CROSS_ENTROPY}
    return {} if schema.LOSS_FROM in tags else {schema.LOSS_FROM: str(logged + 1)}


def require_same_data(store: RunStore, run_id: str, config: DataConfig, data: Data) -> None:
    """Refuse to continue a run whose earlier attempt was made on other images.

    What it has logged would belong to two datasets, and its fingerprints would be those of one. An attempt by
    an older version, which logged no fingerprint of its split, had the split that such versions made.

    Raises:
        ValueError: the dataset or its split has changed since the run began.
    """
    try:
        before = patiently(lambda: store.read_json(run_id, schema.DATA))
    except FileNotFoundError:
        return
    info = data.dataset.info
    if before.get("fingerprint") == info.fingerprint and "split_fingerprint" not in before:
        before["split_fingerprint"] = split_fingerprint(choices.split_for(data.dataset, config, "legacy"))
    now = {"fingerprint": info.fingerprint, "split_fingerprint": split_fingerprint(data.split)}
    if any(key in before and before[key] != value for key, value in now.items()):
        raise ValueError(
            f"The dataset '{info.name}' or its split has changed since this run began, so it cannot "
            "be continued. Launch it again as a new run."
        )


def log_data(store: RunStore, run_id: str, config: DataConfig, data: Data) -> None:
    """Log which images the run sees, so that another can be compared with it."""
    dataset, split = data.dataset, data.split
    info = dataset.info
    counts = {
        subset: np.bincount(dataset.labels[rows], minlength=info.num_classes).tolist()
        for subset, rows in vars(split).items()
    }
    splits = {schema.SPLIT: split_fingerprint(split), schema.EVALUATION: evaluation_fingerprint(split)}
    facts = {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "split_fingerprint": splits[schema.SPLIT],
        "evaluation_fingerprint": splits[schema.EVALUATION],
        "shape": list(info.shape),
        "policy": info.options.get("policy", "stretch"),  # how images are resized, at import and in the demo
        "value_range": info.value_range,  # how deeper images became 8 bits, at import and in the demo
        "brightness": usual_brightness(dataset, split.train),  # by which the demo recognises a negative
        "classes": list(info.classes),
        "counts": counts,
        **config.model_dump(exclude={"name"}),
    }
    store.log_metrics(run_id, set_metrics(counts))
    store.log_params(run_id, {schema.FINGERPRINT: info.fingerprint, **splits})
    store.log_json(run_id, facts, schema.DATA)
    sizes = {subset: int(sum(numbers)) for subset, numbers in counts.items()}
    store.log_dataset(run_id, info.name, info.fingerprint, info.source, sizes)


def log_environment(store: RunStore, run_id: str) -> None:
    """Write down what the result depends on besides the config."""
    store.log_json(run_id, environment(), schema.ENVIRONMENT)


def log_evaluation(
    writer: MetricWriter, dataset: ImageDataset, rows: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Log what a model answered for the test images.

    Args:
        rows: int64 `(n,)`, of the test images in the dataset.
        probabilities: float32 `(n, classes)`.

    Returns:
        The test metrics.
    """
    labels = dataset.labels[rows]
    metrics = evaluation.test_metrics(probabilities, labels) | scores(probabilities, labels)
    writer.metrics(metrics, step=0)
    table = evaluation.predictions_table(dataset, rows, probabilities)
    writer.attempt(schema.PREDICTIONS, lambda: log_predictions(writer.store, writer.run_id, table))
    return metrics


def log_validation(
    writer: MetricWriter, dataset: ImageDataset, rows: np.ndarray, probabilities: np.ndarray
) -> None:
    """Log what the saved model answered for validation images, as `log_evaluation` does for the test set."""
    table = evaluation.predictions_table(dataset, rows, probabilities)
    name = schema.VALIDATION_PREDICTIONS
    writer.attempt(name, lambda: log_predictions(writer.store, writer.run_id, table, name))


def log_predictions(
    store: RunStore, run_id: str, table: pd.DataFrame, name: str = schema.PREDICTIONS
) -> None:
    """Log predictions. name: of the artifact, that of the test set or of the validation set."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        table.to_parquet(path, index=False)
        store.log_file(run_id, path, str(Path(name).parent))


def log_cost(writer: MetricWriter, cost: Cost) -> None:
    """Log what the model costs, whatever it learns."""
    writer.metrics(
        {
            "parameters": cost.parameters,
            "trainable_parameters": cost.trainable_parameters,
            "macs": cost.macs,
        },
        step=0,
    )
