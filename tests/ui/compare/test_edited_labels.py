"""Runs from before and after an edit of the dataset are compared where their test images are the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.config import ExperimentConfig
from core.datasets import curate
from core.study import study_of
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.logged import log_predictions
from tests.support.commands import run
from tests.support.pages import opened

pytestmark = pytest.mark.engine

PAGE = "pages/3_Compare.py"


def finished(store: RunStore, name: str, mistakes: int) -> str:
    """A finished run on the digits as they are now, with its first test images wrong."""
    digits = datasets.load("digits")
    rows, info = digits.indices("test"), digits.info
    classes = len(info.classes)
    labels = digits.labels[rows]
    said = np.where(np.arange(len(rows)) < mistakes, (labels + 1) % classes, labels)
    table = pd.DataFrame({"index": rows, "label": labels, "source_name": ""})
    table[[f"p{one}" for one in range(classes)]] = np.eye(classes)[said] * 0.9 + 0.01
    run_id = store.create(ExperimentConfig().with_values({"name": name}))
    log_predictions(store, run_id, table)
    facts = {"name": "digits", "fingerprint": info.fingerprint, "classes": list(info.classes)}
    store.log_json(run_id, facts, schema.DATA)
    store.log_params(run_id, {schema.FINGERPRINT: info.fingerprint, schema.SPLIT: "s"})
    accuracy = 1 - mistakes / len(rows)
    store.log_metrics(run_id, {"val_accuracy": accuracy, "test_accuracy": accuracy, "loss": 1.0}, 1)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def row_of(subset: str) -> int:
    return int(datasets.load("digits").indices(subset)[0])


def relabel(row: int) -> None:
    digits = datasets.load("digits")
    curate.relabel("digits", {row: digits.info.classes[(digits.labels[row] + 1) % len(digits.info.classes)]})


def said(app: AppTest) -> str:
    assert not app.exception
    told = [one.value for one in (*app.markdown, *app.warning, *app.caption, *app.info)]
    return "\n".join(told).replace("\\", "")


def test_runs_are_compared_after_a_training_image_was_relabelled_and_the_page_says_so(
    store: RunStore,
) -> None:
    before = finished(store, "before", 80)
    finished(store, "unticked", 20)
    first = datasets.info("digits").fingerprint[:8]
    relabel(row_of("train"))
    after = finished(store, "after", 2)
    versions = sorted([first, datasets.info("digits").fingerprint[:8]])
    assert len(set(versions)) == 2

    told = said(opened(PAGE, runs=[before, after], images="true"))
    images = len(datasets.load("digits").indices("test"))
    assert "#### after beats before: right on 78 images where before is wrong" in told
    assert "left out" not in told
    mark = f"the version of the dataset that they were trained on ({', '.join(versions)})"
    assert f"They differ in more than the model: {mark}. What makes one better may be any of these." in told
    assert f"Of the runs that are here, 3 were evaluated on these {images} test images." in told
    assert "No two of these runs" not in told

    from core.commands.study import entries

    study = study_of(store, entries(store, (before, after)))
    assert study.verdict[0].startswith("after beats before")
    assert any(f"3 were evaluated on these {images}" in sentence for sentence in study.verdict)
    assert dict(study.settings)["version of the dataset"] == tuple(
        one[:8] for one in (datasets.info("digits").fingerprint, first)
    )
    assert not any("one training set" in sentence for sentence in study.untested)
    assert any("trained on 2 versions of the data" in sentence for sentence in study.untested)
    assert any("differ in version of the dataset too" in sentence for sentence in study.untested)
    assert "after beats before" in run("compare", before, after).stderr


def test_a_run_whose_test_images_have_another_label_is_refused_until_the_label_is_taken_back(
    store: RunStore,
) -> None:
    before, row = finished(store, "before", 20), row_of("test")
    images = len(datasets.load("digits").indices("test"))
    relabel(row)
    after = finished(store, "after", 2)
    told = said(opened(PAGE, runs=[before, after], images="true"))
    assert f"before is left out: 1 of its {images} test images has another label." in told
    assert "Fewer than two of them can be compared." in told
    assert "No two of these runs have predictions for the same test images." in told
    curate.restore("digits", [row])
    again = finished(store, "again", 2)
    told = said(opened(PAGE, runs=[before, again]))
    assert "#### again beats before" in told
    assert "version of the dataset" not in told
    assert f"2 were evaluated on these {images} test images." in told


def test_runs_with_fewer_test_images_or_other_classes_are_refused(store: RunStore) -> None:
    before, row = finished(store, "before", 20), row_of("test")
    images = len(datasets.load("digits").indices("test"))
    curate.leave_out("digits", [row])
    fewer = finished(store, "fewer", 2)
    version = datasets.info("digits").fingerprint[:8]
    curate.undo_all("digits")
    curate.merge_classes("digits", "8", "9")
    merged = finished(store, "merged", 2)
    curate.undo_all("digits")
    told = said(opened(PAGE, runs=[before, finished(store, "same", 2), fewer, merged]))
    assert "#### same beats before" in told
    other = f"version {version} of digits, {images - 1} images"
    assert f"fewer is left out: it was tested on other images ({other})." in told
    assert "merged is left out: its test images have 9 classes, not 10." in told
