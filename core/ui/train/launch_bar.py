"""The bar at the bottom of the Train page: the button, and what it would launch."""

from __future__ import annotations

from collections.abc import Sequence

from streamlit.delta_generator import DeltaGenerator

from core.analysis.changed import changed_settings
from core.jobs.groups import Group
from core.ui.common.actions import action_button

NAMED = 4  # settings that differ from the defaults; of more, their number is said


def launch_button(place: DeltaGenerator, groups: Sequence[Group]) -> bool:
    """Draw the button that launches; returns whether it was clicked.

    Args:
        groups: What the form has made; none while something in it is wrong.
    """
    count = sum(len(group.configs) for group in groups)
    return action_button(
        f"Launch {count} runs" if count > 1 else "Launch",
        place,
        type="primary",
        icon=":material/play_arrow:",
        disabled=not groups,
    )


def launch_words(groups: Sequence[Group]) -> str:
    """Say in a line what would be launched, and which settings differ from the defaults."""
    if not groups:
        return "Nothing can be launched: see what is wrong in the form."
    first = groups[0].configs[0]
    models = ", ".join(dict.fromkeys(group.configs[0].model.name for group in groups))
    length = f"{first.training.steps:,} steps" if first.training.steps else f"{first.training.epochs} epochs"
    every = (name for group in groups for name in changed_settings(group.configs[0]))
    changed = [name for name in dict.fromkeys(every) if name not in ("data.name", "model.name")]
    if not changed:
        differs = "all settings as they are by default"
    elif len(changed) <= NAMED:
        differs = f"differs from the defaults in {', '.join(changed)}"
    else:
        differs = f"{len(changed)} settings differ from the defaults, among them {', '.join(changed[:NAMED])}"
    return f"{models} on {first.data.name} · {length} · {differs}"
