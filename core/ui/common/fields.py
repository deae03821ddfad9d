"""Draws a setting of the config as the widget that fits its type, with its value in the URL."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_origin

from core.config import ExperimentConfig
from core.ui.common.choose import say_unknown

URL: Final = "query-params"  # a widget bound to the URL can be sent to a colleague
OFF = "off"  # what an empty field shows where 0 means that something is not done
# Settings of which 0 means so, where 0 is the default.
ZERO_IS_OFF = frozenset({
    "schedule.warmup_epochs", "schedule.plateau_patience",
    "optimizer.weight_decay", "optimizer.clip_norm", "optimizer.clip_value", "optimizer.ema",
    "regularization.l2_convolution", "regularization.l2_dense", "regularization.l2_rest",
    "regularization.dropout",
    "training.early_stopping", "training.label_smoothing", "training.steps",
})  # fmt: skip


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
    if path in ZERO_IS_OFF and not default and isinstance(default, int | float):
        return number_or_off(column, label, key, type(default), help)
    if isinstance(default, int):
        return column.number_input(label, value=default, step=1, key=key, bind=URL, help=help)
    if isinstance(default, float):
        return column.number_input(label, value=default, step=None, format="%g", key=key, bind=URL, help=help)
    return column.text_input(label, default, key=key, bind=URL, help=help)


def number_or_off(
    column: Any,
    label: str,
    key: str,
    kind: type[int] | type[float] = int,
    help: str | None = None,
    *,
    least: int | None = None,
    most: int | None = None,
    step: int = 1,
) -> Any:
    """Draw a number that begins empty, which reads "off", and return it; 0 where it is off.

    Args:
        key: The parameter in the URL, which is absent while it is off.
        kind: int, or float for numbers with a fraction.
        least: The smallest number that can be entered; None: the config refuses those out of range.
        most: The largest.
        step: Of whole numbers.
    """
    shape = {"step": step} if kind is int else {"step": None, "format": "%g"}
    value = column.number_input(
        label, least, most, None, key=key, bind=URL, help=help, placeholder=OFF, **shape
    )
    return kind(value or 0)
