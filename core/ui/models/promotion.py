"""A version compared with another one, by default the champion; it is promoted below that comparison."""

from __future__ import annotations

from collections.abc import Hashable

import streamlit as st

from core.analysis.entries import entry_of
from core.analysis.verdict import Verdict, decide
from core.analysis.verdict_words import caveats, set_sentence
from core.system.settings import Settings, get_settings
from core.tracking import registry
from core.tracking.registered import CHAMPION, Registered, Version
from core.tracking.run import Run
from core.tracking.store import RunStore
from core.ui.common import stored_runs, words
from core.ui.common.actions import attempt, may_change
from core.ui.common.kept import BY_HASH
from core.ui.common.tested import gathered, runs_by_id, state_of

MARGIN = 0.005  # of accuracy, within which models are practically the same, as on the Compare page


def compared(store: RunStore, model: Registered, version: Version) -> None:
    """Draw the comparison with another version, and the button that makes this one champion."""
    st.subheader("Is it better?")
    champion = model.holder(CHAMPION)
    others = [one for one in model.versions if one.number != version.number]
    if champion in others:
        others.remove(champion)
        others.insert(0, champion)
    other = _other(version, others) if others else None
    if other is not None:
        _verdict_on(version, other)
    if champion is None:
        st.caption("No version is the champion.")
    if may_change() and CHAMPION not in version.aliases:
        _promote(store, version, champion, other)


def _other(version: Version, others: list[Version]) -> Version:
    labels = {one.number: " · ".join([f"version {one.number}", *one.aliases]) for one in others}
    number = st.selectbox(
        "Compared with",
        list(labels),
        format_func=labels.__getitem__,
        key=f"with-{version.name}-{version.number}-{others[0].number}",
        width=420,
    )
    return next(one for one in others if one.number == number)


def _promote(store: RunStore, version: Version, champion: Version | None, other: Version | None) -> None:
    if champion is not None and other != champion:
        st.caption(f"To promote this version, compare it with the champion, version {champion.number}.")
        return
    over = champion.number if champion else None
    # Below the comparison with another champion it is another button: a click on this one counts no more
    key = f"champion-{version.name}-{version.number}-over-{over}"
    if st.button("Make it champion", key=key, icon=":material/trophy:", type="primary"):
        attempt(lambda: registry.set_alias(store, version, CHAMPION, over), "It is the champion now.")


def _verdict_on(version: Version, other: Version) -> None:
    """Draw which of two versions is better, and the link to the whole comparison."""
    found = [(one, stored_runs.find(one.run_id) if one.run_id else None) for one in (version, other)]
    pair = [(one, run) for one, run in found if run is not None]
    if len(pair) < 2 or pair[0][1].run_id == pair[1][1].run_id:
        st.info("They cannot be compared: one of them has no run of its own here.", icon=":material/info:")
        return
    verdict = _verdict(pair)
    for sentence in verdict.evidence.left_out:
        st.warning(words.plain(sentence), icon=":material/block:")
    if len(verdict.entries) == 2:
        st.markdown(f"#### {words.plain(set_sentence(verdict))}")
        shown = " · ".join(f"{words.plain(one.name)}: {one.accuracy:.2%}" for one in verdict.entries)
        st.caption(f"Test accuracy: {shown}")
        for caveat in caveats(verdict):
            st.caption(f":material/info: {words.plain(caveat)}")
    else:
        st.info("Their answers for the same test images cannot be compared.", icon=":material/info:")
    st.page_link(
        "pages/3_Compare.py",
        label="Open both in Compare",
        icon=":material/query_stats:",
        query_params=[("runs", run.run_id) for _, run in pair],
    )


def _verdict(pair: list[tuple[Version, Run]]) -> Verdict:
    entries = tuple(entry_of(run, f"version {version.number}") for version, run in pair)
    return _kept_verdict(get_settings(), entries, state_of(runs_by_id(entries)))


@st.cache_resource(max_entries=32, show_spinner="Comparing the test predictions", hash_funcs=BY_HASH)
def _kept_verdict(settings: Settings, entries: tuple, state: Hashable) -> Verdict:
    return decide(gathered(entries, runs_by_id(entries)), MARGIN)
