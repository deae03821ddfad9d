"""A search: its form, its trials, the best so far and what to expect of it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis.search_results import UNDER_WAY, TrialResult, best, trials
from core.analysis.verdict_words import best_of_words
from core.figures import search_history
from core.launching.sweep import lines
from core.searching import plan as plans
from core.searching import process
from core.searching.plan import SearchPlan
from core.searching.state import state_of
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore
from core.tracking.tables import column
from core.ui.common import guard, stored_runs, tested, words
from core.ui.common.actions import action_button, may_change
from core.ui.common.chart import chart
from core.ui.common.choose import choose
from core.ui.studies.sweep import base_experiment

EXAMPLE = "optimizer.learning_rate=0.0001..0.01/log\ntraining.batch_size=16,32,64"
HELP = "One setting a line: a list, or a range `FROM..TO`, with `/log` where factors count."
LIVE_S = 3.0
MOST = 50  # runs that a link ticks: an address has a limit
HOURS = "Hours (0: no limit)"
IDLE = "Not searching now"


def search_view(store: RunStore) -> None:
    """Draw the form of a new search, and one of those that there are."""
    st.caption(
        "Optuna (TPE) proposes settings; each trial is a run of the queue. Once five have finished, one "
        "whose validation accuracy is below the median of the others ends early, unless few "
        "multiply-accumulates are an objective too. A search that was cut off goes on where it was when Go "
        "on is pressed."
    )
    if may_change():
        with st.expander("New search", icon=":material/add:", expanded=not plans.names(store.settings)):
            _form(store)
    names = plans.names(store.settings)
    if not names:
        st.info("There is no search yet.", icon=":material/info:")
        return
    name = choose(st, "Search", names, "search", names[0])
    with guard.show_errors():
        plan = plans.read(store.settings, name)
        if may_change():
            _budget(store, name, plan)
        live = _process_words(store, name) != IDLE
        guard.fragment(run_every=LIVE_S if live else None)(_draw)(store, name, plan, live)


def _form(store: RunStore) -> None:
    name = st.text_input("Name", key="search name", max_chars=64, placeholder="rates")
    base = base_experiment(store, "search")
    text = st.text_area("Settings and values", EXAMPLE, key="search space", help=HELP, height=100)
    first, second, third, fourth = st.columns(4)
    budget = {
        "trials": int(first.number_input("Trials", 1, 1000, 20, key="search trials")),
        "hours": float(second.number_input(HOURS, 0.0, 10_000.0, 0.0, key="search hours")),
        "seeds": int(third.number_input("Seeds of each", 1, 20, 1, key="search seeds")),
        "at_once": int(fourth.number_input("At once", 1, 64, 1, key="search at once")),
    }
    macs = st.toggle("Few multiply-accumulates are an objective too", key="search macs")
    if action_button("Search", type="primary", icon=":material/search:", disabled=not name):
        with guard.show_errors():
            space = plans.space_of(lines(text))
            values = {"config": base.model_dump(), "space": space, "macs": macs, **budget}
            plans.begin(store.settings, name, values)
            process.search_of(store.settings, name).ensure()
            st.query_params["search"] = name
            st.rerun()


def _budget(store: RunStore, name: str, plan: SearchPlan) -> None:
    """Draw what ends a search, lets it go on, or gives it more trials or hours."""
    settings = store.settings
    with st.container(horizontal=True, vertical_alignment="bottom"):
        more = int(st.number_input("Trials in all", 1, 1000, plan.trials, key=f"trials of {name}", width=140))
        hours = float(st.number_input(HOURS, 0.0, 10_000.0, plan.hours, key=f"hours of {name}", width=140))
        if action_button("Go on", icon=":material/play_arrow:", key=f"go on {name}"):
            process.change(settings, name, trials=more, hours=hours)
            process.search_of(settings, name).ensure()
            st.rerun()
        if action_button("Stop", icon=":material/stop:", key=f"stop {name}"):
            process.stop(settings, name)
            st.toast("It begins no further trial; those under way are trained to their end.")


def _process_words(store: RunStore, name: str) -> str:
    daemon = process.search_of(store.settings, name)
    if daemon.is_running():
        return "Searching"
    return "Starting" if daemon.is_starting() else IDLE


def _draw(store: RunStore, name: str, plan: SearchPlan, was_live: bool) -> None:
    now = _process_words(store, name)
    if was_live and now == IDLE:
        st.rerun()  # once: this part stops renewing itself
    tags = stored_runs.columns(schema.SEARCH)
    ours = column(tags, f"tags.{schema.SEARCH}", object) == name
    found = trials(name, runs_of(stored_runs.rows(tags.loc[ours, "run_id"].tolist())), plan.seeds)
    state = state_of(store.settings, name)
    st.markdown(f"**{now}:** {_count_words(found, plan, state.get('begun', 0))}.")
    if now == IDLE and plan.hours and state.get("seconds", 0.0) >= 3600 * plan.hours:
        st.caption(f"Its {plan.hours:g} hours are spent: it goes on with more of them, or with 0.")
    if reason := state.get("reason"):
        st.warning(
            f"The last trial that could not be trained. {words.plain(reason)}", icon=":material/block:"
        )
    if not found:
        return
    values = [(one.number, one.value) for one in found if one.value is not None]
    chart(search_history.draw(search_history.collect(values)), "search history")
    _best(found, plan)
    _links(found)
    st.dataframe(
        pd.DataFrame([_row(one, plan) for one in found]), hide_index=True, alt=f"The trials of {name}."
    )


def _count_words(found: list[TrialResult], plan: SearchPlan, begun: int) -> str:
    """Say how many trials there are of how many, and what became of them.

    begun: Trials that the search counts, also those without a run.
    """
    states = pd.Series([one.state for one in found], dtype=object).value_counts()
    said = [f"{count} {state}" for state, count in states.items()]
    said += [f"{begun - len(found)} without a run"] if begun > len(found) else []
    most = f"{plan.most} trials" + (", all that differ" if plan.most < plan.trials else "")
    return f"{max(begun, len(found))} of {most}; {', '.join(said) or 'none begun'}"


def _best(found: list[TrialResult], plan: SearchPlan) -> None:
    """Say which trial is the best so far, and what to expect of it on new images."""
    first = best(found)
    if first is None:
        return
    st.markdown(
        f"Best so far: **trial {first.number}** with a validation accuracy of {words.percent(first.value)}."
    )
    if plan.macs:
        st.caption("This and the chart are about accuracy alone, not about multiply-accumulates.")
    finished = [one for one in found if one.value is not None]
    if len(finished) < 2:
        return
    runs = {run.run_id: run for one in finished for run in one.runs}
    expected = tested.chosen_by_validation([one.entry for one in finished], runs)
    if expected is None:
        st.caption(
            f"The best of {len(finished)} was also the luckiest: on new images expect less. How much cannot "
            "be said, as not all trials have predictions for the same validation images."
        )
    else:
        st.caption(words.plain(best_of_words(expected)))


def _links(found: list[TrialResult]) -> None:
    ids = [run.run_id for one in found if one.state != UNDER_WAY for run in one.runs if one.value is not None]
    if len(ids) < 2:
        return
    if len(ids) > MOST:
        st.caption(f"The links tick the first {MOST} of {len(ids)} finished runs.")
    with st.container(horizontal=True):
        for label in ("Importance", "Parallel coordinates", "Heat map"):
            st.page_link(
                "pages/3_Compare.py",
                label=f"{label} on Compare",
                icon=":material/query_stats:",
                query_params=[("chart", label), *(("runs", run_id) for run_id in ids[:MOST])],
            )


def _row(one: TrialResult, plan: SearchPlan) -> dict[str, object]:
    first = one.runs[0]
    return {
        "trial": one.number,
        "state": f"{one.state} {first.tags.get(schema.PRUNED, '')}".strip(),
        "validation accuracy": words.percent(one.value),
        **{name: _short(first, name) for name in plan.space},
        "seeds": len(one.runs),
    }


def _short(run: Run, setting: str) -> str:
    """Return a setting with four digits that count: drawn values have sixteen."""
    number = run.setting(setting)
    return run.params.get(setting, "") if number is None else f"{number:.4g}"
