"""What was published of a recipe beside what its runs in this store came to."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis import recipe_results
from core.analysis.recipe_results import INSIDE, OUTSIDE, WORDS, Figure, Result, figure_words
from core.recipes import Recipe
from core.tracking import schema
from core.tracking.run import runs_of
from core.tracking.tables import column
from core.ui.common import guard, stored_runs, words

LIVE_S = 3.0
MOST = 50  # runs that a link ticks: an address has a limit
ICONS = {INSIDE: "✓", OUTSIDE: "✗"}


def results(recipe: Recipe) -> None:
    """Draw the result of a recipe, renewed while one of its runs is under way."""
    found = _read(recipe)
    active = _is_active(found)
    guard.fragment(run_every=LIVE_S if active else None)(_draw)(recipe, active)


def _is_active(found: Result) -> bool:
    return any(run.active for runs in found.runs.values() for run in runs)


def _read(recipe: Recipe) -> Result:
    tags = stored_runs.columns(schema.RECIPE)
    ours = column(tags, f"tags.{schema.RECIPE}", object) == recipe.name
    return recipe_results.result(recipe, runs_of(stored_runs.rows(tags.loc[ours, "run_id"].tolist())))


def _draw(recipe: Recipe, was_active: bool) -> None:
    found = _read(recipe)
    if was_active and not _is_active(found):
        st.rerun()  # once: this part stops renewing itself, and the list counts what has finished
    st.subheader("Published and measured")
    _states(found)
    if found.figures:
        st.dataframe(
            pd.DataFrame([_row(one) for one in found.figures]),
            hide_index=True,
            alt="Published figures beside measured ones with their intervals.",
        )
    elif not found.orders:
        st.caption("No figure was published for this recipe.")
    for order in found.orders:
        st.markdown(f"{words.plain(order.words)} **{words.plain(recipe_results.order_words(order))}**")
    if found.differs:
        st.markdown("**What differs in the set-up**")
        st.markdown("\n".join(f"- {words.plain(sentence)}" for sentence in found.differs))


def _states(found: Result) -> None:
    """Say how many runs there are, with the way to their curves."""
    runs = [run for those in found.runs.values() for run in those]
    if not runs:
        st.caption("Nothing of it was launched here yet.")
        return
    states = pd.Series([words.STATE_WORDS[run.status][0] for run in runs]).value_counts()
    said = ", ".join(f"{count} {word}" for word, count in states.items())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{words.count(runs)} here: {said}.")
        ids = found.finished or found.run_ids
        st.page_link(
            "pages/3_Compare.py",
            label=f"Curves and verdict of {len(ids[:MOST])} on Compare",
            icon=":material/stacked_line_chart:",
            query_params=[("runs", run_id) for run_id in ids[:MOST]],
        )


def _row(one: Figure) -> dict[str, str]:
    metric = one.published.metric
    fold = "" if one.published.fold is None else f", fold {one.published.fold}"
    measured = figure_words(metric, one.measured)
    mark = ICONS.get(one.verdict, "")
    return {
        "run": f"{one.run}{fold}",
        "metric": WORDS[metric],
        "published": figure_words(metric, one.published.value, one.published.to),
        "measured": f"{measured} (mean of {one.repeats})" if one.repeats > 1 else measured,
        "95% interval": recipe_results.interval_words(one.interval),
        "verdict": f"{mark} {recipe_results.verdict_words(one)}".strip(),
        "source": one.published.where,
    }
