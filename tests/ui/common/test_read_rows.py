"""What is kept of single runs: read once, given in the order that is asked for, and bounded."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from core.config import ExperimentConfig
from core.tracking import frames
from core.tracking.store import RunStore
from core.ui.common import read_rows
from core.ui.common.read_rows import ReadRows


class _Counted:
    """Reads runs of a store and notes which."""

    def __init__(self, store: RunStore):
        self.store, self.asked = store, list[str]()

    def __call__(self, run_ids: Sequence[str]) -> pd.DataFrame:
        self.asked += run_ids
        return frames.of_runs(self.store, run_ids)


@pytest.fixture
def counted(store: RunStore) -> _Counted:
    return _Counted(store)


def _runs(store: RunStore, count: int) -> list[str]:
    return [store.create(ExperimentConfig(name=f"run {number}", seed=number)) for number in range(count)]


def test_a_run_is_read_once_however_it_is_asked_for(store: RunStore, counted: _Counted) -> None:
    ids, rows = _runs(store, 3), ReadRows(counted)
    assert rows.of(ids)["run_id"].tolist() == ids
    assert rows.of(ids[::-1])["run_id"].tolist() == ids[::-1]
    assert [run.run_id for run in rows.runs([ids[1], "nobody", ids[0]])] == [ids[1], ids[0]]
    assert rows.of([ids[2], "nobody", ids[2]])["name"].tolist() == ["run 2"]
    assert [run.name for run in rows.runs(ids)] == ["run 0", "run 1", "run 2"]
    assert sorted(counted.asked) == sorted([*ids, "nobody"])


def test_a_table_has_only_the_columns_of_its_own_runs(store: RunStore, counted: _Counted) -> None:
    (first, second), rows = _runs(store, 2), ReadRows(counted)
    store.log_metrics(second, {"loss": 1.0}, 1)
    assert "metrics.loss" in rows.of([first, second])
    assert "metrics.loss" not in rows.of([first])


def test_what_a_page_changes_stays_its_own(store: RunStore, counted: _Counted) -> None:
    ids, rows = _runs(store, 2), ReadRows(counted)
    shown = rows.of(ids)
    shown["name"] = "changed"
    shown.loc[0, "run_id"] = "other"
    assert rows.of(ids)["name"].tolist() == ["run 0", "run 1"]
    assert rows.of(ids)["run_id"].tolist() == ids


def test_many_runs_are_forgotten_and_read_again(
    store: RunStore, counted: _Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_rows, "ROWS_KEPT", 4)
    ids, rows = _runs(store, 6), ReadRows(counted)
    assert [run.run_id for run in rows.runs(ids[:3])] == ids[:3]
    assert [run.run_id for run in rows.runs(ids[2:])] == ids[2:]
    assert [run.run_id for run in rows.runs(ids)] == ids
    assert rows.of([])["run_id"].tolist() == []
