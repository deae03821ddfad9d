"""The door to all that a first experiment need not decide: its label says what of it was changed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis.changed import changed_settings
from core.jobs.groups import Group
from core.ui.common.choose import run_again, settled

LABEL = "More settings"
DEFAULT = f"{LABEL}: all as they are by default"
KEY = "more settings"
NAMED = 4  # settings that the label names; of more, the number of the others
# What stands before the door.
BEFORE = (
    *("data.name", "model.name", "optimizer.name", "optimizer.learning_rate"),
    *("training.batch_size", "training.epochs"),
)


def door() -> DeltaGenerator:
    """Return the folded part of the form, with the label that `renew_door` found last."""
    # Its key keeps it open while the label changes.
    return st.expander(st.session_state.get(KEY, DEFAULT), key="door")


def renew_door(groups: Sequence[Group]) -> None:
    """Run the page once more when the label no longer says what differs; call it last.

    groups: what the form has made; none while something in it is wrong, which leaves the label as it is.
    """
    before = st.session_state.get(KEY, DEFAULT)
    label = door_label(groups) if groups else before
    if label != before:
        st.session_state[KEY] = label
        run_again()
    settled()


def door_label(groups: Sequence[Group]) -> str:
    """Name what differs from the defaults behind the door."""
    every = (name for group in groups for name in changed_settings(group.configs[0]))
    changed = [setting_words(name) for name in dict.fromkeys(every) if name not in BEFORE]
    if any(len(group.configs) > 1 for group in groups):
        changed.insert(0, "repeats")
    if not changed:
        return DEFAULT
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return f"{LABEL}: {', '.join(changed[:NAMED])}{more} {'differs' if len(changed) == 1 else 'differ'}"


def setting_words(name: str) -> str:
    """Write a dotted name as the form does: `schedule.name` as "schedule"."""
    part, _, last = name.rpartition(".")
    return (part if last == "name" else last).replace("_", " ")
