"""The table of Compare: what an address says is shown, and what is chosen stands in the address."""

from __future__ import annotations

from threading import Event

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.shown_table import MARK
from core.config import ExperimentConfig
from core.jobs import deletion
from core.jobs.archive import archive
from core.system import settings as settings_module
from core.system.settings import NotAllowed
from core.tracking import schema
from core.tracking.store import RunStore
from core.ui.compare import runs_table, stars, views
from tests.support.pages import in_address, opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow
PAGE = "pages/3_Compare.py"
FOLLOWS = f":material/hourglass: {stars.FOLLOWS}"


def made(store: RunStore, name: str, test: float, **settings: object) -> str:
    run_id = store.create(ExperimentConfig().with_values({"name": name, **settings}))
    store.log_metrics(run_id, {"best_val_accuracy": test, "test_accuracy": test, "val_accuracy": test}, 1)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def names(app: AppTest) -> list[str]:
    """The beginnings of the names in the table."""
    assert not app.exception
    return [name.partition(" · ")[0] for name in app.dataframe[0].value["run"]]


def test_an_address_brings_back_filter_order_groups_ticks_and_baseline(store: RunStore) -> None:
    seeds = [made(store, f"lenet · seed {seed}", 0.5 + 0.1 * seed, seed=seed) for seed in range(3)]
    other = made(store, "other", 0.7, **{"model.name": "conv3"})
    made(store, "hidden", 0.1, **{"model.name": "alexnet"})
    group = f"group-{seeds[0]}"
    app = opened(
        PAGE,
        filter="model = lenet5 or model = conv3",
        sort="test accuracy",
        reverse="true",
        group=["seeds and folds"],
        runs=[seeds[2], other],  # the run of a group stands for the group
        baseline=other,
    )
    assert names(app) == ["lenet", "other"]
    assert in_address(app, "runs") == [group, other]
    assert in_address(app, "baseline") == [other]
    table = app.dataframe[0].value
    assert table["n"].tolist() == [3, 1]
    assert table["test_accuracy"].tolist() == pytest.approx([0.6, 0.7])
    assert table["Δ test_accuracy"].tolist() == pytest.approx([-0.1, 0.0])
    again = opened(PAGE, **{key: app.query_params[key] for key in app.query_params})
    assert again.dataframe[0].value.equals(table)
    for key in ("filter", "sort", "group", "runs", "baseline"):
        assert in_address(again, key) == in_address(app, key)


def said(app: AppTest) -> list[str]:
    """What boxes and captions say, without the marks that keep names from being Markdown."""
    assert not app.exception
    return [one.value.replace("\\", "") for one in (*app.info, *app.warning, *app.caption)]


def test_a_baseline_becomes_its_group_and_one_that_is_not_among_the_ticks_is_said(store: RunStore) -> None:
    seeds = [made(store, f"lenet · seed {seed}", 0.5 + 0.1 * seed, seed=seed) for seed in range(2)]
    other = made(store, "other", 0.7, **{"model.name": "conv3"})
    ticked = [*seeds, other]
    app = opened(PAGE, group=["seeds and folds"], runs=ticked, baseline=seeds[1])
    assert in_address(app, "baseline") == [f"group-{seeds[0]}"]
    assert "Δ test_accuracy" in app.dataframe[0].value
    app = opened(PAGE, runs=ticked, baseline=f"group-{seeds[0]}")
    assert in_address(app, "baseline") == [seeds[0]]
    app = opened(PAGE, runs=seeds, baseline=other)
    assert any(one.startswith("other") and "is not ticked" in one for one in said(app))
    assert "baseline" not in app.query_params
    app = opened(PAGE, runs=seeds, baseline="nonsense")
    assert any(one.startswith("Baseline: this address names 'nonsense'") for one in said(app))


def test_archived_runs_are_said_to_be_archived(store: RunStore) -> None:
    first, second = made(store, "first", 0.5), made(store, "second", 0.6)
    archive(store, [first])
    app = opened(PAGE, runs=[first, second])
    assert "first is archived: no comparison counts it." in said(app)
    assert not [one for one in said(app) if "not among the choices" in one]
    archive(store, [second])
    told = "All 2 runs are archived. Archived runs keep all their files and can be restored."
    for page in ("streamlit_app.py", "pages/4_Run.py", "pages/5_Predict.py", PAGE):
        app = opened(page)
        assert told in said(app), page
        assert not [one for one in said(app) if "yet" in one or "No run" in one], page
    app.button(key="show archived").click().run()
    assert names(app) == ["second", "first"]


def test_ticked_runs_are_locked_together(store: RunStore) -> None:
    seeds = [made(store, f"lenet · seed {seed}", 0.5, seed=seed) for seed in range(2)]
    other = made(store, "other", 0.7, **{"model.name": "conv3"})
    app = opened(PAGE, group=["seeds and folds"], runs=[seeds[0], other])
    (lock,) = [one for one in app.button if one.label == "Lock 3 runs"]
    lock.click().run()
    assert all(schema.LOCKED in store.state(run_id).tags for run_id in (*seeds, other))
    app = opened(PAGE, runs=seeds)
    (unlock,) = [one for one in app.button if one.label == "Unlock 2 runs"]
    unlock.click().run()
    assert [schema.LOCKED in store.state(run_id).tags for run_id in (*seeds, other)] == [False, False, True]


