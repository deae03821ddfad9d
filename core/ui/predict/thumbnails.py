"""Images that are chosen by a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from core.images.pixels import to_data_url

HERE = Path(__file__).parent
SIDE = 112  # pixels of a thumbnail at most
SHARP = 64  # pixels of an image that is enlarged without being blurred

_thumbnails = component(
    "thumbnails",
    html='<div class="thumbnails" role="group"></div>',
    css=(HERE / "thumbnails.css").read_text(encoding="utf-8"),
    js=(HERE / "thumbnails.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def thumbnails(
    images: Sequence[np.ndarray],
    ids: Sequence[int],
    names: Sequence[str],
    chosen: int,
    key: str,
    picked: Callable[[int], None],
) -> None:
    """Draw images as buttons.

    Args:
        images: uint8 `(H, W, C)` each.
        ids: What `picked` gets.
        names: What a screen reader says.
        chosen: The id of the one that is marked.
        picked: Called before the page runs again when one is clicked.
    """
    shown = [
        {"id": id_, "source": to_data_url(image, SIDE), "name": name}
        for image, id_, name in zip(images, ids, names, strict=True)
    ]
    sharp = bool(len(images)) and max(images[0].shape[:2]) <= SHARP

    def on_picked() -> None:
        if (one := st.session_state[key]["picked"]) in ids:
            picked(one)

    _thumbnails(
        data={"images": shown, "chosen": chosen, "sharp": sharp, "label": "Test images"},
        key=key,
        on_picked_change=on_picked,
    )
