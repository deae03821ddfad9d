"""The choice of models on the Train page: the chosen ones, a table of all to choose from, and remedies."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.architectures import Shape, architectures
from core.architectures.fitting import takes, variant_for
from core.datasets import DatasetInfo
from core.inference import background
from core.jobs.slots import slots_of
from core.system import devices
from core.system.settings import get_settings
from core.ui.common import guard, stored_runs, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.train.model_options import broken_files
from core.ui.train.model_table import (
    FITS,
    UNKNOWN,
    Place,
    best_accuracies,
    matching,
    missing,
    model_table,
)
from core.ui.train.ticks import Shown, shown, ticked_after

KEY = "architectures"  # of the chosen models, in the address and in the session
TICKED = "ticked models"  # in the open table
SHOWN = "table of models shown"  # its rows, as `Shown`
TAKEN = "taken models"  # from the table, until the page draws the chosen ones: a dialog cannot set them
PURPOSE = "picker"


def choose_models(info: DatasetInfo) -> list[str]:
    """Draw the chosen models, with a button that opens the table of all; returns their names."""
    if taken := st.session_state.pop(TAKEN, None):
        st.session_state[KEY] = taken
    say_unknown(KEY, architectures.names(), "Architectures")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = st.multiselect(
            "Models",
            architectures.names(),
            default=["lenet5"],
            key=KEY,
            bind=URL,
            placeholder="Choose one or several",
            help="Each becomes a run of its own, with the same settings.",
        )
        opened = st.button(
            "Browse", icon=":material/table_rows:",
            help="All models with what they cost, whether they fit, and how good they were on these images.",
        )  # fmt: skip
    broken_files()
    if opened:
        st.session_state[TICKED] = list(names)
        before = st.session_state.get(SHOWN, Shown())
        st.session_state[SHOWN] = Shown(before.number)  # so that the table begins with the chosen models
        _table(info)
    return names


def remedies(names: Sequence[str], shape: Shape) -> None:
    """Draw a button for each thing that makes chosen models take the images, where they are too small.

    shape: of the images as the models get them.
    """
    refusing = [entry for name in names if not takes(entry := architectures.get(name), shape)]
    if not refusing:
        return
    side = max(entry.min_size for entry in refusing)
    with st.container(horizontal=True):
        st.button(
            f"Resize images to {side}×{side} inside the model", key="remedy resize",
            icon=":material/open_in_full:", on_click=_set, args=("resize", side),
        )  # fmt: skip
        for entry in refusing:
            other = variant_for(entry, shape)
            instead = [one for one in names if one != entry.name]
            if other is not None and other.name not in instead:
                instead.insert(list(names).index(entry.name), other.name)
                st.button(
                    f"Take {words.plain(other.name)} in place of {words.plain(entry.name)}",
                    key=f"remedy {entry.name}", icon=":material/swap_horiz:",
                    on_click=_set, args=(KEY, instead),
                )  # fmt: skip
            st.button(
                f"Leave out {words.plain(entry.name)}", key=f"leave out {entry.name}",
                icon=":material/close:", on_click=_set,
                args=(KEY, [one for one in names if one != entry.name]),
            )  # fmt: skip


def _set(key: str, value: object) -> None:
    st.session_state[key] = value


def shape_of(info: DatasetInfo) -> Shape:
    """Return the shape of the images as the models of the form get them, by what it says so far."""
    height, width, channels = info.shape
    side = st.session_state.get("resize") or st.session_state.get("random_crop") or 0
    return int(side or height), int(side or width), 1 if st.session_state.get("grey") else channels


def place_of(info: DatasetInfo) -> Place:
    """Return where the models of the form would be trained; asks the devices for their free memory."""
    settings = get_settings()
    slots = slots_of(settings)
    free = devices.free_memory(slots[0], settings.memory, slots.count(slots[0]))
    batch_size = max(1, int(st.session_state.get("batch_size", 64)))
    return Place(shape_of(info), info.num_classes, batch_size, free)


@st.dialog("Models", width="large", icon=":material/table_rows:")
def _table(info: DatasetInfo) -> None:
    with guard.show_errors():  # no context around a dialog catches them
        _choose_in_table(info)


def _choose_in_table(info: DatasetInfo) -> None:
    place, settings = place_of(info), get_settings()
    height, width, _ = place.shape
    st.caption(
        f"For images of {height}×{width} pixels in {place.num_classes} classes, {place.batch_size} a step. "
        f"Accuracy: on the test images of {words.plain(info.name)}, of each model's best experiment by "
        "validation accuracy."
    )
    search, fitting = st.columns([3, 2], vertical_alignment="bottom")
    wanted = search.text_input("Search", placeholder="such as resnet, or vgg 2014", key="search models")
    only = fitting.toggle("Only models that fit", key="models that fit")
    table = matching(model_table(settings, place, _accuracies(info)), wanted)
    if only:
        table = table[table["fits"].isin([FITS, UNKNOWN])].reset_index(drop=True)
    ticked = _tick(table)
    _counting(place)
    label = f"Take {words.count(ticked, 'model')}" if ticked else "Take no model"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, type="primary", key="take models", disabled=not ticked):
            st.session_state[TAKEN] = ticked
            st.rerun()
        st.caption(words.plain(", ".join(ticked)))


def _tick(table: pd.DataFrame) -> list[str]:
    """Draw the rows to tick; returns all ticked models, those that a search hides too."""
    ticked: list[str] = st.session_state.get(TICKED, [])
    rows: Shown = shown(st.session_state.get(SHOWN, Shown()), table["model"].tolist(), ticked)
    st.session_state[SHOWN] = rows
    chosen = st.dataframe(
        table,
        key=f"table of models {rows.number}",
        hide_index=True,
        placeholder="–",
        height=min(420, 38 + 35 * max(1, len(table))),
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": list(rows.first), "columns": [], "cells": []}},
        column_config={
            "accuracy": st.column_config.NumberColumn("accuracy here", format="percent"),
            "year": st.column_config.NumberColumn("year", format="%d"),
            "parameters": st.column_config.NumberColumn("parameters", format="compact"),
            "macs": st.column_config.NumberColumn("MACs", format="compact", help="For one image."),
            "memory": st.column_config.NumberColumn("memory", format="bytes", help="Of the training."),
        },
    )
    st.session_state[TICKED] = ticked_after(ticked, rows, chosen["selection"]["rows"])
    return st.session_state[TICKED]


def _accuracies(info: DatasetInfo) -> dict[str, float]:
    _, comparison = stored_runs.compared()
    ids = [run_id for one in comparison.competitors for run_id in one.run_ids]
    if not ids:
        return {}
    found = stored_runs.columns("model.name")
    models = dict(zip(found["run_id"], found["params.model.name"], strict=True))
    return best_accuracies(comparison, models, info.name, info.fingerprint)


def _counting(place: Place) -> None:
    """Say how many models have not been counted for these images, with a button that does."""
    settings = get_settings()
    working = background.progress_of(settings, PURPOSE)
    if working is not None and working.running:
        st.caption(f"Counting {words.plain(working.current)}: {working.done} of {working.total}.")
    elif (left := missing(settings, place)) and st.button(
        f"Count what {words.count(left, 'model')} cost{'s' if len(left) == 1 else ''} on these images",
        icon=":material/calculate:", key="count models",
        help="The prediction process builds each once, in the background: some minutes for all.",
    ):  # fmt: skip
        background.describe_all(settings, left, PURPOSE)
        st.rerun(scope="fragment")
