"""The menu that writes the table of runs to a file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from core.analysis import export
from core.analysis.titles import label
from core.ui.compare import stars
from core.ui.compare.rows import Rows


def export_menu(rows: Rows) -> None:
    """Draw the menu that writes the ticked rows, else all rows on all pages."""
    count, total = len(rows.ticked), len(rows.listed)
    what = f"{count:,} ticked" if count else f"all {total:,}"
    with st.popover("Export", icon=":material/download:"):
        st.caption(f"The {what} row{'' if (count or total) == 1 else 's'}, with the columns shown.")
        for form, name in export.FORMATS.items():
            st.download_button(
                name,
                partial(_text, rows, form),
                file_name=f"runs.{export.ENDINGS[form]}",
                mime="text/plain" if form in ("markdown", "latex") else f"text/{form}",
                on_click="ignore",
                key=f"export-{form}",
                width="stretch",
            )


def _text(rows: Rows, form: str) -> str:
    entries = list(rows.ticked) or [rows.listed.entry(row) for row in rows.listed.rows]
    marks = stars.stars(rows.listed, entries)
    found = rows.table(entries, rows.runs(entries), marks, drop_empty=True)
    return export.write(replace(found, titles={name: label(name) for name in found.rows}), form)
