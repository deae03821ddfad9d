"""Names, tags, notes and pins that are typed into the table of Compare."""

from __future__ import annotations

from core.config import ExperimentConfig
from core.tracking import annotation, frames, schema
from core.tracking.run import runs_of
from core.tracking.store import RunStore
from core.ui.compare import cells
from tests.support.pages import in_address, opened

PAGE = "pages/3_Compare.py"


def test_each_typed_cell_is_saved_alone_and_a_refused_one_does_not_keep_others_back(store: RunStore) -> None:
    first, second = (store.create(ExperimentConfig(name=name)) for name in ("first", "second"))
    annotation.annotate(store, first, annotation.Annotation("first", {"baseline": ""}, "a note"))
    runs = {run.run_id: run for run in runs_of(frames.of_runs(store, [first, second]))}
    before = {run_id: annotation.annotation_of(run) for run_id, run in runs.items()}
    saved = dict(before)
    store.set_tags(first, {"team": "vision"})  # by somebody else, meanwhile
    edits = {
        0: {"run": "renamed", cells.TAGS: "baseline, site: Bonn", cells.PINNED: True},
        1: {cells.TAGS: ": no name"},
    }
    assert cells.save(store, [first, second], before, saved, edits)
    now = store.state(first)
    assert now.name == "renamed"
    assert {name: now.tags.get(name) for name in ("baseline", "site", "team", schema.NOTE)} == {
        "baseline": "",
        "site": "Bonn",
        "team": "vision",
        schema.NOTE: "a note",
    }
    assert schema.PINNED in now.tags
    assert annotation.annotation_of(store.state(second)) == before[second]
    assert not cells.save(store, [first, second], before, saved, edits)  # it is asked again at every rerun
    edits[1] = {cells.TAGS: None, cells.NOTE: "good"}
    assert cells.save(store, [first, second], before, saved, edits)
    assert annotation.annotation_of(store.state(second)).note == "good"


def test_the_switch_shows_cells_keeps_ticks_and_says_which_rows_have_none(store: RunStore) -> None:
    first, second = (store.create(ExperimentConfig(name=name)) for name in ("first", "second"))
    for run_id in (first, second):
        store.set_status(run_id, schema.FINISHED)
    foreign = store.client.create_run("0", run_name="logged elsewhere").info.run_id
    store.client.set_terminated(foreign)
    app = opened(PAGE, runs=[first, foreign])
    assert app.dataframe[0].value["run"].tolist()[0].startswith("logged elsewhere")
    app.toggle(key=cells.TOGGLE).set_value(True).run()
    assert not app.exception
    table = app.dataframe[0].value
    assert table["run"].tolist() == ["second", "first"]
    assert {cells.TAGS, cells.NOTE, cells.PINNED} <= {*table}
    assert any("Logged by other programs" in one.value for one in app.caption)
    assert set(in_address(app, "runs")) == {first, foreign}
    app.toggle(key=cells.TOGGLE).set_value(False).run()
    assert set(in_address(app, "runs")) == {first, foreign}
    assert len(app.dataframe[0].value) == 3
