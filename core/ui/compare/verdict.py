"""Says which of the chosen runs and groups is better, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.analysis import marks as marks_of
from core.analysis.entries import Entry, run_ids_of
from core.analysis.intervals import wilson
from core.analysis.looks import looks_words
from core.analysis.over_repeats import mean
from core.analysis.pairs import over_seeds
from core.analysis.verdict import Verdict, decide
from core.analysis.verdict_words import best_of_words, caveats, p_words, pair_sentence, set_sentence
from core.analysis.winners_curse import BestOf, best_measured
from core.study import doubts
from core.system.settings import Settings, get_settings
from core.tracking.run import Run
from core.tracking.store import get_store
from core.ui.common import stored_datasets, stored_runs, words
from core.ui.common.fields import URL
from core.ui.common.kept import BY_HASH
from core.ui.common.tested import chosen_by_validation, gathered, looked_at, runs_by_id, state_of

MOST = 30  # entries that are compared: 435 pairs
MARGIN = 0.5  # points
PAIRS_WITH_SEEDS = 45  # Wilcoxon's test takes 20 ms


def is_it_better(entries: Sequence[Entry]) -> None:
    """Draw the verdict on the ticked entries: a sentence, their ranks and intervals, and every pair."""
    st.subheader("Is it better?")
    if not st.query_params.get_all("runs") or len(entries) < 2:
        st.caption("Tick two or more runs that were tested on the same images to see which one is better.")
        return
    said = st.container()  # above the margin, which it depends on
    margin = st.number_input(
        "Practically the same within (points of accuracy)",
        min_value=0.0,
        max_value=20.0,
        value=MARGIN,
        step=0.1,
        format="%g",
        key="margin",
        bind=URL,
        width=320,
        help="Models whose accuracies differ by less count as the same in practice.",
    )
    entries = short_names(entries)
    verdict, best = verdict_on(entries[:MOST], runs_by_id(entries), margin / 100)
    with said:
        if len(entries) > MOST:
            st.caption(f"The first {MOST} of the {len(entries)} ticked entries.")
        for sentence in verdict.evidence.left_out:
            st.warning(words.plain(sentence), icon=":material/block:")
        if len(verdict.entries) < 2:
            st.info("Fewer than two of them can be compared.", icon=":material/info:")
            return
        st.markdown(f"#### {words.plain(set_sentence(verdict))}")
        _standing(verdict)
        if best is not None:
            evidence = verdict.evidence
            looks = looks_words(looked_at(evidence.evaluated_images, evidence.versions), evidence.images)
            st.caption(f":material/casino: {best_of_words(best)} {looks}")
        for caveat in caveats(verdict):
            st.caption(f":material/info: {words.plain(caveat)}")
        for mark in _marks(verdict, entries[:MOST]):
            st.caption(f":material/warning: {words.plain(mark)}")
    with st.expander(f"Every pair ({len(verdict.pairs)})", icon=":material/compare_arrows:"):
        _pairs(verdict)


def short_names(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without the beginnings of their ids, which sentences do not need, where their names
    differ without them."""
    names = [entry.name.removesuffix(f" · {entry.key[:6]}") for entry in entries]
    return [
        replace(entry, name=name) if names.count(name) == 1 else entry
        for entry, name in zip(entries, names, strict=True)
    ]


def verdict_on(
    entries: Sequence[Entry], runs: Mapping[str, Run], margin: float
) -> tuple[Verdict, BestOf | None]:
    """Return the verdict on some entries, and what to expect of the best; None where there is one alone.

    Args:
        runs: `runs_by_id` of them.
        margin: From 0 to 1.
    """
    return _verdict(get_settings(), tuple(entries), state_of(runs), margin, runs)


@st.cache_resource(max_entries=32, show_spinner="Comparing the test predictions", hash_funcs=BY_HASH)
def _verdict(
    settings: Settings, entries: tuple[Entry, ...], state: Hashable, margin: float, _runs: Mapping[str, Run]
) -> tuple[Verdict, BestOf | None]:
    found = gathered(entries, _runs)
    best = None
    if len(found.tested) > 1:
        tested = {one.key for one in found.tested}
        same = [entry for entry in entries if entry.key in tested]
        best = chosen_by_validation(same, _runs) or best_measured(found.tested)
    return decide(found, margin), best


