"""Says of the best of several who cannot be told from it, and what to expect of it on new images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from core.analysis.comparable import Competitor
from core.analysis.entries import Entry, run_ids_of
from core.analysis.evaluated_images import EvaluatedImages
from core.analysis.intervals import Interval, wilson
from core.analysis.looks import looks_words
from core.analysis.over_repeats import mean
from core.analysis.verdict import decide_against
from core.analysis.verdict_words import best_of_words, chosen_words
from core.analysis.winners_curse import BestOf
from core.system.settings import Settings, get_settings
from core.tracking.run import Run
from core.ui.common import words
from core.ui.common.kept import BY_HASH
from core.ui.common.tested import (
    MOST_CHOICES,
    chosen_by_validation,
    gathered,
    looked_at,
    runs_by_id,
    state_of,
)

MOST = 10  # of the next best, whose test predictions are compared with those of the best


@dataclass(frozen=True)
class Standing:
    """How the best stands by the test images.

    Attributes:
        alike: Keys of those that cannot be told from it.
        compared: How many others were tested on the same images.
        accuracy: Of the best, from 0 to 1, with its 95% interval.
        evaluated_images: The test images; `versions` as `core.analysis.evidence.Evidence` has them.
    """

    alike: tuple[str, ...]
    compared: int
    images: int
    accuracy: float
    interval: Interval
    evaluated_images: EvaluatedImages
    versions: frozenset[str]


def alike(ranked: Sequence[Competitor]) -> int | None:
    """Return how many of the next best cannot be told from the best; None where it has no test predictions.

    ranked: Of one basis, the best validation accuracy first; two at least.
    """
    entries = [_entry(one) for one in ranked[: MOST + 1]]
    runs = runs_by_id(entries)
    found = _standing(get_settings(), tuple(entries), state_of(runs), runs)
    return None if found is None else len(found.alike)


def equals(ranked: Sequence[Competitor]) -> None:
    """Draw who shares the mark of the best, and what to expect of it.

    Args:
        ranked: Of one basis, the best validation accuracy first; two at least.
    """
    entries = [_entry(one) for one in ranked[: MOST + 1]]
    runs = runs_by_id(entries)
    found = _standing(get_settings(), tuple(entries), state_of(runs), runs)
    if found is None:
        st.caption("It has no test predictions, which would say who cannot be told from it.")
        return
    if found.alike:
        _alike(found, entries)
    elif found.compared:
        st.caption(f"Better than {found.compared} others on the test images, and not by luck.")
    said = _expected(ranked, runs, found)
    looks = looks_words(looked_at(found.evaluated_images, found.versions), found.images)
    st.caption(f":material/casino: {said} {looks}")


def _expected(ranked: Sequence[Competitor], runs: Mapping[str, Run], found: Standing) -> str:
    """Say what to expect of the best on new images: by the validation predictions of all that it was chosen
    among, or by its test accuracy where one of them has none."""
    if len(ranked) <= MOST_CHOICES:
        every = [_entry(one) for one in ranked]
        those = runs_by_id(every)
        if (best := _chosen(get_settings(), tuple(every), state_of(those), those)) is not None:
            return best_of_words(best)
    return chosen_words(
        choices=len(ranked),
        images=_validation_images([runs[run_id] for run_id in ranked[0].run_ids if run_id in runs]),
        shown=ranked[0].validation,
        expected=found.accuracy,
        interval=found.interval,
        test_images=found.images,
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _chosen(
    settings: Settings, entries: tuple[Entry, ...], state: Hashable, _runs: Mapping[str, Run]
) -> BestOf | None:
    return chosen_by_validation(entries, _runs)


def _alike(found: Standing, entries: Sequence[Entry]) -> None:
    """Draw the names of those that cannot be told from the best, and a link that compares them."""
    count = len(found.alike)
    label = f"{count} other{'' if count == 1 else 's'} of {found.compared} cannot be told from it"
    with st.expander(label, icon=":material/drag_handle:"):
        same = [entry for entry in entries if entry.key in found.alike]
        st.markdown("\n".join(f"- {words.plain(entry.name)}" for entry in same))
        st.page_link(
            "pages/3_Compare.py",
            label="Compare them",
            icon=":material/query_stats:",
            query_params={"runs": run_ids_of([entries[0], *same])},
        )


def _entry(one: Competitor) -> Entry:
    key = one.run_ids[0] if len(one.run_ids) == 1 else f"group of {one.run_ids[0]}"
    return Entry(key, words.run_name(one.name), one.run_ids)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_HASH)
def _standing(
    settings: Settings, entries: tuple[Entry, ...], state: Hashable, _runs: Mapping[str, Run]
) -> Standing | None:
    found = gathered(entries, _runs)
    best = next((one for one in found.tested if one.key == entries[0].key), None)
    if best is None:
        return None
    single = best.right.shape[1] == 1
    low, high = wilson(best.accuracy, found.images) if single else mean(best.right).interval()
    return Standing(
        alike=decide_against(found, best.key),
        compared=len(found.tested) - 1,
        images=found.images,
        accuracy=best.accuracy,
        interval=Interval(max(0.0, low), min(1.0, high)),
        evaluated_images=found.evaluated_images,
        versions=found.versions,
    )


def _validation_images(runs: Sequence[Run]) -> int | None:
    """The images that validated a run or, of folds, all of them together; None where it was not logged."""
    of_splits = {run.params.get("data.fold", ""): run.metrics.get("validation_images") for run in runs}
    known = [number for number in of_splits.values() if number is not None]
    return int(sum(known)) if known and len(known) == len(of_splits) else None
