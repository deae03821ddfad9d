"""The Architectures page: choice of view, and the cards, which need only the registry."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import streamlit as st

from core.architectures import Architecture, architectures
from core.figures.block_diagram import compact
from core.inference import descriptions
from core.inference.descriptions import ModelRequest
from core.system.settings import get_settings
from core.ui.common import words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.layer_table import times

CARDS, COSTS, ONE, TWO = VIEWS = ("Cards", "Costs", "One model", "Two models")
CARDS_PER_ROW = 3


def choose_view() -> str:
    """Draw the choice of view and return it; it is kept in the URL as `view`."""
    say_unknown("view", VIEWS, "View")
    wanted = st.query_params.get("view")
    start = wanted if wanted in VIEWS else CARDS
    chosen = st.segmented_control(
        "View", VIEWS, default=start, required=True, key=f"view-{start}", label_visibility="collapsed"
    )
    st.query_params["view"] = chosen
    return chosen


def cards() -> None:
    """Draw one card per architecture, by family; families and their members in the order of their years."""
    entries = sorted(architectures, key=lambda entry: (_first_year(entry.family), entry.family))
    families = list(dict.fromkeys(entry.family for entry in entries))
    say_unknown("family", families, "Families")
    chosen = st.pills(
        "Families", families, selection_mode="multi", key="family", bind=URL, label_visibility="collapsed"
    )
    for family, members in groupby(entries, key=lambda entry: entry.family):
        if chosen and family not in chosen:
            continue
        shown = sorted(members, key=lambda entry: (entry.card.year, entry.name))
        years = sorted({entry.card.year for entry in shown})
        span = f"{years[0]}" if len(years) == 1 else f"{years[0]}–{years[-1]}"
        st.subheader(f"{words.plain(family)} · {span}")
        for start in range(0, len(shown), CARDS_PER_ROW):
            for column, entry in zip(st.columns(CARDS_PER_ROW), shown[start:], strict=False):
                with column.container(border=True, height="stretch"):
                    _card(entry)


def card_text(entry: Architecture) -> None:
    """Draw where an architecture comes from and how it departs from its source."""
    card = entry.card
    st.markdown(words.plain(card.summary))
    source = f"{words.plain(card.authors)} ({card.year}): {_paper(card.title, card.paper)}"
    st.caption(f"{source}. Departures: {words.plain(card.departures)}")


def train_link(entry: Architecture, options: dict[str, Any] | None = None) -> None:
    """Draw a link to the Train form with this architecture and the options that differ from its defaults."""
    defaults = {option.name: option.default for option in entry.options}
    changed = {
        f"{entry.name}.{name}": str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (options or {}).items()
        if value != defaults[name]
    }
    st.page_link(
        "pages/2_Train.py",
        label="Train this",
        icon=":material/model_training:",
        query_params={"architectures": entry.name, **changed},
    )


def _card(entry: Architecture) -> None:
    card = entry.card
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{words.plain(entry.name)}**")
        st.badge(str(card.year), color="gray")
        if architectures.origin(entry.name):
            st.badge("your own", color="violet", icon=":material/extension:")
    st.markdown(words.plain(card.summary))
    costs = ""
    if description := descriptions.cached(get_settings(), ModelRequest(entry.name)):
        costs = f"{compact(description.total_parameters)} parameters · {compact(description.macs)} MACs · "
    st.caption(
        f"{costs}{times(entry.input_shape)}, {entry.num_classes} classes; from {entry.min_size} pixels  \n"
        f"{_paper(card.title, card.paper)}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/7_Architectures.py",
            label="Layers",
            icon=":material/account_tree:",
            query_params={"view": ONE, "net": entry.name},
        )
        train_link(entry)


def _first_year(family: str) -> int:
    return min(entry.card.year for entry in architectures if entry.family == family)


def _paper(title: str, paper: str) -> str:
    """Return the title, as a link where the paper has an address."""
    address = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/", "https:": "https:"}
    for prefix, start in address.items():
        if paper.startswith(prefix) and not set(paper) & set(" ()[]<>"):
            return f"[{words.plain(title)}]({start}{paper.removeprefix(prefix)})"
    return words.plain(title)
