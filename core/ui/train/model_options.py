"""The options of a model as widgets, drawn from its `Option`s; what is chosen stands in the URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.architectures import Architecture, Option, architectures, checked_choice
from core.datasets import DatasetInfo
from core.inference import descriptions
from core.inference.descriptions import ModelRequest
from core.system.settings import get_settings
from core.ui.common import layer_table, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.visitor import latest

LIVE_S = 1.0


def is_written(entry: Architecture) -> bool:
    """Whether the layers of a model are text that a person writes."""
    return any(option.max_length for option in entry.options)


def written_options(entry: Architecture, info: DatasetInfo) -> dict[str, Any]:
    """Draw the options of a model that is written, and what becomes of the text on this dataset, by layer."""
    with st.expander(f"Options of {entry.name}", expanded=True):
        options = option_widgets(entry, entry.name)
        _preview(entry, options, info)
    return options


def folded_options(entries: Sequence[Architecture]) -> dict[str, dict[str, Any]]:
    """Draw the options of all others, whose defaults are those of the papers; returns them by model."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.options:
            st.markdown(f"**{words.plain(entry.name)}**")
        found[entry.name] = option_widgets(entry, entry.name)
    if not any(found.values()):
        st.caption("The chosen models have no options.")
    return found


def option_widgets(entry: Architecture, prefix: str) -> dict[str, Any]:
    """A widget an option, in three columns; text takes the whole width. prefix: of their keys."""
    columns = st.columns(3) if any(not option.max_length for option in entry.options) else []
    return {
        option.name: _widget(option, prefix, st if option.max_length else columns[position % 3])
        for position, option in enumerate(entry.options)
    }


def broken_files() -> None:
    """Which files of the folder of own models could not be read, and why; nothing when all could."""
    for file, reason in architectures.problems().items():
        st.warning(f"{words.plain(file)}: {words.plain(reason)}", icon=":material/extension_off:")


def _widget(option: Option, prefix: str, column: Any) -> Any:
    label, key = option.name.replace("_", " "), f"{prefix}.{option.name}"
    if option.max_length:
        return column.text_area(
            label,
            option.default,
            height=260,
            max_chars=option.max_length,
            key=key,
            help=option.help,
            bind=URL,
        )
    if isinstance(option.default, bool):
        return column.toggle(label, option.default, key=key, help=option.help, bind=URL)
    if isinstance(option.default, str):
        say_unknown(key, option.choices, label)
        position = option.choices.index(option.default)
        return column.selectbox(label, option.choices, index=position, key=key, help=option.help, bind=URL)
    kind = type(option.default)
    low, high = (None if bound is None else kind(bound) for bound in (option.minimum, option.maximum))
    step = kind(option.step or (1 if kind is int else 0.05))
    return column.number_input(label, low, high, option.default, step, key=key, help=option.help, bind=URL)


def _preview(entry: Architecture, options: dict[str, Any], info: DatasetInfo) -> None:
    """The layers on images of the dataset, or the first mistake in one line."""
    try:
        checked_choice(entry.name, info.shape, info.num_classes, options)
    except ValueError as error:
        st.error(words.plain(str(error)), icon=":material/edit_note:")
        return
    request = ModelRequest(entry.name, info.shape, info.num_classes, options)
    known = descriptions.cached(get_settings(), request)
    st.fragment(_layers, run_every=None if known else LIVE_S)(request)


def _layers(request: ModelRequest) -> None:
    """Asks in the background, so that the form stays usable while the prediction process starts."""
    description = descriptions.cached(get_settings(), request)
    if description is not None:
        layer_table.summary(description)
        layer_table.layers(description)
    elif problem := latest().ask(f"form {request.name}", request):
        st.error(words.plain(problem), icon=":material/edit_note:")
    else:
        st.caption(":material/hourglass_top: The layers are being counted.")
