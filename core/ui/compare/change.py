"""What can be done with the ticked rows at once: archive, restore, lock, unlock, delete."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.analysis.entries import Entry, run_ids_of
from core.tracking import schema
from core.tracking.store import RunStore
from core.tracking.tables import column
from core.ui.common import stored_runs, words
from core.ui.common.actions import may_change
from core.ui.run.actions import delete_many, lock_many
from core.ui.run.archive import archive_button, restore_button


def change_ticked(store: RunStore, ticked: Sequence[Entry]) -> None:
    """Draw the buttons that archive, restore, lock, unlock and delete the runs of the ticked rows.

    ticked: Those that are shown: a person changes what they see.
    """
    if not ticked or not may_change():
        return
    every = stored_runs.columns(schema.ARCHIVED, schema.LOCKED, schema.NUMBER, archived=True)
    runs = every[every["run_id"].isin(run_ids_of(ticked))]
    archived = column(runs, f"tags.{schema.ARCHIVED}", object).notna()
    away, here = runs.loc[archived, "run_id"].tolist(), runs.loc[~archived, "run_id"].tolist()
    with st.container(horizontal=True):
        if here:
            archive_button(store, f"Archive {words.count(here)}", here)
        if away:
            restore_button(store, f"Restore {words.count(away)}", away)
        ended = runs[stored_runs.are_ours(runs) & runs["status"].isin(schema.ENDED)]
        lock_many(store, ended)
        delete_many(store, runs, {entry.name: entry.run_ids for entry in ticked if entry.is_group})
