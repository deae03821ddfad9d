"""Pasting an image instead of choosing a file."""

from __future__ import annotations

from pathlib import Path

from streamlit.components.v2 import component

HERE = Path(__file__).parent

_paste = component(
    "paste",
    html='<div class="paste"><button type="button">Paste an image</button>'
    '<span role="status">or press Ctrl+V anywhere on this page</span></div>',
    css=(HERE / "paste.css").read_text(encoding="utf-8"),
    js=(HERE / "paste.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def paste_into_uploader() -> None:
    """Draw a button that gives the image on the clipboard to the page's uploader; so does Ctrl+V."""
    _paste(key="paste")
