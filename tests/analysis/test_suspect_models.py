"""Which predictions of a comparison are one model's, and which runs have none that count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.analysis.entries import Entry, entry_of
from core.analysis.suspect_models import models_of
from core.tracking import schema
from tests.support.runs import FINGERPRINT, as_run, not_edited, run

Key = tuple[str, str]


def table(images: list[int], right: float = 0.9) -> pd.DataFrame:
    """Predictions of class 0, the label of each image."""
    return pd.DataFrame({"index": images, "label": 0, "p0": right, "p1": 1 - right})


def test_folds_of_a_seed_are_one_model_and_other_runs_are_models_alone() -> None:
    folds = [("fold", 0, 7), ("fold", 1, 7), ("fold", 0, 8)]
    rows: list[dict[str, Any]] = [
        run(f"{name} {fold} {seed}", 0.9, **{"data.folds": 2, "data.fold": fold, "seed": seed})
        for name, fold, seed in folds
    ]
    rows += [run("alone", 0.9), run("old", 0.9), run("other", 0.9), run("leaks", 0.9)]
    rows[-2][f"params.{schema.FINGERPRINT}"] = "v2"
    rows[-1][f"tags.{schema.LEAK}"] = "Its test images were trained on."
    runs = {one["name"]: as_run(one) for one in rows}
    kept: dict[Key, pd.DataFrame] = {(name, schema.PREDICTIONS): table([8, 9]) for name in runs}
    kept["fold 1 7", schema.PREDICTIONS] = table([9, 8], right=0.3)  # in another order
    validation = {"fold 0 7": [0, 2], "fold 1 7": [1, 3], "fold 0 8": [0, 2], "alone": [0, 1]}
    kept |= {(name, schema.VALIDATION_PREDICTIONS): table(images) for name, images in validation.items()}

    def read(run_id: str, name: str) -> pd.DataFrame:
        if (run_id, name) not in kept:
            raise FileNotFoundError(run_id)
        return kept[run_id, name]

    group = Entry("folds", "folds", ("fold 0 7", "fold 1 7", "fold 0 8"))
    entries = [group, *(entry_of(runs[name]) for name in ("alone", "old", "other", "leaks"))]
    found = models_of(entries, runs, read, not_edited)
    assert found is not None
    assert [one.images.tolist() for one in found.models] == [
        [0, 1, 2, 3, 8, 9],  # both folds of seed 7
        [0, 2, 8, 9],
        [0, 1, 8, 9],
        [8, 9],  # an older version logged no validation predictions
    ]
    np.testing.assert_allclose(found.models[0].probabilities[:, 0], [0.9] * 4 + [0.6] * 2)
    assert found.test_images.tolist() == [8, 9]
    assert {name: said.tolist() for name, said in found.predicted.items()} == {
        "folds": [[0, 0], [1, 1], [0, 0]],
        "alone": [[0, 0]],
        "old": [[0, 0]],
    }
    assert found.left_out == (
        "other is left out: its dataset has other images.",
        "leaks is left out: it has no finished run that was not trained on these images.",
    )
    assert models_of([], runs, read, not_edited) is None
    runs["alone"] = as_run(
        {**next(one for one in rows if one["name"] == "alone"), f"tags.{schema.ARCHIVED}": "yes"}
    )
    found = models_of(entries[:2], runs, read, not_edited)
    assert found is not None
    assert found.left_out == ("alone is left out: it is archived.",)
    assert list(found.predicted) == ["folds"]
    by_itself = models_of(entries[1:2], runs, read, not_edited)
    assert by_itself is not None
    assert list(by_itself.predicted) == ["alone"]


def test_models_from_before_and_after_a_label_was_edited_judge_it_together() -> None:
    """Of image 1 two models have the label 0 and the last one 1; what two were given is doubted by all."""
    rows = [run(name, 0.9, **{FINGERPRINT: f"version {name}"}) for name in ("a", "b", "edited", "merged")]
    runs = {row["run_id"]: as_run(row) for row in rows}
    table = pd.DataFrame(
        {"index": [0, 1, 2], "label": [0, 0, 1], "p0": [0.9, 0.1, 0.2], "p1": [0.1, 0.9, 0.8]}
    )

    def read(run_id: str, name: str) -> pd.DataFrame:
        if name != schema.PREDICTIONS:
            raise FileNotFoundError(run_id)
        if run_id == "merged":
            return table.assign(p2=0.0)
        return table.assign(label=[0, 1, 1]) if run_id == "edited" else table

    found = models_of([entry_of(runs[name]) for name in runs], runs, read, lambda *_: "imported")
    assert found is not None
    assert [one.labels.tolist() for one in found.models] == [[0, 0, 1]] * 3
    assert (found.test_images.tolist(), found.test_labels.tolist()) == ([0, 1, 2], [0, 0, 1])
    assert found.left_out == ("merged is left out: its dataset had other classes.",)
    alone = models_of([entry_of(runs["edited"])], runs, read, not_edited)
    assert alone is not None
    assert alone.test_labels.tolist() == [0, 1, 1]
