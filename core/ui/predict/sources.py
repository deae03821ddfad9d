"""Where the image comes from: the test set, the visitor's files, camera or hand."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.inference.messages import ModelImages
from core.tracking.run import Run
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.uploads import camera, uploader_of_many
from core.ui.predict.draw import drawn, frame_for
from core.ui.predict.paste import paste_into_uploader
from core.ui.predict.picture import Picture
from core.ui.predict.samples import choose_sample

SAMPLES, UPLOAD, CAMERA, DRAW, MANY = "Test images", "Upload", "Camera", "Draw", "Many images"
MAX_UPLOAD_MB = 32
CAMERA_PX = 560  # at most: a photo as wide as a screen is higher than it


def choose_source(options: Sequence[str]) -> str:
    """Draw the choice of where the image comes from, which stands in the address as `source`."""
    if len(options) == 1:
        return options[0]
    say_unknown("source", options, "Image")
    if st.session_state.get("source", options[0]) not in options:
        del st.session_state["source"]
    return st.segmented_control(
        "Image", options, default=options[0], required=True, key="source", bind=URL, wrap=True
    )


def sources_for(images: ModelImages) -> list[str]:
    """Return what a model's images can come from; the test images of another program's run are not known."""
    found = [SAMPLES] if images.name else []
    return [*found, UPLOAD, CAMERA, *([DRAW] if frame_for(images) else []), MANY]


def picture_from(source: str, run: Run, images: ModelImages) -> Picture | None:
    """Draw a source, and return the image that was chosen or brought; None while there is none.

    Args:
        run: Whose test images are offered, and `images` which its model takes.
    """
    if source == SAMPLES:
        return choose_sample(run, images)
    if source == CAMERA:
        photo = camera(st, "Photo", MAX_UPLOAD_MB, key="photo", width=CAMERA_PX)
        return None if photo is None else Picture(photo.getvalue())
    if source == DRAW:
        return drawn_for(images)
    files = uploader_of_many(st, "Image files", MAX_UPLOAD_MB, key="files", help=FORMATS)
    paste_into_uploader()
    if len(files) > 1:
        st.caption(f"The last of {len(files)} files; {MANY} classifies all of them.")
    return Picture(files[-1].getvalue()) if files else None


def drawn_for(images: ModelImages) -> Picture | None:
    """Draw a canvas for images like those that a model takes; return what was drawn on it."""
    frame = frame_for(images)
    return None if frame is None else drawn(frame)


FORMATS = "PNG, JPEG, WebP, GIF, BMP or TIFF."
