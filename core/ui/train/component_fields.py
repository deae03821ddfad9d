"""The widgets of an optimizer, schedule, preprocessing or loss, as its registry entry describes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.components import Component, Setting
from core.ui.common.fields import field


def component_fields(columns: Sequence[Any], part: str, entry: Component, begin: int = 0) -> dict[str, Any]:
    """Draw the settings that an entry reads; return what is chosen, by dotted name.

    Args:
        columns: filled in turn.
        part: part of the config that has the settings, as `optimizer`.
        begin: the column to begin with.
    """
    chosen = {}
    for position, setting in enumerate(entry.settings, begin):
        path = f"{part}.{setting.name}"
        chosen[path] = field(
            columns[position % len(columns)],
            path,
            setting.label,
            setting.help,
            key=setting_key(entry, setting),
            default=entry.default(setting),
        )
    return chosen


def setting_key(entry: Component, setting: Setting) -> str:
    """Return the name of a setting in the address: the entry's own where its default is another.

    So what was shown for one entry is no choice for another.
    """
    return f"{entry.name}_{setting.name}" if setting.name in entry.defaults else setting.name


def choices_help(entries: Iterable[Component]) -> str:
    """Return a line for each entry, as Markdown: the help of the widget that chooses one."""
    return "\n".join(f"- `{entry.name}`: {entry.summary}" for entry in entries)