def test_a_ticked_group_is_deleted_with_all_its_runs_after_a_question_that_names_it(store: RunStore) -> None:
    seeds = [made(store, f"lenet · seed {seed}", 0.5, seed=seed) for seed in range(3)]
    other, stays = (made(store, name, 0.7, **{"model.name": name}) for name in ("conv3", "alexnet"))
    query = {"group": ["seeds and folds"], "filter": "seed = 0", "runs": [seeds[0], other]}
    app = opened(PAGE, **query)
    (question,) = [one.value for one in app.markdown if one.value.startswith("Delete for good")]
    assert "**conv3, lenet" in question
    assert "(3 runs)**? All runs of a group go, also those" in question
    assert len(store.read.run_ids()) == 5  # the question alone deletes nothing
    deletion.lock(store, [seeds[2]])
    app.button(key="delete-many").click().run()
    assert any("is locked" in one.value for one in app.error)
    assert len(store.read.run_ids()) == 5
    deletion.unlock(store, [seeds[2]])
    app = opened(PAGE, **query)
    app.button(key="delete-many").click().run()
    assert not app.exception
    assert not app.error
    assert store.read.run_ids() == [stays]
    assert "runs" not in app.query_params


def test_the_table_of_a_large_store_is_shown_before_its_marks(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, accuracy in (("best", 0.9), ("equal", 0.89), ("worse", 0.1)):
        run_id = made(store, name, accuracy)
        store.log_metrics(run_id, {"validation_images": 100.0}, 1)
    at_once = opened(PAGE).dataframe[0].value
    assert at_once[MARK].tolist() == ["★", "★", ""]
    monkeypatch.setattr(stars, "AT_ONCE", 2)
    compute, drawn = stars._read_and_mark, Event()
    monkeypatch.setattr(stars, "_read_and_mark", lambda *rows: drawn.wait(60) and compute(*rows))
    app = opened(PAGE)
    assert app.dataframe[0].value[MARK].tolist() == ["", "", ""]
    assert FOLLOWS in said(app)
    drawn.set()
    wait_for(lambda: app.run().dataframe[0].value.equals(at_once))
    assert FOLLOWS not in said(app)
    for_the_next = opened(PAGE)  # they are known
    assert for_the_next.dataframe[0].value.equals(at_once)
    assert FOLLOWS not in said(for_the_next)


def test_the_marks_of_a_large_store_are_computed_while_the_overview_is_looked_at(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stars, "AT_ONCE", 1)
    for name, accuracy in (("best", 0.9), ("worse", 0.1)):
        run_id = made(store, name, accuracy)
        store.log_metrics(run_id, {"validation_images": 100.0}, 1)
    assert not opened("streamlit_app.py").exception
    wait_for(lambda: stars.are_computed(()))
    app = opened(PAGE)
    assert app.dataframe[0].value[MARK].tolist() == ["★", ""]
    assert FOLLOWS not in said(app)


def test_a_star_below_a_row_without_one_is_explained(store: RunStore) -> None:
    for name, accuracy in (("best", 0.9), ("equal", 0.89), ("worse", 0.1)):
        run_id = made(store, name, accuracy)
        store.log_metrics(run_id, {"validation_images": 100.0}, 1)
    told = f":material/info: {stars.ORDER}"
    app = opened(PAGE)
    assert app.dataframe[0].value[MARK].tolist() == ["★", "★", ""]
    assert told not in said(app)
    app = opened(PAGE, reverse="true")
    assert app.dataframe[0].value[MARK].tolist() == ["", "★", "★"]
    assert told in said(app)


def test_a_file_is_handed_on_of_ticked_runs_alone(store: RunStore) -> None:
    first = made(store, "first", 0.5)
    told = "Tick runs to hand on their comparison as one file."
    app = opened(PAGE)
    assert (told in said(app), "Hand on" in [one.label for one in app.get("download_button")]) == (
        True,
        False,
    )
    app = opened(PAGE, runs=first)
    assert (told in said(app), "Hand on" in [one.label for one in app.get("download_button")]) == (
        False,
        True,
    )


def test_the_order_is_over_all_pages_and_ticks_stay_on_theirs(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_table, "PAGE", 2)
    ids = {
        name: made(store, name, score) for name, score in zip("abcde", (0.3, 0.9, 0.5, 0.1, 0.7), strict=True)
    }
    app = opened(PAGE, runs=ids["d"])
    assert names(app) == ["b", "e"]
    app = opened(PAGE, runs=ids["d"], table_page="3")
    assert names(app) == ["d"]
    assert in_address(app, "runs") == [ids["d"]]
    app = opened(PAGE, runs=ids["d"], table_page="3", filter="name = a or name = d")  # there is one page now
    assert names(app) == ["a", "d"]
    store.set_tags(ids["d"], {schema.PINNED: "yes"})
    assert names(opened(PAGE)) == ["d", "b"]


def test_views_are_kept_by_name_and_a_viewer_keeps_none(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    views.keep("  all   ResNets ", "filter=resnet&runs=1&runs=2")
    assert views.read() == {"all ResNets": "filter=resnet&runs=1&runs=2"}
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    with pytest.raises(NotAllowed, match="keep a view"):
        views.keep("mine", "filter=x")
    assert list(views.read()) == ["all ResNets"]
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()
    (store.settings.home / views.FILE).write_text("[1, 2", encoding="utf-8")
    assert views.read() == {}
