"""Which run was launched last here, and over what its experiment is repeated."""

from __future__ import annotations

import pandas as pd

from core.tracking import schema
from core.ui.train.last_launched import Repeats, last_launched

HOME = "this installation"


def launched(*rows: dict[str, str]) -> tuple[str, Repeats] | None:
    """Rows: tags by their names in `schema`, the newest run first."""
    runs = [
        {"run_id": str(place), f"tags.{schema.HOME}": HOME}
        | {f"tags.{getattr(schema, name)}": value for name, value in row.items()}
        for place, row in enumerate(rows)
    ]
    return last_launched(pd.DataFrame(runs), HOME)


def test_a_group_comes_back_with_its_seeds_and_folds() -> None:
    group = [{"PARENT": "p", "SEED": seed, "FOLD": fold} for fold in ("1", "0") for seed in ("4", "3", "2")]
    assert launched(*group, {"PARENT": "q", "SEED": "9"}) == ("0", Repeats(3, 2, 2))


def test_a_single_run_and_a_run_of_a_sweep_have_no_repeats() -> None:
    assert launched({}, {"PARENT": "p", "SEED": "0"}) == ("0", Repeats())
    sweep = {"PARENT": "p", "SWEEP": "optimizer.name"}
    assert launched(sweep | {"SEED": "0"}, sweep | {"SEED": "1"}) == ("0", Repeats())


def test_trials_and_runs_of_another_installation_were_launched_by_nobody_here() -> None:
    others = [{"SEARCH": "rates", "PARENT": "p", "SEED": "0"}, {"HOME": "another installation"}]
    assert launched(*others) is None
    assert launched(*others, {}) == ("2", Repeats())
