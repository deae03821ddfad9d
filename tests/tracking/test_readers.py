"""One contract for both readers of a store: SQL and MLflow's client answer every question alike."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isfunction
from pathlib import Path

import pandas as pd
import pytest

from core.tracking import frames, schema
from core.tracking.client_reader import ClientReader
from core.tracking.readers import RunReader
from core.tracking.run_state import Child, UnknownRun
from core.tracking.sql_reader import SqlReader
from core.tracking.store import RunStore
from tests.support.homes import copy_store, using
from tests.support.readers import NOBODY, QUESTIONS, assert_alike, fill

pytestmark = pytest.mark.slow

# what a database knows better
DIFFER = {"next_moment", "local_artifacts", "runs_version", "expect_changes", "changed", "age", "keys"}


@dataclass(frozen=True)
class Filled:
    """One store with varied runs, and both ways of reading it. runs: ids by what a run is."""

    by_sql: RunStore
    by_client: RunStore
    runs: dict[str, str]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> Iterator[Filled]:
    with using(tmp_path_factory.mktemp("filled") / "home") as settings:
        copy_store(new_store, settings)
        by_sql, by_client = RunStore(settings), RunStore(settings)
        by_client.read = ClientReader(by_client)
        yield Filled(by_sql, by_client, fill(by_sql))


@pytest.mark.parametrize("method", QUESTIONS)
def test_sql_and_client_answer_alike(method: str, filled: Filled) -> None:
    assert_alike(method, filled.by_sql, filled.by_client, filled.runs)


def test_every_method_of_the_protocol_is_held_alike() -> None:
    methods = {
        name for name, member in vars(RunReader).items() if isfunction(member) and not name.startswith("_")
    }
    assert methods == {*QUESTIONS} | DIFFER


def test_a_database_names_what_a_server_names_and_what_deleted_runs_logged(filled: Filled) -> None:
    by_sql, by_client = filled.by_sql.read.keys(), filled.by_client.read.keys()
    assert by_sql.keys() == by_client.keys() == {"params", "metrics", "tags"}
    for kind, names in by_client.items():
        assert sorted(names) == names
        assert {*names} <= {*by_sql[kind]}
    assert "size.a_b" in by_client["metrics"]


def test_what_some_runs_logged_is_what_the_table_of_all_says(filled: Filled) -> None:
    everything = frames.runs(filled.by_sql)
    some = frames.of_runs(filled.by_sql, [filled.runs["finished"], filled.runs["foreign"]])
    wanted = everything[everything["run_id"].isin(some["run_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, wanted[some.columns], check_column_type=False)
    assert wanted.drop(columns=[*some.columns]).isna().all(axis=None)


@pytest.fixture(params=["by_sql", "by_client"])
def either(request: pytest.FixtureRequest, filled: Filled) -> RunStore:
    return getattr(filled, request.param)


def test_each_reader_answers_what_the_runs_are(either: RunStore, filled: Filled) -> None:
    name_of = {run_id: name for name, run_id in filled.runs.items()}
    ours = ["waiting", "running", "first child", "foreign in ours", "damaged", "very damaged"]
    assert sorted(name_of[run.run_id] for run in either.read.active()) == sorted(ours)
    assert [name_of[run.run_id] for run in either.read.open_groups()] == ["group"]
    assert {name_of[run.run_id] for run in either.read.live_elsewhere()} == {"foreign", "foreign in ours"}
    children = either.read.children(filled.runs["group"])[filled.runs["group"]]
    assert children[:2] == [
        Child(filled.runs["first child"], schema.SCHEDULED),
        Child(filled.runs["second child"], schema.KILLED),
    ]
    assert {name_of[child.run_id] for child in children[2:]} == {"damaged", "very damaged"}
    alive = {name for name in filled.runs if not name.startswith("deleted")}
    assert {name_of[run_id] for run_id in either.read.run_ids()} == alive
    assert [name_of[run_id] for run_id in either.read.run_ids()][:2] == ["waiting", "running"]

    runs = frames.runs(either).set_index("run_id")
    assert {name_of[run_id] for run_id in runs.index} == alive - {"group", "ended group"}
    finished, failed = filled.runs["finished"], filled.runs["failed"]
    assert runs.loc[[finished, failed], "last_epoch"].tolist() == [4, 7]
    fingerprints = runs[f"params.{schema.FINGERPRINT}"].dropna().to_dict()
    assert fingerprints == {finished: "of an older version", failed: "logged"}
    assert math.isnan(runs.loc[finished, "metrics.test_loss"])
    assert runs.loc[finished, "metrics.test_accuracy"] == math.inf

    history = frames.histories(either, [finished])
    losses = history[history["metric"] == "loss"]
    assert losses["step"].tolist() == [0, 1, 2, 2, 3, 4]
    assert repr(losses["value"].tolist()) == "[1.0, nan, 0.5, inf, -inf, 0.25]"
    assert either.read.last_metrics([finished, NOBODY], ["test_accuracy", "no"]) == [
        {"test_accuracy": math.inf},
        {},
    ]
    assert either.read.last_step(finished) == 4
    assert either.read.last_number() == int(either.state(filled.runs["deleted"]).tags[schema.NUMBER])
    for run_id in (NOBODY, "../../etc/passwd", "a 'quoted' id"):
        with pytest.raises(UnknownRun, match="No run has the id"):
            either.read.state(run_id)


def test_only_a_database_says_where_artifacts_are_and_what_was_submitted_last(filled: Filled) -> None:
    sql, client = SqlReader(filled.by_sql.uri), ClientReader(filled.by_client)
    finished = filled.runs["finished"]
    assert sql.local_artifacts(finished) == filled.by_sql.settings.artifacts / finished / "artifacts"
    assert sql.local_artifacts(NOBODY) is None
    assert client.local_artifacts(finished) is None
    before = int(time.time() * 1000)
    assert before <= client.next_moment() <= int(time.time() * 1000)
    ahead = before + 3_600_000  # the clock was set back since
    late = filled.by_sql.client.create_run(filled.by_sql.experiment_id, start_time=ahead).info.run_id
    assert sql.next_moment() < ahead  # it does not wait
    filled.by_sql.set_status(late, schema.SCHEDULED)
    assert sql.next_moment() == ahead + 1
    filled.by_sql.client.delete_run(late)
    assert sql.next_moment() < ahead


def test_the_version_of_the_runs_changes_with_them(either: RunStore, filled: Filled) -> None:
    before = either.read.runs_version()
    either.set_tags(filled.runs["failed"], {"note": f"by a {type(either.read).__name__}"})
    either.read.expect_changes()
    assert either.read.runs_version() != before
