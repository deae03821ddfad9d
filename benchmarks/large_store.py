"""Makes a tracking store with many runs, as this program logs them, in a minute instead of a day.

One run is logged by the program itself; its rows are then written again and again into MLflow's tables, with
other ids, settings and values.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any
from uuid import UUID

from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.store import RunStore

EPOCHS = 30
MODELS = ("lenet5", "alexnet", "resnet_cifar", "vgg16", "inception_v3", "small_cnn")
DATASETS = ("digits", "mnist", "cifar10")
RESULTS = (
    *("test_loss", "test_accuracy", "test_top5_accuracy", "best_val_accuracy", "best_epoch", "train_seconds"),
    *("parameters", "trainable_parameters", "macs", "model_bytes", "latency_ms", "validation_images"),
    *("test_images", "device_memory", "throughput"),
)
AT_ONCE = 200  # runs in one go


def fill(store: RunStore, runs: int, more_params: int = 0, more_metrics: int = 0, seed: int = 0) -> list[str]:
    """Add finished runs to a store that is an SQLite database of our own; returns their ids.

    more_params, more_metrics: beyond those that the program logs.
    """
    chance = random.Random(seed)
    template = store.create(ExperimentConfig())
    store.set_status(template, schema.FINISHED)
    with closing(sqlite3.connect(store.settings.database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        row = dict(_one(connection, "SELECT * FROM runs WHERE run_uuid = ?", template))
        params = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", (template,)))
        tags = dict(connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (template,)))
        params |= {f"other.param{number}": "" for number in range(more_params)}
        made: list[str] = []
        numbers = iter(range(runs))
        while some := list(islice(numbers, AT_ONCE)):
            written = [_Run(chance, row, params, tags, number, more_metrics) for number in some]
            with connection:
                for table in ("runs", "params", "tags", "latest_metrics", "metrics"):
                    rows = [one for run in written for one in getattr(run, table)()]
                    marks = ", ".join("?" * len(rows[0]))
                    names = ", ".join(f'"{name}"' for name in COLUMNS.get(table, row))
                    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            made += [run.run_id for run in written]
        connection.execute("ANALYZE")
    return made


COLUMNS: dict[str, Sequence[str]] = {
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
}


class _Run:
    """The rows of one run in each table."""

    def __init__(
        self,
        chance: random.Random,
        row: dict[str, Any],
        params: dict[str, str],
        tags: dict[str, str],
        number: int,
        more_metrics: int,
    ):
        self.run_id = UUID(int=chance.getrandbits(128)).hex
        self.chance, self.row, self.number, self.more_metrics = chance, row, number, more_metrics
        self.start = row["start_time"] + 60_000 * (number - 100_000)
        self.model, dataset = chance.choice(MODELS), chance.choice(DATASETS)
        self.params_ = params | {
            "name": f"{self.model} on {dataset}",
            "model.name": self.model,
            "data.name": dataset,
            "optimizer.learning_rate": str(round(10 ** chance.uniform(-4, 0), 6)),
            "seed": str(chance.randrange(5)),
            "training.epochs": str(EPOCHS),
            schema.FINGERPRINT: dataset * 4,
        }
        for key in params:
            if key.startswith("other.param"):
                self.params_[key] = str(chance.randrange(1000))
        self.tags_ = tags | {schema.NUMBER: str(number + 1), "mlflow.runName": f"{self.model} on {dataset}"}

    def runs(self) -> Iterator[tuple]:
        changed = {
            "run_uuid": self.run_id,
            "name": self.params_["name"],
            "start_time": self.start,
            "end_time": self.start + 50_000,
            "artifact_uri": self.row["artifact_uri"].replace(self.row["run_uuid"], self.run_id),
        }
        yield tuple((self.row | changed).values())

    def params(self) -> Iterator[tuple]:
        return ((key, value, self.run_id) for key, value in self.params_.items())

    def tags(self) -> Iterator[tuple]:
        return ((key, value, self.run_id) for key, value in self.tags_.items())

    def latest_metrics(self) -> Iterator[tuple]:
        for name in schema.EPOCH_METRICS:
            yield (name, self.chance.random(), self.start + 1000 * EPOCHS, EPOCHS, 0, self.run_id)
        for name in self._results():
            yield (name, self.chance.random(), self.start + 1000 * EPOCHS, 0, 0, self.run_id)

    def metrics(self) -> Iterator[tuple]:
        for name in schema.EPOCH_METRICS:
            for epoch in range(1, EPOCHS + 1):
                yield (name, self.chance.random(), self.start + 1000 * epoch, epoch, 0, self.run_id)
        for name in self._results():
            yield (name, self.chance.random(), self.start + 1000 * EPOCHS, 0, 0, self.run_id)

    def _results(self) -> list[str]:
        return [*RESULTS, *(f"other_metric{number}" for number in range(self.more_metrics))]


def _one(connection: sqlite3.Connection, query: str, value: str) -> sqlite3.Row:
    connection.row_factory = sqlite3.Row
    found = connection.execute(query, (value,)).fetchone()
    connection.row_factory = None
    return found
