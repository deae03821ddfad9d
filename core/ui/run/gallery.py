"""Test images of a run with what was predicted for them, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.datasets import ImageDataset
from core.ui.common import stored_datasets, words
from core.ui.common.images import image_grid

A_PAGE = 24  # images


def dataset_of(data: Mapping[str, Any]) -> ImageDataset | None:
    """Return the dataset with the images that a run was tested on; None, and a sentence, where it has others.

    Its labels may have been edited since.

    data: `data.json` of the run.
    """
    found = stored_datasets.same_images(data["name"], data["fingerprint"])
    if found is None:
        st.warning(
            f"The dataset '{words.plain(data['name'])}' was replaced or removed since; "
            "its images cannot be shown.",
            icon=":material/image_not_supported:",
        )
    return found


def gallery(
    shown: pd.DataFrame, dataset: ImageDataset | None, caption: Callable[[Any], str], key: str
) -> None:
    """Draw images in the order of a table, 24 a page.

    Args:
        shown: With a column `index`, the rows in the dataset.
        dataset: None: nothing is drawn.
        caption: Of one row of `shown`, a named tuple.
        key: Of the choice of the page; another set of images needs another key.
    """
    if dataset is None or shown.empty:
        return
    pages = -(-len(shown) // A_PAGE)
    page = 1
    if pages > 1:
        page = min(st.pagination(pages, key=key), pages)
        first = (page - 1) * A_PAGE
        st.caption(f"Images {first + 1:,} to {min(first + A_PAGE, len(shown)):,} of {len(shown):,}.")
    rows = shown.iloc[(page - 1) * A_PAGE : page * A_PAGE]
    image_grid(
        [dataset.images[index] for index in rows["index"]], [caption(row) for row in rows.itertuples()]
    )


def answer_caption(classes: Sequence[str]) -> Callable[[Any], str]:
    """Return a caption of predicted class, confidence and true class, for rows of `mistakes.answers`."""

    def caption(row: Any) -> str:
        said = f"{classes[row.predicted]} ({row.confidence:.0%})"
        return said if row.predicted == row.label else f"{said}, true: {classes[row.label]}"

    return caption
