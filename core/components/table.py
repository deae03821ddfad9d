"""The entries of `core.components` as rows, for the command line and docs/training.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.components.losses import losses
from core.components.optimizers import optimizers
from core.components.preprocessing import preprocessings
from core.components.schedules import schedules
from core.components.settings import Component, Scalar
from core.registry import Registry

KINDS: dict[str, Registry[Any]] = {
    "optimizers": optimizers,
    "schedules": schedules,
    "preprocessings": preprocessings,
    "losses": losses,
}


def rows(entries: Iterable[Component]) -> list[dict[str, str]]:
    """Return name, summary and settings of each entry; a setting with its default and its allowed values."""
    return [
        {"name": entry.name, "summary": entry.summary, "settings": "; ".join(_settings(entry))}
        for entry in entries
    ]


def _settings(entry: Component) -> Iterable[str]:
    for setting in entry.settings:
        yield f"{setting.name} {_text(entry.default(setting))} ({setting.range})"


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "empty"
