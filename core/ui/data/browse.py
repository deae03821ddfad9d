"""All images of a dataset to look through: by class, by a part of their name, in pages."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.datasets import DatasetInfo, ImageDataset
from core.ui.common import guard, stored_datasets, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.images import image_grid

PAGE = 24  # images
ALL = "all classes"


def browse(info: DatasetInfo) -> None:
    """Draw a choice of class and name, and a page of the images that match; folded while nothing is asked."""
    asked = any(st.query_params.get(key) for key in ("class", "image"))
    with st.expander("Look through the images", expanded=asked, icon=":material/grid_view:", key="browse"):
        _browse(info)


@guard.fragment(run_every=None)  # another visitor may delete it meanwhile
def _browse(info: DatasetInfo) -> None:
    choice, search, place = st.columns([2, 2, 1])
    classes = [ALL, *info.classes]
    say_unknown("class", classes, "Class")
    chosen = choice.selectbox("Class", classes, key="class", bind=URL)
    wanted = search.text_input("Name", key="image", bind=URL, max_chars=200, placeholder="a part of it")
    dataset = stored_datasets.dataset(info.name)
    found = matching(dataset, None if chosen == ALL else info.classes.index(chosen), wanted or "")
    pages = max(1, -(-len(found) // PAGE))
    page = place.number_input("Page", 1, pages, 1, key=f"page of {info.name} {chosen} {wanted}")
    st.caption(f"{words.count(found, 'image')}, page {page} of {pages:,}")
    rows = found[(page - 1) * PAGE : page * PAGE]
    image_grid([dataset.images[row] for row in rows], [str(dataset.source_names[row]) for row in rows])


def matching(dataset: ImageDataset, class_index: int | None, name: str) -> np.ndarray:
    """Return the rows of the images of a class (None: of all) whose names contain a text, in any case.

    Images that were left out are not among them.
    """
    rows = dataset.indices()
    if class_index is not None:
        rows = rows[dataset.labels[rows] == class_index]
    if not name.strip():
        return rows
    lower = name.strip().lower()
    return np.asarray([row for row in rows if lower in str(dataset.source_names[row]).lower()], rows.dtype)
