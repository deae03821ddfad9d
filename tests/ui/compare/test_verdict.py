"""The verdict on the Compare page: of the ticked runs, from their test predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.entries import entry_of
from core.config import ExperimentConfig
from core.importing.importer import import_images
from core.jobs import archive
from core.study import study_of
from core.tracking import schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from core.training.logged import log_predictions
from core.ui.common import stored_predictions, stored_runs
from tests.support.pages import opened
from tests.support.photos import Photos

pytestmark = pytest.mark.engine

PAGE = "pages/3_Compare.py"


def finished(
    store: RunStore,
    name: str,
    right: np.ndarray,
    fingerprint: str = "v1",
    validation: float = 0.9,
    dataset: str = "digits",
    **settings: str,
) -> str:
    """A finished run with test predictions. right: bool `(images,)`."""
    run_id = store.create(
        ExperimentConfig().with_values(
            {
                "name": name,
                "seed": len(name),
                "optimizer.learning_rate": len(name) / 1000,
                "data.name": dataset,
                **settings,
            }
        )
    )
    store.log_params(run_id, {schema.FINGERPRINT: fingerprint, schema.SPLIT: "s", schema.EVALUATION: "e"})
    accuracy = float(right.mean())
    metrics = {"best_val_accuracy": validation, "loss": 1.0, "test_accuracy": accuracy}
    store.log_metrics(run_id, metrics | {"validation_images": 145, "test_images": len(right)}, 1)
    images = np.arange(len(right))
    table = pd.DataFrame({"index": images, "label": 0, "source_name": "", "p0": right * 0.8, "p1": 0.4})
    log_predictions(store, run_id, table)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def said(app: AppTest) -> str:
    told = [one.value for one in (*app.markdown, *app.warning, *app.caption, *app.info)]
    return "\n".join(told).replace("\\", "")


def test_the_ticked_runs_are_compared_on_the_same_test_images(store: RunStore) -> None:
    base = np.arange(400) < 360
    better, like = base.copy(), base.copy()
    better[360:390], like[358:361] = True, [False, True, True]
    runs = {
        "base": finished(store, "base", base),
        "better": finished(store, "better", better),
        "like": finished(store, "alike", like, validation=0.95),
        "other": finished(store, "other", base, "v2"),
    }
    app = opened(PAGE)
    assert "Tick two or more runs" in said(app)
    app = opened(PAGE, runs=[runs["base"], runs["better"]])
    assert not app.exception
    assert "#### better beats base: right on 30 images where base is wrong" in said(app)
    assert "The best of 2 on 400 images shows 97.5%" in said(app)
    assert "trained with one seed" in said(app)
    assert "They differ in more than the model: optimizer.learning_rate (0.004, 0.006)." in said(app)
    assert "better: validation accuracy 90.0% is 7.5 points below test accuracy 97.5% (" in said(app)
    app = opened(PAGE, runs=list(runs.values()), margin="2")
    assert "#### better is the best of 3" in said(app)
    assert "other is left out: it was tested on other images (version v2 of digits, 400 images)." in said(app)
    (standing,) = [one.value for one in app.dataframe if "rank" in one.value and "95% interval" in one.value]
    assert standing["rank"].tolist() == [1, 2, 2]
    assert standing["run"].tolist()[0] == "better"
    assert [one.value for one in app.number_input if one.key == "margin"] == [2.0]
    overview = opened("streamlit_app.py")
    assert not overview.exception
    assert "2 others of 2 cannot be told from it" in [one.label for one in overview.expander]
    (expected,) = [one for one in said(overview).splitlines() if "The best of 3" in one]
    assert expected == (
        ":material/casino: The best of 3 on 145 validation images shows 95.0%; on new images expect 90.0% "
        "(86.7% to 92.6%), by 400 test images that chose nothing. Of the runs that are here, 3 were "
        "evaluated on these 400 test images."
    )
    finished(store, "worse", np.arange(400) < 320, validation=0.94)  # on 145 images that is no difference
    table = opened(PAGE).dataframe[0].value
    stars = dict(zip(table["run"].str.partition(" · ")[0], table["best"], strict=True))
    assert stars == {"alike": "★", "base": "★", "better": "★", "worse": "", "other": ""}


def test_a_run_that_tried_learning_rates_is_in_no_verdict(store: RunStore) -> None:
    """It is known by its schedule, which is read of every run that is compared."""
    trained = [finished(store, name, np.arange(400) < 360) for name in ("one", "other")]
    tried = finished(store, "tried", np.arange(400) < 200, **{"schedule.name": "range_test"})
    told = said(opened(PAGE, runs=[*trained, tried]))
    assert "tried is left out: it has no finished run." in told


def test_a_verdict_follows_what_is_archived_restored_and_found_to_leak(store: RunStore) -> None:
    base = np.arange(400) < 360
    runs = [finished(store, "base", base), finished(store, "better", np.arange(400) < 390)]

    def verdict() -> str:
        stored_runs.forget_runs()
        return said(opened(PAGE, runs=runs, archived="true"))

    assert "better beats base" in verdict()
    archive.archive(store, runs[:1])
    assert "base is left out: it is archived." in verdict()
    archive.restore(store, runs[:1])
    assert "better beats base" in verdict()
    store.set_tags(runs[1], {schema.LEAK: "2 of its test images trained its parent."})
    assert "better is left out: 2 of its test images trained its parent." in verdict()


def test_the_best_of_several_is_told_by_the_validation_images_that_chose_it(store: RunStore) -> None:
    draws = np.random.default_rng(0)
    runs = [finished(store, name, draws.random(400) < 0.9) for name in ("a", "bb", "ccc")]
    right = draws.random((360, 3)) < 0.9
    for run_id, column in zip(runs, right.T, strict=True):
        answered = {"index": np.arange(400, 760), "label": 0, "p0": column * 0.8, "p1": 0.4}
        log_predictions(store, run_id, pd.DataFrame(answered), schema.VALIDATION_PREDICTIONS)
    shown = right.mean(axis=0).max()
    sentence = f"The best of 3 on 360 validation images shows {shown:.1%}; on new images expect "
    for app in (opened("streamlit_app.py"), opened(PAGE, runs=runs)):
        assert not app.exception
        assert sentence in said(app)


def test_pairs_of_groups_say_that_images_are_counted_by_shares_of_runs(store: RunStore) -> None:
    seeds = [finished(store, f"a{place}", np.arange(400) < 360 + place) for place in range(2)]
    other = finished(store, "other", np.arange(400) < 380)
    app = opened(PAGE, group=["seeds and folds"], runs=[seeds[0], other])
    assert not app.exception
    (pairs,) = [one.value for one in app.dataframe if "p (Holm)" in one.value]
    assert pairs["A right more often"].tolist() == [20]  # one of the two seeds is right on one of these
    assert "only A right" not in pairs


def test_predictions_are_read_anew_of_a_run_that_ends_again(store: RunStore) -> None:
    run_id = finished(store, "once", np.arange(400) < 360)

    def right() -> int:
        stored_runs.forget_runs()
        run = runs_of(stored_runs.rows([run_id]))[0]
        return int((stored_predictions.predictions(run)["p0"] > 0.4).sum())

    assert right() == 360
    table = pd.DataFrame({"index": np.arange(400), "label": 0, "source_name": "", "p0": 0.8, "p1": 0.4})
    store.set_status(run_id, schema.RUNNING)
    log_predictions(store, run_id, table)
    store.set_status(run_id, schema.FINISHED)
    assert right() == 400


def test_test_images_that_are_in_the_training_set_too_are_marked(store: RunStore, tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos")
    photos.add(*(f"{part}/{label}/{i}.png" for part in ("train", "test") for label in "ab" for i in range(4)))
    photos.write("test/a/copy.png", (photos.root / "train/a/0.png").read_bytes())
    info = import_images("copies", photos.root)
    right = np.arange(info.subset_size("test")) % 3 > 0
    runs = [finished(store, name, right, info.fingerprint, dataset="copies") for name in ("one", "other")]
    sentence = "of 9 test images is identical to training images, so the test accuracy is too high."
    assert sentence in said(opened(PAGE, runs=runs))
    study = study_of(store, [entry_of(run) for run in runs_of(stored_runs.rows(runs))])
    assert any(sentence in doubt for doubt in study.verdict)
