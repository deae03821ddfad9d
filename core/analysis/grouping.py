"""Groups of runs that share settings: who belongs to which, and the mean of each with its spread.

A group has all runs of the store with its settings, whether a filter hides some of them or not, so that a
mean does not change with what is shown. Means count the runs that finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.curves import Band, half_width
from core.analysis.entries import Entry, does_count
from core.analysis.experiments import experiment_keys, experiment_name, normal
from core.analysis.table_columns import TableColumn, values
from core.tracking import schema
from core.tracking.tables import column

REPEATS = "seeds and folds"  # grouped by all settings but the seed, the fold and the device


def codes_of(runs: pd.DataFrame, by: Sequence[str], columns: Mapping[str, TableColumn]) -> np.ndarray:
    """Return the number of each run's group, counted from 0 in the order of the rows.

    Args:
        runs: All runs, newest first, with the settings in question; for `REPEATS` with all settings.
        by: Names of columns, or `REPEATS`. Without any, every run is alone.
    """
    if not by:
        return np.arange(len(runs))
    parts = [_of_repeats(runs) if one == REPEATS else _of_values(values(runs, columns[one])) for one in by]
    codes = parts[0]
    for part in parts[1:]:
        codes, _ = pd.factorize(codes * (int(part.max(initial=0)) + 1) + part)
    return np.asarray(codes)


def _of_repeats(runs: pd.DataFrame) -> np.ndarray:
    keys = np.empty(len(runs), dtype=object)
    keys[:] = [same for same, _ in experiment_keys(runs)]
    return pd.factorize(keys)[0]


def _of_values(found: pd.Series) -> np.ndarray:
    """Absent ones are alike, and so are spellings of one number."""
    first, distinct = pd.factorize(found.astype("str").fillna("").to_numpy(dtype=object))
    spelled, _ = pd.factorize(np.array([normal(one) for one in distinct], dtype=object))
    return spelled[first] if len(spelled) else first


def entry_at(
    run_ids: np.ndarray, names: pd.Series, places: np.ndarray, by: Sequence[str], said: Sequence[str] = ()
) -> Entry:
    """Return the run or the group that stands at some rows of a frame.

    Args:
        run_ids, names: Of all runs, newest first.
        places: The rows of one group; a single one is a run.
        by: What it was grouped by.
        said: What its runs have in common, for the name of a group of settings.
    """
    ids = tuple(run_ids[places].tolist())
    name = names.iloc[places[0]]
    name = name if isinstance(name, str) and name else "unnamed"
    if len(ids) == 1:
        return Entry(ids[0], name, ids)
    title = experiment_name(name) if REPEATS in by else ", ".join(one for one in said if one) or "without"
    return Entry(f"group-{ids[-1]}", f"{title} · {len(ids)} runs", ids)  # the oldest stays when others come


@dataclass(frozen=True)
class Summary:
    """The columns of a table of runs and groups, a row for each.

    Attributes:
        means: Of numbers the mean over the finished runs of a group, of times the newest, of texts the common
            one, or how many there are; of a single run its own.
        halves: Of numbers half the width of the 95 % interval of the mean, or the standard deviation; NaN
            where fewer than two runs have one.
        counts: How many runs finished.
    """

    means: pd.DataFrame
    halves: pd.DataFrame
    counts: pd.Series


def summarize(
    entries: Sequence[Entry], runs: pd.DataFrame, columns: Mapping[str, pd.Series], band: Band = "interval"
) -> Summary:
    """Summarize columns over the runs of each entry.

    Args:
        runs: At least the runs of the entries.
        columns: Of these runs, by name, in the order of the rows.
        band: What `halves` is.
    """
    place = {run_id: number for number, run_id in enumerate(runs["run_id"].to_numpy(dtype=object))}
    pairs = [
        (number, place[run_id])
        for number, entry in enumerate(entries)
        for run_id in entry.run_ids
        if run_id in place
    ]
    code, inside = np.array(pairs, dtype=int).reshape(-1, 2).T
    finished = (runs["status"] == schema.FINISHED).to_numpy()[inside]
    sizes = np.array([len(entry.run_ids) for entry in entries])
    counted = does_count(runs["status"].to_numpy()[inside], sizes[code] == 1)
    every = range(len(entries))
    inside_of = {name: of_all.iloc[inside].reset_index(drop=True) for name, of_all in columns.items()}
    numbers = {name: found for name, found in inside_of.items() if pd.api.types.is_numeric_dtype(found)}
    means_of_numbers, halves = _of_numbers(numbers, code, counted, band)
    means = {}
    for name, found in inside_of.items():
        if name in numbers:
            means[name] = means_of_numbers[name].reindex(every)
        elif pd.api.types.is_datetime64_any_dtype(found):
            means[name] = found.groupby(code).max().reindex(every)
        else:
            means[name] = _common_texts(found, code, len(entries))
    counts = pd.Series(finished.astype(int)).groupby(code).sum().reindex(every, fill_value=0)
    return Summary(pd.DataFrame(means, index=every), halves.reindex(every), counts)


def _of_numbers(
    columns: Mapping[str, pd.Series], code: np.ndarray, counted: np.ndarray, band: Band
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means and `Summary.halves` by entry, of all columns at once: one by one takes ten times as long.

    Args:
        code: The number of each row's entry.
        counted: Which rows count.
    """
    values = [found.to_numpy(dtype=float, na_value=np.nan) for found in columns.values()]
    of_counted = np.where(counted, np.array(values).reshape(len(values), len(code)), np.nan).T
    groups = pd.DataFrame(of_counted, columns=list(columns)).groupby(code)
    return groups.mean(), _half(groups.std(), groups.count(), band)


