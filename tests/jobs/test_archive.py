"""Archived runs keep all that they have, and no list or comparison has them until they are restored."""

from __future__ import annotations

import pandas as pd
import pytest

from core.analysis.entries import Entry
from core.analysis.evaluated_images import Answers
from core.analysis.evidence import gather
from core.config import ConfigError, ExperimentConfig
from core.datasets.store import import_of
from core.jobs.archive import archive, restore
from core.launching.continuing import resume
from core.system import settings as settings_module
from core.system.settings import NotAllowed
from core.tracking import frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from tests.support.commands import run
from tests.support.pages import in_address, opened

pytestmark = pytest.mark.engine


def ended(store: RunStore, name: str, status: str = schema.FINISHED, parent: str | None = None) -> str:
    run_id = store.create(ExperimentConfig(name=name), {} if parent is None else {schema.PARENT: parent})
    store.log_metrics(run_id, {"val_accuracy": 0.5}, 1)
    store.set_status(run_id, status)
    return run_id


def test_an_archived_run_is_in_no_list_and_comes_back_as_it_was(store: RunStore) -> None:
    parent = store.create_group("several", 2)
    group = [ended(store, f"several · seed {seed}", parent=parent) for seed in (1, 2)]
    store.set_status(parent, schema.FINISHED)
    alone = ended(store, "alone")
    before = frames.runs(store)
    assert archive(store, [parent]) == group
    assert frames.runs(store)["run_id"].tolist() == [alone]
    assert frames.runs(store, ["val_accuracy"])["run_id"].tolist() == [alone]
    assert f"tags.{schema.ARCHIVED}" not in frames.runs(store, ["val_accuracy"])
    everything = frames.runs(store, archived=True)
    assert everything.drop(columns=f"tags.{schema.ARCHIVED}").equals(before)
    restore(store, group)
    pd.testing.assert_frame_equal(frames.runs(store), before)


def test_what_may_not_be_archived_is_named_and_nothing_is(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, waiting = ended(store, "done"), store.create(ExperimentConfig(name="waiting"))
    with pytest.raises(ConfigError, match="'waiting' is SCHEDULED: cancel it"):
        archive(store, [done, waiting])
    assert len(frames.runs(store)) == 2
    failed = ended(store, "failed", schema.FAILED)
    archive(store, [failed])
    with pytest.raises(ConfigError, match="'failed' is archived: restore it"):
        resume(store, failed)  # it would train where nobody sees it
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    store.settings = settings_module.get_settings()
    for change in (archive, restore):
        with pytest.raises(NotAllowed):
            change(store, [done])


def test_an_archived_run_is_in_no_verdict(store: RunStore) -> None:
    archived, other = ended(store, "archived"), ended(store, "other")
    archive(store, [archived])
    runs = {one.run_id: one for one in runs_of(frames.runs(store, archived=True))}

    def none(run_id: str) -> Answers:
        raise FileNotFoundError

    entries = [Entry(archived, "archived", (archived,)), Entry("both", "both", (archived, other))]
    assert gather(entries, runs, none, import_of).left_out == (
        "archived is left out: it is archived.",
        "both is left out: it does not say which images it was tested on.",
    )


def test_the_commands_archive_list_and_restore(store: RunStore) -> None:
    away, here = ended(store, "away"), ended(store, "here")
    assert run("archive", away[:8]).stdout == "1 run is archived.\n"
    assert away not in run("list", "runs").stdout
    assert away in run("list", "runs", "--archived", "--filter", "state = archived").stdout
    assert here not in run("list", "runs", "--archived", "--filter", "state = archived").stdout
    refused = run("compare", away, here)
    assert refused.returncode == 2
    assert "'away' is archived: restore it before comparing it." in refused.stderr
    assert run("restore", away).stdout == "1 run is restored.\n"
    assert away in run("list", "runs").stdout


def test_ticked_runs_are_archived_on_compare_and_restored_from_there(store: RunStore) -> None:
    ids = {name: ended(store, name) for name in "abc"}
    app = opened("pages/3_Compare.py", runs=[ids["a"], ids["c"]])
    next(one for one in app.button if one.label == "Archive 2 runs").click().run()
    assert not app.exception
    assert app.dataframe[0].value["run"].str[0].tolist() == ["b"]
    assert "runs" not in app.query_params
    app = opened("pages/3_Compare.py", archived="true", runs=ids["a"])
    table = app.dataframe[0].value
    assert dict(zip(table["run"].str[0], table["state"], strict=True)) == {
        "a": "archived",
        "b": "finished",
        "c": "archived",
    }
    next(one for one in app.button if one.label == "Restore 1 run").click().run()
    assert in_address(app, "runs") == [ids["a"]]
    assert sorted(frames.runs(store)["name"]) == ["a", "b"]


def test_a_run_is_renamed_archived_and_restored_on_its_page(store: RunStore) -> None:
    run_id, _ = ended(store, "first"), ended(store, "newest")
    app = opened("pages/4_Run.py", run=run_id)
    next(one for one in app.text_input if one.label == "Name").set_value("better *name*")
    next(one for one in app.text_input if one.label == "Tags").set_value("baseline")
    next(one for one in app.button if one.label == "Save").click().run()
    assert app.title[0].value == r"better \*name\*"
    assert in_address(app, "run") == [run_id]
    assert store.state(run_id).tags["baseline"] == ""
    next(one for one in app.button if one.label == "Archive").click().run()
    assert not app.exception
    assert in_address(app, "run") == [run_id]  # it stays where it can be restored
    assert store.state(run_id).archived
    offered = opened("pages/4_Run.py").selectbox[0].options
    assert [name.partition(" · ")[0] for name in offered] == ["newest"]
    next(one for one in app.button if one.label == "Restore").click().run()
    assert not store.state(run_id).archived
