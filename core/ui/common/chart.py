"""Plotly charts that are updated in place: a zoom, a hidden curve and the page's scroll position stay.

`st.plotly_chart` takes a chart out of the page and puts another one in whenever its data change. This
component keeps one chart per key and hands it the new data (`Plotly.react`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly
import plotly.graph_objects as go
import streamlit as st
from streamlit.components.v1 import declare_component
from streamlit.components.v2 import component

HERE = Path(__file__).parent
PACKAGE = Path(plotly.__file__).parent / "package_data"  # with plotly.min.js

# Streamlit serves the folder of a component of the first version; nothing else of that version is used.
_files = declare_component("plotlyjs", path=PACKAGE)
_chart = component(
    "chart",
    html='<div class="chart"></div>',
    css=(HERE / "chart.css").read_text(encoding="utf-8"),
    js=(HERE / "chart.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def chart(figure: go.Figure | str, key: str, clicked: Callable[[int, Any], None] | None = None) -> None:
    """Show a figure. Called again with the same key, the chart on the page takes over the new data.

    Args:
        figure: As `core.figures` draws it, or `prepared`. Room for its legend is added below, so that the
            plot keeps its height however many curves it has; colours of text and axes are those of the page's
            theme.
        key: Name of the chart, unique on its page.
        clicked: Called before the page runs again when a point is clicked, with the number of its trace and
            its place in it: an int, or `[row, column]` in a heat map. A click needs a pointer: offer the
            same by a widget.
    """
    text = figure if isinstance(figure, str) else prepared(figure)
    data = {"figure": text, "library": _library(), "clickable": clicked is not None}
    if clicked is None:
        _chart(data=data, key=key)
        return

    def on_click() -> None:
        point = st.session_state[key]["clicked"]
        if point is not None:
            clicked(point["trace"], point["at"])

    _chart(data=data, key=key, on_clicked_change=on_click)


def prepared(figure: go.Figure) -> str:
    """Return a figure as the page takes it: to be kept where it is shown again and again."""
    return go.Figure(figure).update_layout(template="none").to_json()


def _library() -> str:
    """Address of plotly.js, of the version that this Plotly writes figures for."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"{f'/{base}' if base else ''}/component/{_files.name}/plotly.min.js?v={plotly.__version__}"
