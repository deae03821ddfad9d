"""Random changes to a store, and whether what is kept in memory equals a plain read afterwards."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pandas as pd
from mlflow import MlflowClient

from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.client_reader import ClientReader
from core.tracking.read_model import ReadModel
from core.tracking.store import RunStore

QUESTIONS: tuple[list[str] | None, ...] = (
    None,
    [],
    ["model.", "data.name", "loss"],
    ["test_accuracy", schema.FINGERPRINT, "note", "new."],
    [schema.NUMBER, schema.PROGRESS],
)


def assert_current(
    model: ReadModel, plain: ClientReader, questions: Sequence[list[str] | None] = QUESTIONS
) -> None:
    for keys in questions:
        found, _ = model.runs(keys)
        pd.testing.assert_frame_equal(found, plain.runs(keys))


class Writer:
    """Changes a store in one of the ways in which it is changed, chosen at random."""

    def __init__(self, store: RunStore, seed: int):
        self.store, self.chance = store, random.Random(seed)
        self.client: MlflowClient = store.client
        self.removed: list[str] = []
        self.steps = (
            *(self.create, self.log, self.log, self.log_again, self.end, self.tag, self.tag, self.untag),
            *(self.param, self.delete, self.restore, self.foreign, self.rename, self.dataset),
            *((self.purge,) if store.is_own_database else ()),
        )

    def step(self) -> None:
        self.chance.choice(self.steps)()

    def any(self) -> str:
        return self.chance.choice(self.store.read.run_ids())

    def create(self) -> None:
        self.store.create(ExperimentConfig())

    def log(self) -> None:
        value = self.chance.choice([0.5, float("nan"), float("inf"), self.chance.random()])
        name = self.chance.choice(["loss", "test_accuracy", "new.metric", "elsewhere/metric"])
        self.client.log_metric(self.any(), name, value, step=self.chance.randrange(9))

    def log_again(self) -> None:
        run_id = self.any()
        for _ in range(2):
            self.client.log_metric(run_id, "loss", 0.25, timestamp=5, step=3)

    def end(self) -> None:
        self.client.set_terminated(self.any(), self.chance.choice(["FINISHED", "FAILED", "KILLED"]))

    def tag(self) -> None:
        key = self.chance.choice(["note", "new.tag", schema.PROGRESS])
        self.client.set_tag(self.any(), key, self.chance.choice(["", "a", "ü", "{}"]))

    def untag(self) -> None:
        run_id = self.any()
        if "note" in self.store.state(run_id).tags:
            self.client.delete_tag(run_id, "note")

    def param(self) -> None:
        self.client.log_param(self.any(), f"new.param{self.chance.randrange(5000)}", "value")

    def delete(self) -> None:
        if len(self.store.read.run_ids()) > 5:
            self.removed.append(self.any())
            self.client.delete_run(self.removed[-1])

    def restore(self) -> None:
        if self.removed:
            self.client.restore_run(self.removed.pop())

    def purge(self) -> None:
        """As `mlflow gc` does: rows go, and their row ids are given out again."""
        if self.removed:
            run_id = self.removed.pop()
            with closing(sqlite3.connect(self.store.settings.database)) as connection, connection:
                for table in ("params", "tags", "metrics", "latest_metrics"):
                    connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))
                connection.execute("DELETE FROM runs WHERE run_uuid = ?", (run_id,))

    def foreign(self) -> None:
        self.client.create_run("0", tags={"theirs": "1"})

    def rename(self) -> None:
        self.client.update_run(self.any(), name=f"name {self.chance.random()}")

    def dataset(self) -> None:
        self.store.log_dataset(self.any(), "digits", str(self.chance.randrange(100)), "here", {})
