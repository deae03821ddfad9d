"""The Overview: which run is called the best, and what is said of those that cannot be."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from core.analysis.basis import Basis
from core.commands import cli
from core.config import ExperimentConfig
from core.datasets import load
from core.tracking import schema
from core.tracking.run_state import UnknownRun
from core.tracking.store import RunStore
from core.ui.common import stored_datasets, stored_runs
from core.ui.compare.runs_table import with_curves
from tests.support.pages import opened

pytestmark = pytest.mark.engine

PAGE = "streamlit_app.py"


def finished(store: RunStore, name: str, accuracy: float, fingerprint: str, **settings: object) -> str:
    """A run as the training logs it, without a training."""
    config = ExperimentConfig().with_values({"name": name, **settings})
    run_id = store.create(config)
    split = f"fold {config.data.fold} of {config.data.folds}"
    store.log_params(run_id, {schema.FINGERPRINT: fingerprint, schema.SPLIT: split})
    values = {"best_val_accuracy": accuracy, "val_accuracy": accuracy, "test_accuracy": accuracy - 0.01}
    values |= {"loss": 1.0, "val_loss": 1.0}
    store.log_metrics(run_id, values, 1)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def shown(app: AppTest) -> list[tuple[str, str]]:
    return [(metric.label, metric.value) for metric in app.metric]


def captions(app: AppTest) -> list[str]:
    return [caption.value.replace("\\", "") for caption in app.caption]


def test_folds_win_by_their_mean_and_older_versions_stand_apart(store: RunStore) -> None:
    now = load("digits").info.fingerprint
    finished(store, "easier version", 0.999, "0123456789abcdef")
    for fold, accuracy in enumerate((0.99, 0.70)):
        finished(
            store, f"lucky · fold {fold + 1} of 2", accuracy, now, **{"data.folds": 2, "data.fold": fold}
        )
    for fold, accuracy in enumerate((0.90, 0.92)):
        changes = {"model.name": "conv3", "data.folds": 2, "data.fold": fold}
        finished(store, f"steady · fold {fold + 1} of 2", accuracy, now, **changes)
    app = opened(PAGE)
    assert not app.exception
    assert shown(app) == [
        ("validation", "91.00 ± 1.41%"),
        ("test", "90.00 ± 1.41%"),
        ("validation", "99.90%"),
        ("test", "98.90%"),
    ]
    assert "best of 2 · mean ± standard deviation of 2 runs" in captions(app)
    assert "current version of the dataset, both folds, split seed 0" in captions(app)
    assert "earlier version 01234567 of the dataset, 10% held out, split seed 0" in captions(app)


def test_an_accuracy_that_is_no_fraction_is_never_best(store: RunStore) -> None:
    fingerprint = load("digits").info.fingerprint
    finished(store, "ours", 0.5, fingerprint)
    names = ("infinite", "percent", "silent")
    for name, accuracy in zip(names, (math.inf, 64.0, 0.9), strict=True):
        foreign = store.client.create_run("0", run_name=name).info.run_id
        store.log_params(foreign, {"data.name": "digits"})
        if name != "silent":
            store.log_params(foreign, {schema.FINGERPRINT: fingerprint, schema.SPLIT: "fold 0 of 0"})
        store.log_metrics(foreign, {"best_val_accuracy": accuracy, "test_accuracy": accuracy})
        store.set_status(foreign, schema.FINISHED)
    app = opened(PAGE)
    assert not app.exception
    assert shown(app) == [("validation", "50.00%"), ("test", "49.00%")]
    (table,) = [frame.value for frame in app.dataframe if "why" in frame.value]
    why = dict(zip(table["run"].str.partition(" · ")[0], table["why"], strict=True))
    assert why == {
        "infinite": "Its validation accuracy is inf, not a fraction from 0 to 1.",
        "percent": "Its validation accuracy is 64, not a fraction from 0 to 1. It looks like a percentage.",
        "silent": "Another program logged it, without saying which images it was trained and validated on.",
    }
    texts = [text.value for text in app.markdown]
    assert "test accuracy 64 (not a fraction)" in texts
    assert "test accuracy inf (not a fraction)" in texts
    assert not any("6400" in text or "inf%" in text for text in texts)


def test_repeats_that_learned_nothing_or_failed_are_said(store: RunStore) -> None:
    finished(store, "wild", 0.95, "1111")
    collapsed = finished(store, "wild", 0.10, "1111", seed=1)
    store.log_metrics(collapsed, {"test_predicted_classes": 1, "test_classes": 10}, 1)
    store.set_status(finished(store, "wild", 0.10, "1111", seed=2), schema.FAILED)
    app = opened(PAGE)
    assert shown(app)[0] == ("validation", "52.50 ± 60.10%")
    said = "mean ± standard deviation of 2 runs, 1 of which learned nothing"
    assert f"nothing to compare it with yet · {said} · 1 more of this experiment did not finish" in captions(
        app
    )


def test_a_mean_of_a_group_that_still_trains_says_of_how_many_it_will_be(store: RunStore) -> None:
    for seed in (0, 1, 2):
        finished(store, f"steady · seed {seed}", 0.9, "1111", seed=seed)
    store.set_status(finished(store, "steady · seed 3", 0.1, "1111", seed=3), schema.RUNNING)
    said = "mean ± standard deviation of 3 runs · 3 of 4 runs finished so far"
    assert any(one.endswith(said) for one in captions(opened(PAGE)))


def test_a_run_deleted_between_two_cached_reads_is_in_none_or_in_both(store: RunStore) -> None:
    finished(store, "left", 0.5, "1111", **{"model.name": "conv3"})
    best = finished(store, "deleted", 0.9, "1111")
    stored_runs.compared()
    store.client.delete_run(
        best
    )  # as another process does it, after which the read of the runs expires first
    stored_runs._runs.clear()
    runs, comparison = stored_runs.compared()
    assert {run_id for one in comparison.competitors for run_id in one.run_ids} <= set(runs["run_id"])
    stored_runs.forget_runs()
    with pytest.raises(UnknownRun, match="does not exist any more"):
        stored_runs.run(best)


def test_every_view_shows_the_accuracy_of_the_weights_that_were_kept(store: RunStore) -> None:
    last = finished(store, "last", 0.9, "1111", **{"training.keep": "last"})
    store.log_metrics(last, {"best_epoch": 1, "loss": 1.0, "val_accuracy": 0.6}, 2)
    assert shown(opened(PAGE))[0] == ("validation", "60.00%")
    assert ("Validation, epoch 2 of 2", "60.00%") in shown(opened("pages/4_Run.py", run=last))
    (row,) = json.loads(CliRunner().invoke(cli, ["list", "runs", "--json"]).stdout)
    assert row["val_accuracy"] == 0.6


def test_bases_with_the_same_words_are_distinguished_by_their_fingerprint(store: RunStore) -> None:
    bases = [Basis("digits", "v1", frozenset([one * 32]), "10% held out") for one in "ab"]
    other = Basis("digits", "v1", frozenset(["c" * 32]), "20% held out")
    said = stored_datasets.words_of_bases([*bases, other])
    assert [one.partition("dataset, ")[2] for one in said] == [
        "10% held out, split aaaaaaaa",
        "10% held out, split bbbbbbbb",
        "20% held out",
    ]


def test_compare_says_which_runs_cannot_be_ranked(store: RunStore) -> None:
    one = finished(store, "one", 0.5, "1111")
    other = finished(store, "other", 0.6, "2222222222")
    app = opened("pages/3_Compare.py", runs=[one, other])
    (said,) = [text for text in captions(app) if "do not rank" in text]
    assert said.endswith(
        "They used different versions of the dataset 'digits': 22222222 (1 run), 1111 (1 run)."
    )
    same = finished(store, "same", 0.6, "1111", seed=1)
    app = opened("pages/3_Compare.py", runs=[one, same])
    assert not [text for text in captions(app) if "do not rank" in text]


def test_a_diverged_run_is_marked_wherever_it_is_shown(store: RunStore) -> None:
    diverged = finished(store, "diverged", 0.1, "1111")
    values = {"test_predicted_classes": 1, "test_classes": 10, "loss": 3e13, "accuracy": 0.1}
    store.log_metrics(diverged, values, 1)
    store.set_tags(
        diverged, {schema.LOSS: "cross_entropy", schema.LEAK: "It was trained on 9 of these images."}
    )
    sentences = [
        "It was trained on 9 of these images.",
        "It predicts the same class for every test image (9.0% correct).",
        "Its training loss exploded: 3e+13 in the last epoch.",
    ]
    overview = opened(PAGE)
    assert shown(overview) == []  # nothing is the best
    for badge in ("leak", "one class only", "diverged"):
        assert any(badge in text.value for text in overview.markdown)
    compare = opened("pages/3_Compare.py")
    assert compare.dataframe[0].value["remarks"].tolist() == [" ".join(sentences)]
    app = opened("pages/4_Run.py", run=diverged)
    assert not app.exception
    sentences[2] = "Training diverged in epoch 1: the loss is 3e+13, at a learning rate of 0.001."
    assert [one.value.replace("\\", "") for one in app.warning] == sentences


NONSENSE = ("best", '{"phase": "training", "steps": "many"}')
HAND_MADE = [value for name, value in vars(schema).items() if str(value).startswith("archlab.")]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_no_page_fails_at_tags_and_metrics_of_any_kind(store: RunStore, nonsense: str) -> None:
    """Whoever can write to the store can set any tag, and log any number under any name."""
    taken = (schema.GROUP, schema.CANCEL, schema.HOME, schema.OWNER)  # these decide what a run is
    tags = {name: nonsense for name in HAND_MADE if name not in taken}
    for status in (schema.RUNNING, schema.FINISHED, schema.FAILED):
        ours = finished(store, status, 0.5, "1111")
        foreign = store.client.create_run("0", run_name="theirs").info.run_id
        params = ("data.name", "model.name", "training.epochs")
        store.log_params(foreign, dict.fromkeys(params, nonsense))
        for run_id in (ours, foreign):
            store.set_tags(run_id, tags)
            names = (*schema.EPOCH_METRICS, *schema.FINAL_METRICS, *schema.SET_METRICS)
            for step, value in enumerate((math.inf, math.nan, -5.0)):
                store.log_metrics(run_id, {name: value * (one + 1) for one, name in enumerate(names)}, step)
            store.set_status(run_id, status)
    for page in ("streamlit_app.py", "pages/3_Compare.py", "pages/6_Queue.py"):
        app = opened(page)
        assert not app.exception, (page, app.exception)
    for run_id in (ours, foreign):
        app = opened("pages/4_Run.py", run=run_id)
        assert not app.exception, app.exception


def test_runs_of_another_program_stand_beside_ours(store: RunStore) -> None:
    """Live ones are counted apart, epochs begin at 1, queued runs hide no curves, Predict says what lacks."""
    ours = finished(store, "ours", 0.5, "1111")
    foreign = store.client.create_run("0", run_name="theirs").info.run_id
    for step in (0, 1):
        store.log_metrics(foreign, {"loss": 1.0, "val_accuracy": 0.5}, step)
    queued = [store.create(ExperimentConfig(), {schema.HELD: "yes"}) for _ in range(9)]
    assert [state.run_id for state in store.read.live_elsewhere()] == [foreign]
    app = opened("pages/3_Compare.py")
    assert not app.exception
    table = app.dataframe[0].value.set_index("run")
    assert table.loc[f"theirs · {foreign[:6]}", "last_epoch"] == 2
    assert table.loc[f"ours · {ours[:6]}", "last_epoch"] == 1
    runs = stored_runs.runs()
    assert set(with_curves(runs)) == {ours, foreign}
    history = stored_runs.history([foreign])
    assert history[history["metric"] == "loss"]["step"].tolist() == [1, 2]
    for run_id in queued:
        store.set_status(run_id, schema.KILLED)
    stored_runs.forget_runs()
    queue = opened("pages/6_Queue.py")
    words = captions(queue)
    assert "No run is training or queued." in words
    assert "1 run of other programs: live in this store, and in no queue of ArchLab." in words
    assert any("0 running" in text.value for text in queue.sidebar.markdown)
    store.set_status(foreign, schema.FINISHED)
    stored_runs.forget_runs()
    shown_run = opened("pages/4_Run.py", run=foreign)
    assert "Result" not in [heading.value for heading in shown_run.subheader]  # it would be ten dashes
    assert "The use of the machine was not recorded." in captions(shown_run)
    (warning,) = opened("pages/5_Predict.py", run=foreign).warning
    assert warning.value.replace("\\", "").startswith("'theirs' was logged by another program.")
