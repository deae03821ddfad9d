"""What of the table of runs is shown: filter, columns, order. All of it stands in the address."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis import run_filter
from core.analysis.filter_grammar import FilterError
from core.analysis.grouping import REPEATS
from core.analysis.run_filter import Filter
from core.analysis.shown_table import DEFAULT_COLUMNS
from core.analysis.table_columns import RUN, SECTIONS, SETTINGS, TableColumn
from core.analysis.titles import labels_of
from core.ui.common import words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL

BY_DEFAULT = "validation"  # what runs are sorted by
FILTER_HELP = """Words are looked for in names, states, tags and settings. Conditions compare columns:

- `model = resnet* and val_accuracy > 90%`
- `optimizer.learning_rate <= 0.01 or batch_size = 64`
- `state != finished and not tag:baseline`
- `data = "my images" and (seed = 0 or seed = 1)`
- `kept_epoch = none`

A column goes by its name, or by the end of its dotted name, which its help shows. `*` is any text."""


@dataclass(frozen=True)
class View:
    """What is shown of the table.

    Attributes:
        filter: None where it could not be understood, which was said.
        columns: Names, in their order.
        sort: The name of a column.
        group: What runs are grouped by: names of settings, or `grouping.REPEATS`.
        differing: Whether the settings in which the ticked runs differ are shown too.
        archived: Whether archived runs are shown too.
    """

    filter: Filter | None
    columns: tuple[str, ...]
    sort: str
    reverse: bool
    group: tuple[str, ...]
    differing: bool
    archived: bool


def choose(available: Mapping[str, TableColumn], tags: Collection[str]) -> View:
    """Draw the filter, the order and the choice of columns."""
    filter_box, sort_box, group_box, more_box = st.columns([3.5, 2, 2, 1.6], vertical_alignment="bottom")
    wanted = filter_box.text_input(
        "Filter",
        key="filter",
        bind=URL,
        placeholder="words, or model = resnet* and val_accuracy > 90%",
        icon=":material/search:",
        help=FILTER_HELP,
    )
    titles = labels_of(available)
    say_unknown("sort", titles.values(), "Sort by")
    sort = sort_box.selectbox(
        "Sort by",
        list(available),
        index=list(available).index(BY_DEFAULT),
        format_func=titles.__getitem__,
        key="sort",
        bind=URL,
        help="Over all runs, not only those of this page: the best first, the newest, or the smallest.",
    )
    group = _group(group_box, available)
    with more_box.popover("Columns", icon=":material/view_column:", width="stretch"):
        columns = _columns(available)
        differing = st.toggle(
            "Settings that differ",
            key="differing",
            bind=URL,
            help="Also show every setting in which the ticked runs differ; without ticks, those on the page.",
        )
        reverse = st.toggle("Reverse the order", key="reverse", bind=URL)
        archived = st.toggle(
            "Show archived",
            key="archived",
            bind=URL,
            help="Archived runs stand by themselves: no group, mark or verdict counts them.",
        )
    return View(_filter(wanted or "", available, tags), columns, sort, reverse, group, differing, archived)


def _group(box: DeltaGenerator, available: Mapping[str, TableColumn]) -> tuple[str, ...]:
    options = [REPEATS, *(name for name, one in available.items() if one.source.startswith("params."))]
    say_unknown("group", options, "Group by")
    return tuple(
        box.multiselect(
            "Group by",
            options,
            key="group",
            bind=URL,
            placeholder="nothing",
            help="Runs with the same values become one row: means over all finished ones of the store, also "
            "those that the filter hides. Seeds and folds: all other settings are the same.",
        )
    )


def _columns(available: Mapping[str, TableColumn]) -> tuple[str, ...]:
    """Draw the choice of columns, a box for each section."""
    chosen: list[str] = []
    titles = labels_of(available)
    for section in SECTIONS:
        options = [name for name, one in available.items() if one.section == section]
        key = f"{section}_columns" if section in (RUN, SETTINGS) else section
        written = [name if section == SETTINGS else titles[name] for name in options]
        say_unknown(key, written, f"Columns, {section}")
        chosen += st.multiselect(
            section.capitalize(),
            options,
            default=[name for name in DEFAULT_COLUMNS if name in options],
            format_func=dict(zip(options, written, strict=True)).__getitem__,
            key=key,
            bind=URL,
        )
    first = [name for name in DEFAULT_COLUMNS if name in chosen]  # in the order that reads well
    return (*first, *(name for name in chosen if name not in first))


def _filter(text: str, available: Mapping[str, TableColumn], tags: Collection[str]) -> Filter | None:
    try:
        return run_filter.of_text(text, available, tags)
    except FilterError as error:
        say(error)
        return None


def say(error: FilterError) -> None:
    """Show why a filter cannot be applied."""
    st.error(words.plain(str(error)), icon=":material/filter_alt_off:")
