"""The Architectures page: one model in full, and two models with their differences."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.analysis.blocks import fold
from core.analysis.model_difference import aligned_layers, difference
from core.architectures import Architecture, architectures
from core.architectures.description import Description
from core.figures import block_diagram
from core.inference import descriptions
from core.inference.client import InferenceError
from core.inference.descriptions import BATCH_SIZE, ModelRequest
from core.system.settings import get_settings
from core.ui.common import layer_table, stored_datasets, words
from core.ui.common.choose import choose, say_unknown
from core.ui.common.fields import URL
from core.ui.common.layer_table import times
from core.ui.common.visitor import visitor
from core.ui.gallery.cards import card_text, train_link
from core.ui.gallery.costs import OWN
from core.ui.train.model_options import option_widgets


def one_model() -> None:
    """Draw card, counts, block diagram and layer table of a model, for an input, options and a batch size."""
    model, data, batch = st.columns([2, 2, 1])
    entry = _choose(model, "Model", "net", "resnet50")
    where = _where(data, batch)
    options = _options(entry, entry.name)
    card_text(entry)
    train_link(entry, options)
    description = _described(entry, options, *where)
    if description is None:
        return
    layer_table.totals(description)
    diagram, table = st.columns([2, 3], gap="large")
    with diagram:
        _diagram(description)
    with table:
        st.subheader("Layers")
        layer_table.layers(description, height=640)


def two_models() -> None:
    """Draw two models at one input: differences of counts, layers side by side, diagrams."""
    data, batch = st.columns([4, 1])
    where = _where(data, batch)
    sides = st.columns(2, gap="large")
    found: list[Description | None] = []
    for side, key, default in zip(sides, ("net", "other"), ("resnet34", "plain34"), strict=True):
        with side:
            entry = _choose(st, "Model" if key == "net" else "and", key, default)
            options = _options(entry, entry.name if key == "net" else f"other.{entry.name}")
            found.append(_described(entry, options, *where))
    first, second = found
    if first is None or second is None:
        return
    names = {"first": first.name, "second": second.name}
    if first.name == second.name:
        names = {"first": f"{first.name} (left)", "second": f"{second.name} (right)"}
    st.subheader("What differs")
    table = difference(first, second)
    only = st.toggle("Only what differs", True, key="differing", bind=URL)
    st.dataframe(
        (table[table["difference"] != 0] if only else table).rename(columns=names),
        hide_index=True,
        column_config={
            **{name: st.column_config.NumberColumn(format="localized") for name in names.values()},
            "difference": st.column_config.NumberColumn(format="localized"),
            "ratio": st.column_config.NumberColumn(format="%.3f"),
        },
    )
    st.subheader("Layers side by side")
    layers = aligned_layers(first, second)
    same = int(layers["same"].sum())
    st.caption(f"{same} of {len(layers)} rows have the same operation and output shape.")
    shown = layers[~layers["same"]] if only else layers
    st.dataframe(shown[["first", "second"]].rename(columns=names), hide_index=True)
    for side, description in zip(st.columns(2, gap="large"), (first, second), strict=True):
        with side:
            st.subheader(description.name)
            _graph(block_diagram.draw(fold(description.layers), description.input_shape), description.name)


def _choose(column: Any, label: str, key: str, default: str) -> Architecture:
    return architectures.get(choose(column, label, architectures.names(), key, default))


def _where(data: Any, batch: Any) -> tuple[str, int]:
    """Draw the choice of input (a dataset's, or the native one) and of the batch size."""
    names = [OWN, *(info.name for info in stored_datasets.dataset_infos())]
    say_unknown("data", names, "Input")
    return (
        data.selectbox("Input", names, key="data", bind=URL),
        batch.number_input("Batch size", 1, 65_536, BATCH_SIZE, 16, key="batch", bind=URL),
    )


def _options(entry: Architecture, prefix: str) -> dict[str, Any]:
    if not entry.options:
        return {}
    with st.expander(f"Options of {entry.name}", icon=":material/tune:"):
        return option_widgets(entry, prefix)


def _described(entry: Architecture, options: dict[str, Any], data: str, batch: int) -> Description | None:
    """Return the description, computed now if there is none yet; None after an error message."""
    info = next((info for info in stored_datasets.dataset_infos() if info.name == data), None)
    shape, classes = (info.shape, info.num_classes) if info else (None, None)
    request = ModelRequest(entry.name, shape, classes, options, batch)
    try:
        known = descriptions.cached(get_settings(), request)
        if known is not None:
            return known
        with st.spinner(
            f"The prediction process builds {words.plain(entry.name)}; the result is kept for next time."
        ):
            return descriptions.describe(get_settings(), request, visitor())
    except (ValueError, InferenceError) as error:
        st.error(words.plain(str(error)), icon=":material/block:")
        return None


def _diagram(description: Description) -> None:
    blocks = fold(description.layers)
    st.subheader("Blocks")
    st.caption(
        f"{len(description.layers)} layers on images of {times(description.input_shape)}, "
        f"folded to {len(blocks)} boxes."
    )
    _graph(block_diagram.draw(blocks, description.input_shape), description.name)
    folded = {
        f"{number}. {block.title}, {times(block.output_shape)}": block
        for number, block in enumerate(blocks, start=1)
        if len(block.last) > 1
    }
    if folded:
        chosen = st.selectbox("Layers of a block", list(folded), index=None, placeholder="Choose a block")
        if chosen:
            _graph(block_diagram.draw_inside(description.layers, folded[chosen]), chosen)


def _graph(dot: str, name: str) -> None:
    st.graphviz_chart(dot, width="content", alt=f"Block diagram of {name}")
