"""Small images, enlarged."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image

from core.images.pixels import to_image
from core.ui.common import words

SHOWN_PX = 96


def enlarged(pixels: np.ndarray, size: int = SHOWN_PX) -> Image.Image:
    """Enlarge an image, uint8 `(H, W, C)`, to `size` pixels, keeping its pixels sharp."""
    image = to_image(pixels)
    factor = size / max(image.size)
    shape = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(shape, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BICUBIC)


def image_grid_png(images: Sequence[bytes], size: int = SHOWN_PX) -> None:
    """Draw PNG files in rows that wrap."""
    decoded = [np.asarray(Image.open(io.BytesIO(png))) for png in images]
    with st.container(horizontal=True, gap="small"):
        for pixels in decoded:
            st.image(enlarged(pixels.reshape(*pixels.shape[:2], -1), size), width=size)


def image_grid(images: Sequence[np.ndarray], captions: Sequence[str], size: int = SHOWN_PX) -> None:
    """Draw images in rows that wrap, each with its caption below, as text."""
    with st.container(horizontal=True, gap="medium"):
        for pixels, caption in zip(images, captions, strict=True):
            with st.container(width=size + 24, gap="xxsmall"):
                st.image(enlarged(pixels, size), width=size)
                st.caption(words.plain(caption))