def _common_texts(found: pd.Series, code: np.ndarray, entries: int) -> pd.Series:
    """Return what the rows of each entry have in common, or how many texts they have."""
    distinct: list[dict[str, None]] = [{} for _ in range(entries)]
    for number, text, present in zip(code.tolist(), found.tolist(), found.notna().tolist(), strict=True):
        if present:
            distinct[number][text] = None
    common = [next(iter(one), None) if len(one) < 2 else f"{len(one)} values" for one in distinct]
    return pd.Series(common, dtype="str")


def _half(deviation: pd.DataFrame, count: pd.DataFrame, band: Band) -> pd.DataFrame:
    if band == "deviation":
        return deviation
    widths = {one: half_width(int(one)) for one in np.unique(count.to_numpy())}
    return deviation * count.map(widths.__getitem__)


def finished_means(found: pd.Series, runs: pd.DataFrame, codes: np.ndarray) -> pd.Series:
    """Return what each group is sorted by: the mean of its finished runs, the newest time, the first text.

    Args:
        found: A column of all runs.
        codes: As `codes_of` returns them.

    Returns:
        By the number of the group.
    """
    if pd.api.types.is_numeric_dtype(found):
        alone = np.bincount(codes)[codes] == 1
        counted = does_count(runs["status"].to_numpy(), alone)
        return found.reset_index(drop=True).astype(float).where(counted).groupby(codes).mean()
    groups = found.reset_index(drop=True).groupby(codes)
    return groups.max() if pd.api.types.is_datetime64_any_dtype(found) else groups.first()


def has_repeats(runs: pd.DataFrame) -> bool:
    """Return whether some runs were launched as repeats over seeds or folds.

    Runs of a sweep share a parent; repeats among them share a name without its seed and fold too.
    """
    parents = column(runs, f"tags.{schema.PARENT}", object)
    ours = runs[parents.notna() & column(runs, f"tags.{schema.NUMBER}", object).notna()]
    swept = column(ours, f"tags.{schema.SWEEP}", object).notna()
    names = [
        experiment_name(name) if is_swept else "" for name, is_swept in zip(ours["name"], swept, strict=True)
    ]
    return bool(pd.DataFrame({"parent": parents[ours.index], "name": names}).duplicated().any())
