"""Choosing a run, with the choice in the URL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.system.text import shortened
from core.tracking import schema
from core.ui.common import stored_runs, words
from core.ui.common.actions import train_first


def choose_run(
    runs: pd.DataFrame, label: str = "Run", missing: Callable[[str], str | None] | None = None
) -> str | None:
    """Draw a select box over runs and return the id of the chosen one; None when there is no run.

    It begins with the newest run that trains, else with the newest. The id stands in the URL as `run`; one
    that does not exist is reported and replaced by the newest.

    Args:
        missing: Returns why the run of an id is not among `runs`; None where it does not exist.
    """
    if runs.empty:
        wanted = st.query_params.get("run")
        if wanted is not None and missing is not None and (reason := missing(wanted)):
            st.warning(words.plain(reason), icon=":material/link_off:")
        train_first("No run to show yet")
        return None
    labels = words.run_labels(runs)
    key, seen = f"choose {label}", f"address of {label}"
    wanted = st.query_params.get("run")
    if wanted is not None and wanted not in labels:
        reason = missing(wanted) if missing is not None else None
        said = words.plain(reason or "The run of this address is not here.")
        st.warning(f"{said} This is the newest one.", icon=":material/link_off:")
    elif wanted is not None and wanted != st.session_state.get(seen):
        st.session_state[key] = wanted  # came by a link, not by a choice in the box
    if st.session_state.get(key) not in labels:
        st.session_state.pop(key, None)
        running = runs.loc[(runs["status"] == schema.RUNNING) & stored_runs.are_ours(runs), "run_id"]
        if wanted is None and len(running):
            st.session_state[key] = running.iloc[0]
    chosen = st.selectbox(label, list(labels), format_func=labels.__getitem__, key=key)
    st.session_state[seen] = st.query_params["run"] = chosen
    return chosen


def say_unknown(name: str, options: Collection[str], label: str) -> None:
    """Warn of values of a parameter of the address that are not among the options.

    Call it before the widget is drawn, which replaces them.
    """
    key = f"unknown {name}"
    unknown = [value for value in st.query_params.get_all(name) if value and value not in options]
    if unknown:
        named = ", ".join(words.plain(shortened(value)) for value in unknown[:NAMED])
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        st.session_state[key] = (
            f"{label}: this address names {named}{more}, which {'is' if len(unknown) == 1 else 'are'} "
            "not among the choices here and ignored."
        )
    elif not st.session_state.get(AGAIN):
        st.session_state.pop(key, None)
    if said := st.session_state.get(key):
        st.warning(said, icon=":material/link_off:")


def run_again() -> None:
    """Run the page once more at once, with what this run said of its address."""
    st.session_state[AGAIN] = True
    st.rerun()


def settled() -> None:
    """Take note that the page of `run_again` was drawn."""
    st.session_state.pop(AGAIN, None)


AGAIN = "run again"  # in the session: by a page, and not by the visitor


NAMED = 3  # unknown values of an address that a warning names


def choose(column: Any, label: str, options: Sequence[str], name: str, default: str) -> str:
    """Draw a select box whose choice stands in the URL as `name`, also when a link to this page sets it.

    A widget bound to the URL ignores the address of a link from the page to itself.
    """
    say_unknown(name, options, label)
    wanted = st.query_params.get(name, default)
    start = wanted if wanted in options else default
    chosen = column.selectbox(label, options, index=list(options).index(start), key=f"{name}-{start}")
    st.query_params[name] = chosen
    return chosen
