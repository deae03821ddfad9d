"""Test images of a run to choose from: random ones, the hardest, those of a class."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import streamlit as st

from core.analysis import mistakes
from core.datasets import ImageDataset
from core.images.pixels import to_png
from core.inference.messages import ModelImages
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.ui.common import stored_datasets, stored_predictions, words
from core.ui.common.choose import say_unknown
from core.ui.common.fields import URL
from core.ui.common.kept import kept
from core.ui.predict.picture import Picture
from core.ui.predict.thumbnails import thumbnails

SHOWN = 12
RANDOM, HARDEST, CLASS = KINDS = ("Random", "Hardest", "Of a class")
SAMPLE, ADDRESS, PLACE = "sample", "sample of the address", "samples from"
GONE = "has none of the run's test images any more"


def choose_sample(
    run: Run, images: ModelImages, shown: int = SHOWN, *, only_random: bool = False
) -> Picture | None:
    """Draw test images of a run as buttons; return the one that is chosen, at first the first of them.

    The choice stands in the address, as `sample`, the row in the dataset.

    Args:
        images: That the run's model takes.
        shown: How many are drawn at once.
        only_random: Offer no other kind.
    """
    dataset = stored_datasets.same_images(images.name, images.fingerprint)
    rows = np.empty(0, int) if dataset is None else test_rows(run, images, dataset)
    if dataset is None or not len(rows):
        st.warning(
            f"The dataset '{words.plain(images.name)}' was replaced or removed since, or {GONE}; bring an "
            "image of your own instead.",
            icon=":material/image_not_supported:",
        )
        return None
    ordered, kind = (_shuffled(rows), RANDOM) if only_random else _ordered(run, dataset, rows)
    if not len(ordered):
        st.info("No test image has this class.", icon=":material/info:")
        return None
    first = _place() * shown % len(ordered)
    offered = np.roll(ordered, -first)[:shown]
    chosen = _chosen(rows, int(offered[0]))
    if chosen not in offered:
        offered = np.concatenate([[chosen], offered[: shown - 1]])
    names = [f"test image {row}" for row in offered]
    thumbnails(dataset.images[offered], offered.tolist(), names, chosen, "thumbnails", _choose)
    if len(ordered) > shown:
        st.button("Other images", icon=":material/casino:", on_click=_others, key=f"others {kind}")
    truth = dataset.info.classes[dataset.labels[chosen]]
    return Picture(to_png(dataset.images[chosen]), truth, images.name, chosen)


def test_rows(run: Run, images: ModelImages, dataset: ImageDataset) -> np.ndarray:
    """Return the rows of a dataset that the run was tested on and that are still test images.

    Where its test predictions are missing, that is known of the version alone that the run had.
    """
    now = dataset.indices("test")
    try:
        return np.intersect1d(now, stored_predictions.answers(run).images)
    except (FileNotFoundError, DamagedArtifact, ValueError):
        return now if dataset.info.fingerprint == images.fingerprint else now[:0]


def _ordered(run: Run, dataset: ImageDataset, rows: np.ndarray) -> tuple[np.ndarray, Hashable]:
    """Draw the choice of what to show; return the rows in the order in which they are, and the choice."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        say_unknown("show", KINDS, "Test images")
        kind = st.segmented_control(
            "Test images", KINDS, default=RANDOM, required=True, key="show", bind=URL, on_change=_from_first,
            help="Hardest: those that the first model gets wrong, the most confident first, then those that "
            "it is least sure of.",
        )  # fmt: skip
        if kind == CLASS:
            classes = dataset.info.classes
            say_unknown("class", classes, "Class")
            name = st.selectbox("Class", classes, key="class", bind=URL, on_change=_from_first, width=220)
            return _shuffled(rows[dataset.labels[rows] == classes.index(name)]), (kind, name)
    if kind == HARDEST:
        return _hardest(run, rows), kind
    return _shuffled(rows), kind


def _shuffled(rows: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).permutation(rows)


def _hardest(run: Run, rows: np.ndarray) -> np.ndarray:
    """Return the rows, those that the model gets wrong first; shuffled where its answers are not known."""
    try:
        predictions = stored_predictions.predictions(run)
    except (FileNotFoundError, DamagedArtifact):
        st.caption("The test predictions of this run are missing: these are random.")
        return _shuffled(rows)

    def order() -> np.ndarray:
        answered = mistakes.answers(predictions)
        every = np.concatenate([mistakes.worst(answered)["index"], mistakes.least_certain(answered)["index"]])
        return every[np.sort(np.unique(every, return_index=True)[1])]

    found = kept(order, "hardest", run.run_id, run.ended)
    return found[np.isin(found, rows)]


def _chosen(rows: np.ndarray, first: int) -> int:
    """Return the chosen row: of a link, of a click, else the first that is shown."""
    wanted = st.query_params.get(SAMPLE)
    if wanted is not None and wanted != st.session_state.get(ADDRESS):
        if wanted.isascii() and wanted.isdecimal() and len(wanted) < 19 and int(wanted) in rows:
            st.session_state[SAMPLE] = int(wanted)
        else:
            st.warning(
                "The image of this address is not among the test images of the first model.",
                icon=":material/link_off:",
            )
    if (chosen := st.session_state.get(SAMPLE)) is None or chosen not in rows:
        chosen = st.session_state[SAMPLE] = first
    st.session_state[ADDRESS] = st.query_params[SAMPLE] = str(chosen)
    return chosen


def _place() -> int:
    """Return how often others were asked for; the chosen sample, not this, stands in the address."""
    return st.session_state.setdefault(PLACE, 0)


def _choose(row: int) -> None:
    st.session_state[SAMPLE] = row


def _others() -> None:
    st.session_state[PLACE] += 1
    st.session_state.pop(SAMPLE, None)


def _from_first() -> None:
    st.session_state[PLACE] = 0
    st.session_state.pop(SAMPLE, None)
