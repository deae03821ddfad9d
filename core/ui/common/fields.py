"""Draws a setting of the config as the widget that fits its type, with its value in the URL."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_origin

from core.config import ExperimentConfig
from core.ui.common.choose import say_unknown

URL: Final = "query-params"  # a widget bound to the URL can be sent to a colleague


def field(
    column: Any,
    path: str,
    label: str,
    help: str | None = None,
    key: str | None = None,
    default: bool | float | str | None = None,
) -> Any:
    """Draw the widget of a dotted setting with its default, and return the chosen value.

    Values out of range may be entered: the config refuses them with a sentence.

    Args:
        key: The parameter in the URL; by default the last word of the path.
        default: Where it is not the config's.
    """
    part, name = path.rsplit(".", 1) if "." in path else ("", path)
    owner = getattr(ExperimentConfig(), part) if part else ExperimentConfig()
    default = getattr(owner, name) if default is None else default
    kind = type(owner).model_fields[name].annotation
    key = key or name
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        say_unknown(key, choices, label)
        return column.selectbox(label, choices, choices.index(default), key=key, bind=URL, help=help)
    if isinstance(default, bool):
        return column.toggle(label, default, key=key, bind=URL, help=help)
    if isinstance(default, int):
        return column.number_input(label, value=default, step=1, key=key, bind=URL, help=help)
    if isinstance(default, float):
        return column.number_input(label, value=default, step=None, format="%g", key=key, bind=URL, help=help)
    return column.text_input(label, default, key=key, bind=URL, help=help)
