"""Drawing an image with a mouse or a finger, for models of drawn signs such as digits."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from core.images.drawing import Frame, frame_of, framed
from core.images.pixels import to_png
from core.inference.messages import ModelImages
from core.ui.common import stored_datasets
from core.ui.common.kept import kept
from core.ui.predict.picture import Picture

HERE = Path(__file__).parent
SIDE = 140  # pixels of what the browser sends
LARGEST = 96  # pixels of images that are drawn; larger ones are photos
MEASURED = 200  # training images, spread over all: many datasets are sorted by class

_canvas = component(
    "canvas",
    html='<div class="drawing"><canvas aria-label="Draw here"></canvas>'
    '<button type="button">Clear</button></div>',
    css=(HERE / "canvas.css").read_text(encoding="utf-8"),
    js=(HERE / "canvas.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def frame_for(images: ModelImages) -> Frame | None:
    """Return where the strokes of a model's training images lie; None where these are no drawings."""
    dataset = stored_datasets.same_images(images.name, images.fingerprint)
    height, width, channels = images.shape
    if dataset is None or channels != 1 or dataset.info.shape[2] != 1 or max(height, width) > LARGEST:
        return None

    def measure() -> Frame | None:
        rows = dataset.indices("train")
        if not len(rows):
            return None
        return frame_of(dataset.images[rows[np.unique(np.linspace(0, len(rows) - 1, MEASURED, dtype=int))]])

    return kept(measure, "frame of drawings", images.name, images.fingerprint, dataset.info.fingerprint)


def drawn(frame: Frame) -> Picture | None:
    """Draw the canvas; return what was drawn on it, placed as the training images are."""
    found = _canvas(
        data={"dark": frame.light}, key="canvas", default={"drawn": ""}, on_drawn_change=lambda: None
    )
    ink = _ink(found["drawn"])
    pixels = None if ink is None else framed(ink, frame)
    if pixels is None:
        st.caption("Draw above; the models answer after each stroke.")
        return None
    return Picture(to_png(pixels))


def _ink(sent: object) -> np.ndarray | None:
    """Return the pixels that a browser sent, uint8 `(SIDE, SIDE)`; None for anything else."""
    if not isinstance(sent, str) or len(sent) != 4 * -(-(SIDE**2) // 3):
        return None
    try:
        return np.frombuffer(base64.b64decode(sent, validate=True), np.uint8).reshape(SIDE, SIDE)
    except (binascii.Error, ValueError):
        return None
