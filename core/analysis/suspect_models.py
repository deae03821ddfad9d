"""The models of a comparison that say together which labels are suspect, and what each predicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.basis import fingerprint_of
from core.analysis.entries import Entry
from core.analysis.evaluated_images import ImportOf, import_of_run
from core.analysis.mistakes import probabilities
from core.analysis.suspect_labels import OutOfSample, put_together, with_common_labels
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run

MOST_MODELS = 20
MOST_PROBABILITIES = 50_000_000  # of all models together: 400 MB


@dataclass(frozen=True)
class Models:
    """Models that predicted images of one import of a dataset, in the same classes.

    Attributes:
        of_run: Id of a run that is among them.
        models: What each predicts out of sample. Of a label that was edited between two runs they have that
            which most of them were given, as have `test_labels`.
        test_images: int64 `(n,)`, of which all entries below have predictions; test_labels: int64 `(n,)`.
        predicted: The class that each run of an entry predicts for them, int `(runs, n)`, by its name.
        left_out: Why other entries and runs are not among them, a sentence each.
    """

    of_run: str
    models: tuple[OutOfSample, ...]
    test_images: np.ndarray
    test_labels: np.ndarray
    predicted: Mapping[str, np.ndarray]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Tables:
    """The predictions of one run; either may be missing."""

    run: Run
    validation: pd.DataFrame | None
    test: pd.DataFrame | None


def models_of(
    entries: Sequence[Entry],
    runs: Mapping[str, Run],
    read: Callable[[str, str], pd.DataFrame],
    import_of: ImportOf,
) -> Models | None:
    """Read the out-of-sample predictions of entries; None where there are none.

    A run is a model, by its validation and test predictions. The folds of one seed are one model together:
    each image is predicted by the fold that did not train on it. Archived runs are left out, but for a run
    that is looked at alone.

    Args:
        runs: By id, with `evidence.KEYS`.
        read: Returns predictions of a run by its id and the name of the artifact; raises FileNotFoundError,
            DamagedArtifact.
    """
    alone = len(entries) == 1 and not entries[0].is_group
    present = {entry.key: [runs[one] for one in entry.run_ids if one in runs] for entry in entries}
    members = {
        key: [run for run in those if _has_model(run) and (alone or not run.archived)]
        for key, those in present.items()
    }
    imports = Counter(import_of_run(run, import_of) for those in members.values() for run in those)
    usual = imports.most_common(1)[0][0] if imports else ""
    left_out: list[str] = []
    found: list[OutOfSample] = []
    tested: dict[str, list[pd.DataFrame]] = {}
    of_run = ""
    for entry in entries:
        those = [run for run in members[entry.key] if import_of_run(run, import_of) == usual]
        if not those:
            other = "its dataset has other images"
            if not members[entry.key]:
                other = "it has no finished run that was not trained on these images"
                if present[entry.key] and all(run.archived for run in present[entry.key]):
                    other = "it is archived"
            left_out.append(f"{entry.name} is left out: {other}.")
            continue
        for tables in _models(those, read):
            size = sum(one.probabilities.size for one in found)
            if len(found) == MOST_MODELS or size > MOST_PROBABILITIES:
                left_out.append(f"Only the first {len(found)} models were read.")
                return _joined(of_run, found, tested, left_out)
            try:
                model = put_together([one for run in tables for one in _present(run)])
            except ValueError as error:
                left_out.append(f"{entry.name} is left out: {error}.")
                continue
            if found and model.probabilities.shape[1] != found[0].probabilities.shape[1]:
                left_out.append(f"{entry.name} is left out: its dataset had other classes.")
                continue
            found.append(model)
            of_run = of_run or tables[0].run.run_id
            tested.setdefault(entry.name, []).extend(run.test for run in tables if run.test is not None)
    return _joined(of_run, found, tested, left_out)


def _has_model(run: Run) -> bool:
    """Whether a run has finished, and is not known to have been trained on images that it should predict."""
    known = fingerprint_of(run) and not run.tags.get(schema.LEAK)
    return bool(known) and run.status == schema.FINISHED and not run.is_range_test


def _models(runs: Sequence[Run], read: Callable[[str, str], pd.DataFrame]) -> Iterable[list[_Tables]]:
    """Group the runs of an entry into models: the folds of each seed together, and each other run alone."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        folds = run.whole_setting("data.folds")
        groups.setdefault(f"seed {run.params.get('seed')}" if folds else run.run_id, []).append(run)
    for those in groups.values():
        yield [
            _Tables(
                run,
                _read(read, run.run_id, schema.VALIDATION_PREDICTIONS),
                _read(read, run.run_id, schema.PREDICTIONS),
            )
            for run in those
        ]


def _read(read: Callable[[str, str], pd.DataFrame], run_id: str, name: str) -> pd.DataFrame | None:
    try:
        table = read(run_id, name)
    except (FileNotFoundError, DamagedArtifact):
        return None
    return table if len(table) and probabilities(table).size else None


def _present(tables: _Tables) -> list[pd.DataFrame]:
    return [one for one in (tables.validation, tables.test) if one is not None]


def _joined(
    of_run: str, found: Sequence[OutOfSample], tested: Mapping[str, list[pd.DataFrame]], left_out: list[str]
) -> Models | None:
    """Keep the test predictions of the entries that were tested on the images that most were tested on."""
    if not found:
        return None
    ordered = {
        name: [one.sort_values("index", kind="stable") for one in tables] for name, tables in tested.items()
    }
    images = Counter(
        one["index"].to_numpy("int64").tobytes() for tables in ordered.values() for one in tables
    )
    usual = images.most_common(1)[0][0] if images else b""
    predicted = {}
    for name, tables in ordered.items():
        same = [one for one in tables if one["index"].to_numpy("int64").tobytes() == usual]
        if same:
            predicted[name] = np.stack([probabilities(one).argmax(axis=1) for one in same])
    models, test_images = with_common_labels(found), np.frombuffer(usual, "int64")
    label_of = {image: label for one in models for image, label in zip(one.images, one.labels, strict=True)}
    return Models(
        of_run,
        tuple(models),
        test_images,
        np.array([label_of[image] for image in test_images], "int64"),
        predicted,
        tuple(dict.fromkeys(left_out)),
    )
