"""Wrong labels on the pages Run and Compare: they are shown, decided and undone, and the ranking is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.config import ExperimentConfig
from core.datasets import curate, edits
from core.datasets import store as stored
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.logged import log_predictions
from tests.support.pages import opened

pytestmark = pytest.mark.engine

WRONG = (1700, 1750)  # test and validation image whose labels every model contradicts
OWN = 1710  # test image that the second model alone gets wrong


def finished(store: RunStore, name: str, mistakes: tuple[int, ...]) -> str:
    """A finished run that is sure of the labels of 200 digits but for some, for which it predicts another."""
    digits = datasets.load("digits")
    run_id = store.create(ExperimentConfig().with_values({"name": name, "seed": len(name)}))
    rows = np.arange(1590, 1790)
    given = np.full((200, 10), 0.005)
    said = digits.labels[rows].copy()
    for row in mistakes:
        said[row - 1590] = (said[row - 1590] + 1) % 10
    given[np.arange(200), said] = 0.955
    table = pd.DataFrame({"index": rows, "label": digits.labels[rows], "source_name": ""})
    table = table.join(pd.DataFrame(given, columns=[f"p{one}" for one in range(10)]))
    log_predictions(store, run_id, table[table["index"] < 1740])
    log_predictions(store, run_id, table[table["index"] >= 1740], schema.VALIDATION_PREDICTIONS)
    info = digits.info
    facts = {"name": "digits", "fingerprint": info.fingerprint, "classes": list(info.classes)}
    store.log_json(run_id, facts, schema.DATA)
    store.log_params(run_id, {schema.FINGERPRINT: info.fingerprint, schema.SPLIT: "s"})
    store.log_metrics(run_id, {"best_val_accuracy": 0.9, "test_accuracy": 0.9, "loss": 1.0}, 1)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def said(app: AppTest) -> str:
    assert not app.exception
    assert not app.error
    return "\n".join(one.value for one in (*app.markdown, *app.caption, *app.info)).replace("\\", "")


def test_wrong_labels_are_decided_and_undone_and_change_the_ranking(store: RunStore) -> None:
    """The first model repeats a wrong label, the second does not: corrected, the second is better."""
    runs = [finished(store, "believer", WRONG[1:]), finished(store, "second", (*WRONG, OWN))]
    labels = datasets.load("digits").labels
    given, proposed = int(labels[WRONG[1]]), int(labels[WRONG[1]] + 1) % 10
    app = opened("pages/3_Compare.py", runs=runs, suspects="true")
    told = said(app)
    assert "3 of 200 labels look wrong to at least one of 2 models, 1 to all models" in told
    assert f"labelled **{given}**, proposed **{proposed}** (96%)" in told
    assert "2 of 2 models · digit 1750" in told
    assert "No test image is marked by more than half of the models: " in told

    def choose(row: int, what: str | None) -> str:
        app.segmented_control(key=f"suspect-digits-{row}").set_value(what).run()
        return said(app)

    before = datasets.info("digits").fingerprint
    choose(WRONG[0], "Relabel")
    told = choose(OWN, "Leave out")
    assert datasets.load("digits").labels[WRONG[0]] == (labels[WRONG[0]] + 1) % 10
    assert datasets.info("digits").fingerprint != before
    assert "The ranking changes with your corrections of test images: second is first with 100.00%" in told
    choose(OWN, None)
    choose(WRONG[0], "Keep")
    made = edits.read(stored.folder_of("digits"))
    assert (made.left_out, made.relabelled, made.confirmed) == (set(), {}, {WRONG[0]})
    assert datasets.info("digits").fingerprint == before
    choose(WRONG[0], None)
    assert not edits.read(stored.folder_of("digits"))
    alone = said(opened("pages/4_Run.py", run=runs[1], suspects="true"))
    assert "3 of 200 labels look wrong to this model." in alone
    assert "second: 98.67% as labelled, 100.00% without 2 suspect test images." in alone


def test_the_edited_label_that_a_run_was_trained_with_is_kept_and_returned_to(store: RunStore) -> None:
    """An edit that is older than the run is not a decision about what the run doubts."""
    given = int(datasets.load("digits").labels[WRONG[1]])
    edited, proposed = str((given + 3) % 10), str((given + 4) % 10)
    curate.relabel("digits", {WRONG[1]: edited})
    app = opened("pages/4_Run.py", run=finished(store, "later", WRONG[1:]), suspects="true")
    assert f"labelled **{edited}**, proposed **{proposed}**" in said(app)
    key = f"suspect-digits-{WRONG[1]}"
    steps: list[tuple[str | None, str]] = [
        ("Keep", edited),
        (None, edited),
        ("Relabel", proposed),
        ("Keep", edited),
        ("Leave out", edited),
        (None, edited),
    ]
    assert app.segmented_control(key=key).value is None
    for choice, label in steps:
        app.segmented_control(key=key).set_value(choice).run()
        said(app)
        made = edits.read(stored.folder_of("digits"))
        assert made.relabelled == {WRONG[1]: label}, choice
        assert (made.confirmed, made.left_out) == (
            {WRONG[1]} if choice == "Keep" else set(),
            {WRONG[1]} if choice == "Leave out" else set(),
        )
        assert app.segmented_control(key=key).value == choice


def test_any_class_can_be_given_instead_of_the_proposed_one(store: RunStore) -> None:
    """It changes at once where the image is relabelled already, and is shown when the page opens again."""
    row, given = WRONG[1], int(datasets.load("digits").labels[WRONG[1]])
    run_id = finished(store, "model", WRONG[1:])
    app = opened("pages/4_Run.py", run=run_id, suspects="true")
    key, proposed, wanted, other = f"suspect-digits-{row}", *(str((given + more) % 10) for more in (1, 2, 3))

    def relabelled() -> dict[int, str]:
        return dict(edits.read(stored.folder_of("digits")).relabelled)

    select = app.selectbox(key=f"{key}-class")
    assert select.value == proposed
    assert select.options == [str(one) for one in range(10) if one != given]
    select.set_value(wanted).run()
    said(app)
    assert (relabelled(), app.segmented_control(key=key).value) == ({}, None)
    app.segmented_control(key=key).set_value("Relabel").run()
    assert relabelled() == {row: wanted}
    app.selectbox(key=f"{key}-class").set_value(other).run()
    assert relabelled() == {row: other}
    again = opened("pages/4_Run.py", run=run_id, suspects="true")
    said(again)
    assert again.segmented_control(key=key).value == "Relabel"
    assert again.selectbox(key=f"{key}-class").value == other
    again.segmented_control(key=key).set_value(None).run()
    assert relabelled() == {}
