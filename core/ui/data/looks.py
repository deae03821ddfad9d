"""Statistics of all images that take a moment to compute: drawn on request, and cached."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.datasets import DatasetInfo, findings
from core.figures import image_sizes, light
from core.system.settings import Settings, get_settings
from core.ui.common import stored_datasets
from core.ui.common.chart import chart
from core.ui.common.images import image_grid

MAX_CLASSES_SHOWN = 50
MAX_SIZES_SHOWN = 500


def looks(info: DatasetInfo) -> None:
    """Sizes, brightness and contrast, mean images: one at a time, by choice."""
    choice = st.segmented_control(
        "Look at", ("Sizes", "Brightness and contrast", "Mean images"), key="look", bind="query-params"
    )
    key = (get_settings(), info.name, info.fingerprint)
    if choice == "Sizes":
        _sizes(*key)
    elif choice == "Brightness and contrast":
        _brightness(info, *key)
    elif choice == "Mean images":
        means = _mean_images(*key)
        st.caption("The mean of all images of a class: what they have in common, and where they lie.")
        image_grid(means, info.classes[: len(means)])
        if info.num_classes > len(means):
            st.caption(f"The first {len(means)} of {info.num_classes:,} classes.")


def _sizes(settings: Settings, name: str, fingerprint: str) -> None:
    sizes = _original_sizes(settings, name, fingerprint)
    if len(sizes) == 1:
        height, width, count = sizes[0]
        st.markdown(f"All {count:,} images were {height}×{width} pixels.")
        return
    chart(image_sizes.draw(sizes[:MAX_SIZES_SHOWN]), f"sizes-{name}")
    ratios = [width / height for height, width, _ in sizes]
    st.caption(f"{len(sizes):,} sizes; aspect ratios from {min(ratios):.2f} to {max(ratios):.2f}.")


def _brightness(info: DatasetInfo, settings: Settings, name: str, fingerprint: str) -> None:
    values = _light(settings, name, fingerprint)
    chart(light.draw(values.brightness, values.contrast), f"light-{name}")
    dataset = stored_datasets.dataset(info.name)
    for title, rows in (
        ("The darkest", values.darkest()),
        ("The brightest", values.brightest()),
        ("Those with the least contrast", values.flattest()),
    ):
        st.markdown(f"**{title}**")
        image_grid(
            [dataset.images[row] for row in rows], [str(dataset.source_names[row]) for row in rows], 72
        )


@st.cache_data(max_entries=8, show_spinner=False)
def _original_sizes(settings: Settings, name: str, fingerprint: str) -> list[tuple[int, int, int]]:
    return findings.original_sizes(stored_datasets.dataset(name))


@st.cache_data(max_entries=8, show_spinner="Measuring all images")
def _light(settings: Settings, name: str, fingerprint: str) -> findings.Light:
    return findings.light(stored_datasets.dataset(name))


@st.cache_data(max_entries=8, show_spinner="Averaging all images")
def _mean_images(settings: Settings, name: str, fingerprint: str) -> list[np.ndarray]:
    dataset = stored_datasets.dataset(name)
    shown = range(min(dataset.info.num_classes, MAX_CLASSES_SHOWN))
    return [findings.mean_image(dataset, label) for label in shown]
