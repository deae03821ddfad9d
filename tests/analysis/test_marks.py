"""What makes a comparison doubtful is said in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from core.analysis.entries import Entry
from core.analysis.evaluated_images import Answers, evaluated_images
from core.analysis.looks import looks, looks_words
from core.analysis.marks import differing_mark, gap, gap_mark
from core.tracking.run import Run
from tests.support.runs import FINGERPRINT, as_run, run


def measured(validation: float, test: float, **changes: Any) -> Run:
    images = {"metrics.validation_images": 145.0, "metrics.test_images": 359.0}
    return as_run(run("a", validation, test, **{**images, **changes}))


def test_the_interval_of_the_gap_is_newcombes() -> None:
    theirs = confint_proportions_2indep(143, 145, 340, 359, method="newcomb")
    assert gap(143 / 145, 145, 340 / 359, 359) == pytest.approx(theirs, abs=1e-9)
    assert gap(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)  # Newcombe 1998, (a)


def test_a_gap_beyond_its_interval_is_marked_and_chance_is_not() -> None:
    said = gap_mark([measured(0.99, 0.90)], "resnet")
    assert said is not None
    assert said.startswith("resnet: validation accuracy 99.0% is 9.0 points above test accuracy 90.0% (")
    assert "below" in (gap_mark([measured(0.85, 0.97)], "resnet") or "")
    assert gap_mark([measured(0.98, 0.97)], "resnet") is None
    assert gap_mark([measured(0.99, 0.90, **{"metrics.test_images": None})], "resnet") is None
    assert gap_mark([measured(99.0, 0.90)], "resnet") is None
    seeds = [measured(0.99, 0.90), measured(0.97, 0.92), measured(0.97, 0.9, **{"metrics.test_images": None})]
    said = gap_mark(seeds, "resnet · 3 runs")
    assert said is not None
    assert said.startswith("resnet · 3 runs: mean validation accuracy 98.0% is 7.0 points above test")


def test_runs_that_differ_in_more_than_the_model_are_marked() -> None:
    rows = {
        "a": run("a", 0.9, seed=1),
        "b": run("b", 0.9, seed=2, **{"model.name": "conv3"}),
        "c": run("c", 0.9, **{"optimizer.learning_rate": 0.5, "params.training.epochs": None}),
    }
    runs = {name: as_run(row) for name, row in rows.items()}
    a, b, c = (Entry(name, name, (name,)) for name in rows)
    assert differing_mark([a, b], runs) is None
    said = differing_mark([a, b, c], runs)
    assert said is not None
    assert "optimizer.learning_rate (0.001, 0.5)" in said
    assert "epochs" not in said  # what was not logged is the default
    assert differing_mark([Entry("g", "g", ("a", "b"))], runs) is None


def test_looks_at_a_test_set_are_counted_in_all_versions_that_have_it() -> None:
    versions = {"a": "v1", "b": "v1", "c": "v1", "d": "v2", "e": "v3", "f": "v4", "g": "v5", "h": "v6"}
    rows = [
        run(name, 0.9, test=float("nan") if name == "c" else 0.5, **{FINGERPRINT: version})
        for name, version in versions.items()
    ]
    these = Answers(np.arange(9), np.ones(9, bool), np.zeros(9, "int64"), 2)
    answers = dict.fromkeys("abdgh", these) | {"e": these._replace(labels=np.ones(9, "int64"))}
    images = evaluated_images("v1", these)

    def read(run_id: str) -> Answers:
        if run_id not in answers:
            raise FileNotFoundError(run_id)
        return answers[run_id]

    def import_of(name: str, version: str) -> str:
        return version if version == "v6" else "v1"

    every = pd.DataFrame(rows)
    assert looks(every, images, ["v1"], read, import_of) == 4  # a, b, d and g: e has other labels, h others
    assert looks(every, images, ["v1", "v4"], read, import_of) == 5  # f has no predictions, but is known
    assert looks(every, images, [], read, import_of) == 4
    assert looks_words(2, 1000) == "Of the runs that are here, 2 were evaluated on these 1,000 test images."
    assert looks(pd.DataFrame({"run_id": []}), images, ["v1"], read, import_of) == 0
