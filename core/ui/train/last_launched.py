"""The experiment that was launched last in this installation, and over what it is repeated."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from core.tracking import schema
from core.tracking.tables import column

LAUNCHED = (schema.NUMBER, schema.HOME, schema.SEARCH, schema.SWEEP, schema.PARENT, schema.SEED, schema.FOLD)


class Repeats(NamedTuple):
    """Over how many seeds and folds an experiment is trained; no folds: 0."""

    seeds: int = 1
    folds: int = 0
    first_seed: int = 0


def last_launched(runs: pd.DataFrame, home: str) -> tuple[str, Repeats] | None:
    """Return the newest run that a person launched here, with the repeats of its group; None where none is.

    Trials of a search are left out, and a sweep has no repeats: its runs differ in more.

    Args:
        runs: Of this program, the newest first, with the tags `LAUNCHED`.
        home: Id of this installation.
    """
    tags = {name: column(runs, f"tags.{name}", object).fillna("") for name in LAUNCHED}
    launched = runs[(tags[schema.HOME] == home) & (tags[schema.SEARCH] == "")]
    if launched.empty:
        return None
    newest = launched.index[0]
    parent = tags[schema.PARENT][newest]
    if not parent or tags[schema.SWEEP][newest]:
        return str(runs.loc[newest, "run_id"]), Repeats()
    group = tags[schema.PARENT] == parent
    seeds = [int(seed) for seed in tags[schema.SEED][group].unique() if seed.isdecimal()]
    folds = [fold for fold in tags[schema.FOLD][group].unique() if fold]
    return str(runs.loc[newest, "run_id"]), Repeats(max(1, len(seeds)), len(folds), min(seeds, default=0))
