"""The columns of a table of runs: their names, what they are made of, and which numbers are good."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis import health
from core.analysis.values import fractions, validation_accuracies
from core.tracking import schema
from core.tracking.tables import column

RUN, RESULTS, COST, SETTINGS = "run", "results", "cost", "settings"
SECTIONS = (RUN, RESULTS, COST, SETTINGS)
STATES = {
    schema.SCHEDULED: "queued",
    schema.RUNNING: "running",
    schema.FINISHED: "finished",
    schema.FAILED: "failed",
    schema.KILLED: "cancelled",
}
# Made here, with the keys that each needs; `remarks` and `tags` are slow to make for many runs.
DERIVED = {
    "state": (schema.ARCHIVED,),
    "remarks": tuple(name.partition(".")[2] for name in health.COLUMNS if "." in name),
    "submitted": (),
    "last_epoch": (),
    "kept_epoch": (schema.KEPT,),
    "validation": ("best_val_accuracy", "val_accuracy", "training.keep"),
    "tags": (),
    "note": (schema.NOTE,),
}
OF_RUN = ("model.name", "data.name", "state", "remarks", "submitted", "tags", "note")
COSTS = (
    *("parameters", "trainable_parameters", "macs", "model_bytes", "latency_ms", "gpu_peak_bytes"),
    *("train_seconds", "epoch_seconds", "images_per_second"),
)
FRACTIONS = (
    *("validation", "accuracy", "val_accuracy", "best_val_accuracy", "test_accuracy"),
    *("test_top5_accuracy", "test_balanced_accuracy", "test_macro_f1"),
)
# Parts of names of metrics by which more is better, and by which less is.
MORE = ("accuracy", "f1", "auc", "precision", "recall", "images_per_second", "validation")
LESS = ("loss", "error", "ece", "_seconds", "parameters", "macs", "_bytes", "latency", "objective")


@dataclass(frozen=True)
class TableColumn:
    """A column of the table.

    Attributes:
        name: As addresses, filters and exported files have it: short where that is unambiguous.
        source: The column of `frames.runs` that holds it; empty for one that is made here.
    """

    name: str
    source: str = ""

    @property
    def key(self) -> str:
        """The name of the parameter or metric, with its dots; its own name where it is made here."""
        return self.source.partition(".")[2] or self.name

    @property
    def keys(self) -> tuple[str, ...]:
        """What has to be read of the runs to show it."""
        if not self.source:
            return DERIVED[self.name]
        return (self.key, "data.name") if self.key == "test_top5_accuracy" else (self.key,)

    @property
    def section(self) -> str:
        if self.name in OF_RUN:
            return RUN
        if self.name in COSTS:
            return COST
        return SETTINGS if self.source.startswith("params.") else RESULTS

    @property
    def more_is_better(self) -> bool | None:
        """Which of two numbers is the better one; None where neither is."""
        if self.section not in (RESULTS, COST) or self.name in ("test_images", "validation_images"):
            return None
        name = self.key.lower()
        if any(part in name for part in MORE):
            return True
        return False if any(part in name for part in LESS) else None


def catalogue(keys: Mapping[str, Iterable[str]]) -> dict[str, TableColumn]:
    """Return the columns that a table can have, by name.

    Args:
        keys: The names of `params` and `metrics` that runs have logged.
    """
    found = {name: TableColumn(name) for name in DERIVED}
    for kind in ("metrics", "params"):
        for key in keys.get(kind, ()):
            if (kind == "params" and key == "name") or (kind == "metrics" and key.startswith("system/")):
                continue
            source = f"{kind}.{key}"
            # Runs of other programs may have a setting called as a metric, or as one of our columns.
            name = source if key in found else key
            found[name] = TableColumn(name, source)
    return found


def catalogue_of(runs: pd.DataFrame) -> dict[str, TableColumn]:
    """Return the columns that a frame of runs has, by name."""
    keys: dict[str, list[str]] = {"params": [], "metrics": []}
    for name in runs.columns:
        kind, _, key = name.partition(".")
        if kind in keys:
            keys[kind].append(key)
    return catalogue(keys)


def values(runs: pd.DataFrame, of: TableColumn, few_classes: Collection[str] = ()) -> pd.Series:
    """Return a column for the rows of a frame of runs.

    Args:
        few_classes: Datasets of five classes or fewer, of which earlier versions logged a top-5 accuracy; it
            is always 1 and is left empty.
    """
    if of.source.startswith("params."):
        return column(runs, of.source, str)
    if of.source:
        found = column(runs, of.source)
        if of.key.startswith("test_"):  # the results of a run count once it has ended
            found = found.where(~runs["status"].isin(schema.ACTIVE))
        if of.key == "test_top5_accuracy":
            found = found.where(~column(runs, "params.data.name", object).isin(few_classes))
        return fractions(found) if of.key in FRACTIONS else found  # the remarks say what was logged instead
    return _derived(runs, of.name)


def _derived(runs: pd.DataFrame, name: str) -> pd.Series:
    if name == "state":
        found = runs["status"].map(lambda status: STATES.get(status, status)).astype("str")
        archived = f"tags.{schema.ARCHIVED}"
        return found.mask(runs[archived].notna(), "archived") if archived in runs else found
    if name == "remarks":
        told = [" ".join(one.sentence for one in found) or None for found in health.of_all(runs)]
        return pd.Series(told, index=runs.index, dtype="str")
    if name == "submitted":
        return runs["started"]
    if name == "last_epoch":
        return runs["last_epoch"]
    if name == "kept_epoch":
        return pd.to_numeric(column(runs, f"tags.{schema.KEPT}", object), errors="coerce")
    if name == "note":
        return column(runs, f"tags.{schema.NOTE}", object).astype("str")
    if name == "tags":
        return labels(runs)
    return fractions(validation_accuracies(runs))


def own_tags(names: Iterable[str]) -> list[str]:
    """Return the names of tags that people gave, of all names of tags."""
    return [name for name in names if not name.startswith(schema.OF_PROGRAMS)]


def labels(runs: pd.DataFrame) -> pd.Series:
    """Return the tags that people gave to each run as one text: "baseline, team: vision"."""
    texts = np.full(len(runs), "", dtype=object)
    for name in own_tags(name.removeprefix("tags.") for name in runs.columns if name.startswith("tags.")):
        given = runs[f"tags.{name}"]
        for place in np.flatnonzero(given.notna().to_numpy()):
            value = given.iloc[place]
            said = f"{name}: {value}" if value else name
            texts[place] = f"{texts[place]}, {said}" if texts[place] else said
    return pd.Series([text or None for text in texts], index=runs.index, dtype="str")


def keys_of(columns: Iterable[TableColumn], tags: Iterable[str] = ()) -> list[str]:
    """Return what has to be read of the runs for some columns.

    Args:
        tags: The names of all tags, where the column `tags` may be among them.
    """
    found: list[str] = []
    for one in columns:
        found += own_tags(tags) if one.name == "tags" and not one.source else one.keys
    return list(dict.fromkeys(found))
