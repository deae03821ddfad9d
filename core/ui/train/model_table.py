"""Every architecture as a row of a table to choose from: its cost, whether it fits, how good it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.analysis.comparable import Comparison, Competitor
from core.architectures import Architecture, Shape, architectures
from core.architectures.description import Description
from core.architectures.fitting import takes
from core.config import ExperimentConfig
from core.figures.cost_scatter import comparable_on
from core.inference import descriptions
from core.inference.descriptions import ModelRequest
from core.system.memory import MARGIN
from core.system.settings import Settings
from core.system.units import byte_size
from core.ui.train.forecast import estimate

FITS, UNKNOWN = "yes", "not counted yet"


@dataclass(frozen=True)
class Place:
    """Where the models would be trained.

    shape: of the images as the model gets them, `(H, W, C)`. batch_size: images a step. free: bytes.
    """

    shape: Shape
    num_classes: int
    batch_size: int
    free: int


def model_table(settings: Settings, place: Place, accuracies: Mapping[str, float]) -> pd.DataFrame:
    """Return a row for each architecture: those that fit first, then by family and year.

    Nothing is counted here: what no description says yet is empty.

    Args:
        settings: Of the installation, whose cache has the descriptions.
        place: Where they would be trained.
        accuracies: From 0 to 1, by model; as `best_accuracies` gives them.

    Returns:
        Columns model, family, year, parameters, macs (for one image), memory (bytes of the training), fits
        ("yes", "not counted yet", or why not) and accuracy.
    """
    rows = [
        _row(settings, entry, place) | {"accuracy": accuracies.get(entry.name)} for entry in architectures
    ]
    table = pd.DataFrame(rows).astype({"parameters": "Int64", "macs": "Int64", "memory": "Int64"})
    table["accuracy"] = table["accuracy"].astype(float)
    order = table["fits"].map({FITS: 0, UNKNOWN: 0}).fillna(1)
    return table.assign(order=order).sort_values(["order", "family", "year", "model"], ignore_index=True)[
        ["model", "family", "year", "fits", "accuracy", "parameters", "macs", "memory"]
    ]


def matching(table: pd.DataFrame, search: str) -> pd.DataFrame:
    """Return the rows of which model, family or year contain every word of a search."""
    text = (table["model"] + " " + table["family"] + " " + table["year"].astype(str)).str.lower()
    found = pd.Series(True, index=table.index)
    for word in search.lower().split():
        found &= text.str.contains(word, regex=False)
    return table[found].reset_index(drop=True)


def missing(settings: Settings, place: Place) -> list[ModelRequest]:
    """Return the models that take the images and have not been counted for them."""
    return [
        request.complete()
        for entry in architectures
        if takes(entry, place.shape)
        for request in (_request(entry, place),)
        if descriptions.cached(settings, request) is None
    ]


def best_accuracies(
    comparison: Comparison, models: Mapping[str, str], dataset: str, fingerprint: str
) -> dict[str, float]:
    """Return the test accuracy of each model's best experiment on a dataset, by model.

    The best is that of the highest validation accuracy, among those that may be compared with each other.

    Args:
        comparison: Of all runs.
        models: By run id.
        dataset: Its name.
        fingerprint: Of its present version.
    """
    found: dict[str, float] = {}
    for one in comparable_on(comparison, dataset, fingerprint):  # the best first
        if (model := _model(one, models)) is not None:
            found.setdefault(model, one.test)
    return found


def _model(one: Competitor, models: Mapping[str, str]) -> str | None:
    return next((models[run_id] for run_id in one.run_ids if run_id in models), None)


def _request(entry: Architecture, place: Place) -> ModelRequest:
    return ModelRequest(entry.name, place.shape, place.num_classes)


def _row(settings: Settings, entry: Architecture, place: Place) -> dict[str, object]:
    row: dict[str, object] = {"model": entry.name, "family": entry.family, "year": entry.card.year}
    empty: dict[str, object] = {"parameters": None, "macs": None, "memory": None}
    if not takes(entry, place.shape):
        return row | empty | {"fits": f"needs {entry.min_size}×{entry.min_size} pixels"}
    try:
        known = descriptions.cached(settings, _request(entry, place))
    except ValueError as error:  # a rule of its own
        return row | empty | {"fits": str(error)}
    if known is None:
        return row | empty | {"fits": UNKNOWN}
    memory = _memory(known, place)
    fits = FITS if memory <= MARGIN * place.free else f"takes {byte_size(memory)} of memory"
    return row | {"parameters": known.total_parameters, "macs": known.macs, "memory": memory, "fits": fits}


def _memory(known: Description, place: Place) -> int:
    config = ExperimentConfig().with_values({"training.batch_size": place.batch_size})
    return int(estimate(known, config).total)
