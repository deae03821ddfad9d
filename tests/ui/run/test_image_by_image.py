"""Two runs image by image on the Compare page, on a store with what two trainings would have logged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core import datasets
from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.pages import opened

pytestmark = pytest.mark.engine


def with_answers(store: RunStore, name: str, rows: list[int], predicted: list[int], sure: list[float]) -> str:
    """A finished run that answered these images of the digits."""
    digits = datasets.load("digits")
    run_id = store.create(ExperimentConfig().with_values({"name": name}))
    given = np.full((len(rows), 10), 0.0)
    for place, (said, share) in enumerate(zip(predicted, sure, strict=True)):
        given[place] = (1 - share) / 9
        given[place, said] = share
    table = pd.DataFrame({"index": rows, "label": digits.labels[rows], "source_name": "x"})
    table = table.join(pd.DataFrame(given, columns=[f"p{one}" for one in range(10)]))
    file = store.settings.home / "predictions.parquet"
    table.to_parquet(file)
    store.log_file(run_id, file, "evaluation")
    facts = {"name": "digits", "fingerprint": digits.info.fingerprint, "classes": list(digits.info.classes)}
    store.log_json(run_id, facts, schema.DATA)
    store.log_params(run_id, {schema.FINGERPRINT: digits.info.fingerprint})
    store.log_metrics(run_id, {"val_accuracy": 0.9}, step=1)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def test_images_that_one_of_two_runs_gets_right_are_shown_with_both_answers(store: RunStore) -> None:
    labels = datasets.load("digits").labels
    rows = [int(np.flatnonzero(labels == one)[0]) for one in (3, 5, 8, 9)]
    a = with_answers(store, "first", rows, [3, 5, 8, 1], [0.9, 0.8, 0.7, 0.6])
    b = with_answers(store, "second", rows, [5, 5, 1, 9], [0.5, 0.8, 0.9, 0.6])
    app = opened("pages/3_Compare.py", runs=[a, b], images="true")
    assert not app.exception
    app.selectbox(key="pair-a").set_value(a).run()
    assert [one.value for one in app.metric] == ["25.0%", "1", "2", "1", "0"]

    def shown() -> list[str]:
        captions = [one.value.replace("\\", "") for one in app.caption]
        return [one for one in captions if "true: " in one]

    assert shown() == ["A: 8 (70%), B: 1 (90%), true: 8", "A: 3 (90%), B: 5 (50%), true: 3"]
    app.segmented_control(key="pair-images").set_value("Only B right").run()
    assert shown() == ["A: 1 (60%), B: 9 (60%), true: 9"]
    app.segmented_control(key="pair-images").set_value("One cell of the matrices").run()
    app.selectbox(key="true-pair").set_value(5).run()
    app.selectbox(key="predicted-pair").set_value(5).run()
    assert not app.exception
    assert shown() == ["A: 5 (80%), B: 5 (80%), true: 5"]
    app.selectbox(key="predicted-pair").set_value(0).run()
    assert "No image is in this cell of either run: choose another cell." in [
        one.value for one in app.caption
    ]

    app = opened("pages/4_Run.py", run=a)
    for label, chosen in (("True class", 5), ("Predicted class", 0)):
        (box,) = [one for one in app.selectbox if one.label == label]
        box.set_value(chosen).run()
    assert not app.exception
    said = "No image of 5 was taken for 0: choose a cell with a number above 0."
    assert said in [one.value for one in app.caption]


def test_an_archived_run_is_not_compared_image_by_image(store: RunStore) -> None:
    answers = ([0, 1], [0, 1], [0.9, 0.9])
    runs = [with_answers(store, name, *answers) for name in ("first", "second", "third")]
    store.set_tags(runs[0], {schema.ARCHIVED: "yes"})
    app = opened("pages/3_Compare.py", runs=runs, images="true", archived="true")
    assert not app.exception
    chosen = {app.selectbox(key=f"pair-{one}").value for one in "ab"}
    assert chosen == set(runs[1:])
    told = [one.value for one in app.caption]
    assert "1 of the 3 runs answered other test images, or none, or are archived." in told
    store.set_tags(runs[1], {schema.ARCHIVED: "yes"})
    app = opened("pages/3_Compare.py", runs=runs, images="true", archived="true")
    assert any("Archived runs are left out." in one.value for one in app.info)
