"""The Studies page: what each recipe asks, its launch, and published beside measured."""

from __future__ import annotations

import os

import pytest
from streamlit.testing.v1 import AppTest

from core import recipes
from core.config import ExperimentConfig
from core.recipes import saved
from core.searching import plan as plans
from core.searching import process
from core.searching.state import keep
from core.system.daemon import Daemon
from core.system.process_ids import process_name
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from tests.support.homes import SMALL
from tests.support.made_up import made_up
from tests.support.pages import opened

pytestmark = pytest.mark.slow
PAGE = "pages/9_Studies.py"


def said(app: object) -> str:
    """All text of a page, without the signs that keep names from being Markdown."""
    kinds = ("markdown", "caption", "info", "error", "warning", "success", "subheader")
    return "\n".join(one.value for kind in kinds for one in getattr(app, kind)).replace("\\", "")


def labels(app: object) -> set[str]:
    return {one.label for one in app.button}  # type: ignore[attr-defined]


def test_every_recipe_is_listed_with_what_it_asks(store: RunStore) -> None:
    app = opened(PAGE)
    assert not app.exception
    (listed, *_) = app.dataframe
    rows = listed.value.set_index("recipe")
    assert [*rows.index] == recipes.names()
    assert rows.loc["depth-study", "images"] == "2 classes of colour images of 96×96"
    assert rows.loc["quickstart", "asks"] == "3 trainings · time: about a minute on two cores"
    assert "Launch 3 runs" in labels(app)
    assert "This launches 3 trainings on digits: lenet5, conv3, resnet_cifar." in said(app)
    assert "Nothing of it was launched here yet." in said(app)


def test_a_recipe_without_its_images_says_which_and_leads_to_data(store: RunStore) -> None:
    for name, sentence in (
        ("resnet-cifar", "cifar10 is not here yet"),
        ("depth-study", "this recipe asks 2 classes of colour images of 96×96"),
    ):
        app = opened(PAGE, recipe=name)
        assert sentence in said(app)
        assert not any(label.startswith("Launch") for label in labels(app))
    made_up("mine", (96, 96, 3), 2, each=20)
    app = opened(PAGE, recipe="depth-study-cpu")
    assert [box.value for box in app.selectbox if box.label == "Images"] == ["mine"]
    assert "This launches 5 trainings on mine: conv3, conv4, conv6, conv9." in said(app)


def test_published_stands_beside_measured(store: RunStore) -> None:
    (one,) = recipes.get("lenet5-mnist").runs
    tags = {schema.RECIPE: "lenet5-mnist", schema.RECIPE_RUN: one.title}
    run_id = store.create(one.config.with_values({"training.epochs": 2}), tags)
    store.log_metrics(run_id, {"test_accuracy": 0.98, "test_images": 1000, "test_loss": 0.06})
    store.set_status(run_id, schema.FINISHED)
    app = opened(PAGE, recipe="lenet5-mnist")
    assert not app.exception
    rows = app.dataframe[1].value
    assert rows.loc[0, ["published", "measured", "95% interval"]].tolist() == [
        "98.57%",
        "98.00%",
        "96.93% to 98.70%",
    ]
    assert rows.loc[0, "verdict"].startswith("✓ inside")
    assert rows.loc[1, "verdict"].startswith("no interval")
    assert "training.epochs was 2 in place of 20" in said(app)


def test_runs_are_kept_as_a_recipe(store: RunStore) -> None:
    run_id = store.create(SMALL)
    store.request_cancel(run_id)
    app = opened(PAGE)
    app.multiselect(key="own runs").set_value([run_id]).run()
    app.text_input(key="own title").set_value("My rates").run()
    next(one for one in app.button if one.label == "Save the recipe").click().run()
    assert not app.exception
    assert "The recipe 'my-rates' is saved." in said(app)
    assert recipes.get("my-rates").configs[0].with_values({"name": SMALL.name}) == SMALL
    assert "Delete it" in labels(app)
    next(one for one in app.button if one.label == "Delete it").click().run()
    assert saved.names() == []


def test_a_damaged_recipe_hides_no_other(store: RunStore) -> None:
    saved.save("mine", saved.written("Mine", "Mine.", [ExperimentConfig()]))
    (store.settings.home / "recipes" / "mine.yaml").write_text("title: x")
    app = opened(PAGE)
    assert "The recipe 'mine' must have 'description'" in said(app)
    assert len(app.dataframe[0].value) == len(recipes.shipped())


