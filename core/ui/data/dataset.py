"""Choose a dataset; show its size, classes, counts and samples; delete it."""

from __future__ import annotations

import streamlit as st

from core import datasets
from core.datasets import DatasetInfo, curate
from core.datasets import store as stored
from core.figures import class_counts
from core.images import value_range
from core.jobs import deletion
from core.tracking.store import RunStore
from core.ui.common import guard, stored_datasets, words
from core.ui.common.actions import may_change
from core.ui.common.chart import chart
from core.ui.common.choose import say_unknown
from core.ui.common.images import image_grid

SAMPLES_A_CLASS = 6
MAX_CLASSES_SHOWN = 20


def choose_dataset(store: RunStore) -> DatasetInfo | None:
    """Draw a select box of the datasets; the choice is kept in the URL. Returns None if none is readable.

    Damaged datasets are listed first, with remedies.
    """
    for name, sentence in stored_datasets.damaged_datasets().items():
        _damaged(store, name, sentence)
    infos = {info.name: info for info in stored_datasets.dataset_infos()}
    if not infos:
        st.info("There is no dataset that can be read.", icon=":material/info:")
        return None
    say_unknown("dataset", infos, "Dataset")
    name = st.selectbox("Dataset", list(infos), key="dataset", bind="query-params")
    return infos[name]


def _damaged(store: RunStore, name: str, sentence: str) -> None:
    """Draw a dataset that cannot be read; a trainer may delete it, or undo edits that cannot be read."""
    st.error(words.plain(sentence), icon=":material/broken_image:")
    if store.settings.role != "trainer":
        return
    with st.container(horizontal=True), guard.show_errors():
        if stored.has_edits(name) and st.button(
            f"Undo all changes of {words.plain(name)}", key=f"undo-damaged-{name}", icon=":material/undo:"
        ):
            curate.undo_all(name)
            st.rerun()
        if st.button(f"Delete {words.plain(name)}", key=f"delete-damaged-{name}", icon=":material/delete:"):
            deletion.delete_dataset(store, name)
            st.rerun()


def train_link(info: DatasetInfo) -> None:
    """Draw a link to the Train form with this dataset, for those who may train."""
    if may_change():
        st.page_link(
            "pages/2_Train.py",
            label="Train on this",
            icon=":material/model_training:",
            query_params={"dataset": info.name},
        )


def facts(info: DatasetInfo) -> None:
    """Draw size, classes and counts, and what was left out at the import."""
    height, width, channels = info.shape
    images, classes, pixels, test = st.columns(4)
    images.metric("Images", f"{info.size:,}")
    classes.metric("Classes", info.num_classes)
    pixels.metric("Pixels", f"{height}×{width}×{channels}")
    test.metric("Held out for testing", f"{sum(info.counts['test']):,}")
    if info.description:
        st.caption(info.description)
    for note in info.notes:
        st.caption(words.plain(note))
    if info.value_range == value_range.FULL and info.source.startswith("imported"):
        st.caption(value_range.UNRECORDED)
    chart(class_counts.draw(info.classes, info.counts), f"classes-{info.name}")


def deletion_panel(store: RunStore, info: DatasetInfo) -> None:
    """Delete a dataset after a confirmation that names the runs that were trained on it."""
    if not may_change() or info.source.startswith("shipped"):
        return
    with st.popover("Delete this dataset", icon=":material/delete:"), guard.show_errors():
        users = deletion.users_of(store, info.name)
        st.markdown(f"Delete **{words.plain(info.name)}** from disk? Its source files stay where they are.")
        if len(users):
            names = ", ".join(words.plain(name) for name in users["name"].head(5))
            more = f" and {len(users) - 5:,} more" if len(users) > 5 else ""
            st.markdown(
                f"{words.count(users)} used it: {names}{more}. They keep their results, but can no longer be "
                "resumed or show their images."
            )
        if st.button("Delete it", key=f"delete-{info.name}", type="primary"):
            deletion.delete_dataset(store, info.name)
            st.toast(f"Deleted {words.plain(info.name)}.", icon=":material/check:")
            st.rerun()


def samples(info: DatasetInfo) -> None:
    """Draw some images of every class."""
    st.subheader("Samples")
    seed = st.session_state.setdefault("samples-seed", 0)
    if st.button("Shuffle", icon=":material/casino:"):
        seed = st.session_state["samples-seed"] = seed + 1
    dataset = stored_datasets.dataset(info.name)
    for index, name in enumerate(info.classes[:MAX_CLASSES_SHOWN]):
        rows = datasets.sample(info.name, index, SAMPLES_A_CLASS, seed=seed)
        label, grid = st.columns([1, 8], vertical_alignment="center")
        label.markdown(f"**{words.plain(name)}**")
        with grid:
            image_grid([dataset.images[row] for row in rows], [""] * len(rows), size=72)
    if info.num_classes > MAX_CLASSES_SHOWN:
        st.caption(f"The first {MAX_CLASSES_SHOWN} of {info.num_classes} classes.")
