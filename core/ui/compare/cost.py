"""Accuracy against cost of the chosen runs, and which of them are on the front by luck alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import streamlit as st

from core.analysis.answers import Answers, answers, most_common
from core.analysis.entries import Entry, run_ids_of
from core.analysis.front import doubtful, why_doubtful
from core.figures import accuracy_cost
from core.figures.accuracy_cost import MORE
from core.system.settings import Settings, get_settings
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run, runs_of
from core.tracking.store import get_store
from core.ui.common import reads, words
from core.ui.common.chart import chart
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.compare.curves import styles_of

KEYS = (schema.NUMBER, schema.FINGERPRINT, "test_accuracy", *accuracy_cost.COSTS)


def accuracy_and_cost(entries: Sequence[Entry]) -> None:
    """Draw accuracy against one cost, among the entries that were tested on the same images."""
    say_unknown("cost", [*accuracy_cost.COSTS.values()], "Cost")
    cost = st.selectbox(
        "Cost",
        accuracy_cost.COSTS,
        format_func=accuracy_cost.COSTS.__getitem__,
        key="cost",
        bind=URL,
        width=320,
    )
    found = reads.columns(*KEYS)
    runs = {run.run_id: run for run in runs_of(found[found["run_id"].isin(run_ids_of(entries))])}
    answered = answered_by(runs)
    same = most_common(entries, answered)
    if not same:
        st.info("None of these runs has test predictions.", icon=":material/info:")
        return
    images = len(answered[same[0].run_ids[0]].index)
    choices = accuracy_cost.collect(runs, same, cost, images)
    chart(accuracy_cost.draw(choices, styles_of(same, runs), cost), "accuracy-cost")
    st.caption(
        f"Test accuracy on {images:,} images with its 95% interval. Filled: nothing as cheap or cheaper is "
        "more accurate."
    )
    by_key = {entry.key: entry for entry in same}
    for one, cheaper in doubtful(choices.choices):
        said = why_doubtful(one, cheaper, by_key[one.key], by_key[cheaper.key], answered, MORE[cost])
        st.markdown(f":material/balance: {words.plain(said)}")
    left_out("tested on other images, or not at all", [one.name for one in entries if one not in same])
    left_out("this cost was not logged", choices.missing)


def left_out(why: str, names: Sequence[str]) -> None:
    """Say which entries a chart does not show; nothing where there are none."""
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        st.caption(f":material/info: Left out, {why}: {words.plain(', '.join(names[:5]))}{more}.")


def answered_by(runs: Mapping[str, Run]) -> dict[str, Answers]:
    """Return what runs answered to their test images, by id, of those that have stored predictions."""
    found = {}
    for run_id, run in runs.items():
        if run.status != schema.FINISHED:
            continue
        with suppress(FileNotFoundError, DamagedArtifact, ValueError):
            found[run_id] = _answers(get_settings(), run_id, run.params.get(schema.FINGERPRINT, ""))
    return found


@st.cache_resource(max_entries=200, show_spinner=False)
def _answers(settings: Settings, run_id: str, fingerprint: str) -> Answers:
    return answers(frames.predictions(get_store(), run_id), fingerprint)