def test_one_click_launches_all_runs_of_a_recipe(store: RunStore) -> None:
    app = opened(PAGE)
    next(one for one in app.button if one.label == "Launch 3 runs").click().run()
    launched = runs_of(frames.runs(store))
    for run in launched:
        store.request_cancel(run.run_id)
    assert {run.tags[schema.RECIPE_RUN] for run in launched} == {"lenet5", "conv3", "resnet_cifar 8"}
    assert not app.exception


def test_a_sweep_says_its_size_before_it_is_launched(store: RunStore) -> None:
    rates = "optimizer.learning_rate=0.1,0.01\nmodel.name=lenet5,mnist_cnn"
    app = opened(PAGE, study="Sweep", sweep=rates, sweep_seeds="2")
    assert not app.exception
    assert "8 runs; how long they take is not known" in said(app)
    assert "Launch 8 runs" in labels(app)
    app.text_area(key="sweep").set_value("optimizer.learning_rate=0.1,-1").run()
    assert "optimizer.learning_rate must be greater than 0. Received: -1" in said(app)
    assert not any(label.startswith("Launch") for label in labels(app))


def test_a_search_shows_its_trials_and_the_best_so_far(store: RunStore) -> None:
    rates = {"optimizer.learning_rate": {"from": 0.001, "to": 0.1}}
    assert "There is no search yet." in said(opened(PAGE, study="Search"))
    plans.write(store.settings, "rates", plans.plan_of({"space": rates, "trials": 5, "macs": True}))
    keep(store.settings, "rates", begun=4)
    for number, accuracy in enumerate((0.5, 0.75, None)):
        run_id = store.create(SMALL, {schema.SEARCH: "rates", schema.TRIAL: str(number)})
        if accuracy is None:
            store.set_tags(run_id, {schema.PRUNED: "after epoch 2"})
            store.request_cancel(run_id)
            continue
        store.log_metrics(run_id, {"best_val_accuracy": accuracy})
        store.set_status(run_id, schema.FINISHED)
    app = opened(PAGE, study="Search")
    assert not app.exception
    assert "4 of 5 trials; 2 finished, 1 pruned, 1 without a run." in said(app)
    assert "Best so far: **trial 1** with a validation accuracy of 75.00%." in said(app)
    assert "about accuracy alone" in said(app)
    assert "when Go on is pressed" in said(app)
    assert "The best of 2 was also the luckiest" in said(app)
    assert app.dataframe[0].value["state"].tolist() == ["finished", "finished", "pruned after epoch 2"]


def test_a_search_by_hours_says_when_they_are_spent_and_gets_more(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"optimizer.learning_rate": {"from": 0.001, "to": 0.1}}
    plans.write(store.settings, "rates", plans.plan_of({"space": rates, "hours": 2}))
    keep(store.settings, "rates", seconds=7200.0)
    started = []
    monkeypatch.setattr(
        Daemon, "ensure", lambda daemon: started.append(daemon)
    )  # a search would go on beside the tests
    app = opened(PAGE, study="Search")
    assert "**Not searching now:** 0 of 20 trials" in said(app)
    assert "Its 2 hours are spent" in said(app)
    app.number_input(key="hours of rates").set_value(3.0)
    next(one for one in app.button if one.label == "Go on").click().run()
    assert not app.exception
    assert plans.read(store.settings, "rates").hours == 3
    assert "Its 2 hours" not in said(app)
    assert process.search_of(store.settings, "rates") in started
    # what a page that is drawn at once after a start sees
    (plans.folder(store.settings) / "rates.starting").write_text(process_name(os.getpid()))
    assert "**Starting:** 0 of 20 trials" in said(opened(PAGE, study="Search"))


def _ended_between() -> None:
    import streamlit as st

    from core import recipes
    from core.searching import plan as plans
    from core.tracking.store import get_store
    from core.ui.studies import results, search

    st.session_state["drawn"] = drawn = st.session_state.get("drawn", 0) + 1
    results._draw(recipes.get("quickstart"), drawn == 1)
    search._draw(get_store(), "rates", plans.read(get_store().settings, "rates"), drawn == 2)


def test_what_was_under_way_is_drawn_once_more_when_it_has_ended(store: RunStore) -> None:
    rates = {"optimizer.learning_rate": {"from": 0.001, "to": 0.1}}
    plans.write(store.settings, "rates", plans.plan_of({"space": rates}))
    app = AppTest.from_function(_ended_between, default_timeout=60).run()
    assert not app.exception
    assert app.session_state["drawn"] == 3
