"""In which settings do runs differ? A setting that a run of ours did not log has its default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from core.analysis import table_columns
from core.analysis.basis import fingerprint_of
from core.analysis.entries import Entry
from core.analysis.experiments import DEFAULTS, default_of, default_options, normal
from core.tracking import schema
from core.tracking.run import Run
from core.tracking.tables import column

# Logged among the settings: the name, and which images the run had. The version of the dataset is told by
# `versions`: a setting cannot choose it.
NO_SETTINGS = ("name", schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)


def differing(entries: Sequence[Entry], runs: Mapping[str, Run]) -> dict[str, tuple[frozenset[str], ...]]:
    """Return the settings in which entries differ, sorted, each with the values of every entry in order.

    A group has all values of its runs. An entry has none where another program trained it and logged no such
    setting, where its model has no such option, or where none of its runs is known.

    Args:
        runs: By id, with all their settings.
    """
    of_entries = [_settings([runs[one] for one in entry.run_ids if one in runs]) for entry in entries]
    names = sorted({name for those in of_entries for name in those} - {*NO_SETTINGS})
    found = {name: tuple(frozenset(those.get(name, ())) for those in of_entries) for name in names}
    return {name: values for name, values in found.items() if len({*values}) > 1}


def versions(runs: Iterable[Run]) -> tuple[str, ...]:
    """Return the beginnings of the fingerprints of the versions of datasets that runs had, sorted.

    Labels or images of a dataset were edited between two versions of it, or it was imported anew.
    """
    known = {fingerprint_of(run) for run in runs} - {""}
    return tuple(sorted(one[:8] for one in known))


def differing_columns(runs: pd.DataFrame) -> list[str]:
    """Return the settings in which any two of some runs differ, by the names of their columns.

    Args:
        runs: Rows of `frames.runs` with at least their numbers and the settings that are asked about.
    """
    ours = column(runs, f"tags.{schema.NUMBER}", object).notna()
    found = []
    for one in table_columns.catalogue_of(runs).values():
        setting = one.source.removeprefix("params.")
        if setting == one.source:
            continue
        logged = runs[one.source]
        values = logged.where(logged.notna() | ~ours, default_of(setting, runs)).fillna("").unique()
        if len({normal(value) for value in values}) > 1:
            found.append(one.name)
    return found


def _settings(runs: Sequence[Run]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for run in runs:
        defaults = DEFAULTS | default_options(run.model or "") if run.is_ours else {}
        for name, value in {**defaults, **run.params}.items():
            found.setdefault(name, set()).add(normal(value))
    return found