def _marks(verdict: Verdict, entries: Sequence[Entry]) -> list[str]:
    """What makes the comparison doubtful, in sentences."""
    keys = {one.key for one in verdict.entries}
    same = [entry for entry in entries if entry.key in keys]
    runs = {run.run_id: run for run in stored_runs.of_ids(run_ids_of(same))}
    differing = marks_of.differing_mark(same, runs)
    shared = doubts.in_training_too(get_store(), runs.values(), stored_datasets.dataset_infos())
    return [*([differing] if differing else []), *shared, *doubts.gaps(verdict, same, runs)]


def _standing(verdict: Verdict) -> None:
    """Draw the entries by rank, with the intervals of their accuracies."""
    rows = []
    for one, rank in zip(verdict.entries, verdict.ranks, strict=True):
        runs = one.right.shape[1]
        low, high = wilson(one.accuracy, len(one.right)) if runs == 1 else mean(one.right).interval()
        rows.append(
            {
                "rank": rank,
                "run": one.name,
                "test accuracy": f"{one.accuracy:.2%}",
                "95% interval": f"{max(0.0, low):.1%} to {min(1.0, high):.1%}",
                "runs": runs,
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content" if len(rows) <= 10 else 400,
        column_config={
            "rank": st.column_config.NumberColumn(
                "rank", help="Those that cannot be told from the best share rank 1.", width="small"
            ),
            "95% interval": st.column_config.TextColumn(
                "95% interval",
                help="Wilson's for one run. For several runs it is that of their mean, for other images and "
                "other seeds.",
            ),
            "runs": st.column_config.NumberColumn("runs", width="small"),
        },
    )


def _p_cell(p: float) -> str:
    """A p in a table; NaN is one that cannot be computed."""
    return "–" if math.isnan(p) else p_words(p).removeprefix("p ").removeprefix("= ")


def _pairs(verdict: Verdict) -> None:
    """Draw what is known of every pair."""
    with_seeds = len(verdict.pairs) <= PAIRS_WITH_SEEDS
    single = all(one.right.shape[1] == 1 for one in verdict.entries)
    only = "only {} right" if single else "{} right more often"
    counted = "Images that one alone gets right."
    if not single:
        counted = "Images that a larger share of the runs of one gets right than of the other."
    rows = []
    for pair in verdict.pairs:
        first, second = verdict.entries[pair.first], verdict.entries[pair.second]
        seeds = over_seeds(first, second) if with_seeds and not first.folds else None
        rows.append(
            {
                "A": first.name,
                "B": second.name,
                only.format("A"): pair.only_first,
                only.format("B"): pair.only_second,
                "difference": f"{100 * pair.difference:.2f} points",
                "95% interval": f"{100 * pair.low:.1f} to {100 * pair.high:.1f}",
                "p (Holm)": _p_cell(pair.adjusted),
                "A better": f"{pair.better:.0%}",
                "same": f"{pair.same:.0%}",
                "B better": f"{pair.worse:.0%}",
                "p over seeds (t)": seeds and _p_cell(seeds[0]),
                "p over seeds (Wilcoxon)": seeds and _p_cell(seeds[1]),
                "images needed": pair.needed,
                "in words": pair_sentence(verdict, pair),
            }
        )
    table = pd.DataFrame(rows).dropna(axis="columns", how="all")
    of_seeds = [name for name in table if name.startswith("p over seeds")]
    table[of_seeds] = table[of_seeds].fillna("–")
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(rows) <= 10 else 400,
        column_config={
            **{only.format(one): st.column_config.NumberColumn(help=counted) for one in "AB"},
            "p (Holm)": st.column_config.TextColumn(
                "p (Holm)",
                help="Exact McNemar for single runs; over other seeds and images for several runs; Nadeau "
                "and Bengio's corrected t for folds. Adjusted for the number of pairs by Holm's method.",
            ),
            "same": st.column_config.TextColumn(
                "same", help=f"Probability that they differ by at most {100 * verdict.margin:g} points."
            ),
            "images needed": st.column_config.NumberColumn(
                "images needed",
                format="localized",
                help=f"Test images that would show a difference of {100 * verdict.margin:g} points 4 times "
                "of 5 at their disagreement.",
            ),
        },
    )
    if verdict.all_equal is not None:
        st.caption(f"That all are equally good: {p_words(verdict.all_equal)} (Cochran's Q).")
