"""Show the edits of a dataset since its import, and undo them, one by one or all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from core.datasets import DatasetError, DatasetInfo, ImageDataset, curate, edits, store
from core.system.settings import NotAllowed
from core.ui.common import stored_datasets, words
from core.ui.common.actions import action_button
from core.ui.common.images import image_grid

IMAGES_SHOWN = 6
TABLE_ROWS_PX = 35
MAX_TABLE_PX = 260


def edits_panel(info: DatasetInfo) -> None:
    """Draw the edits of a dataset, with buttons that undo the chosen ones; nothing if there are none."""
    made = edits.read(store.folder_of(info.name)) if store.exists(info.name) else edits.Edits()
    if not made:
        return
    dataset, imported = stored_datasets.dataset(info.name), store.read_imported(info.name)
    with st.expander(f"Changes since the import: {' '.join(made.sentences())}", icon=":material/edit_note:"):
        if made.left_out:
            _images(
                "Left out", imported, dataset, sorted(made.left_out), "Take back",
                lambda rows: curate.take_back(info.name, rows),
            )  # fmt: skip
        if made.moved:
            _images(
                "Put in another set", imported, dataset, sorted(made.moved), "Move back",
                lambda rows: curate.move_back(info.name, rows),
            )  # fmt: skip
        if made.relabelled:
            _images(
                "Relabelled", imported, dataset, sorted(made.relabelled), "Undo for",
                lambda rows: curate.undecide(info.name, rows), made.relabelled,
            )  # fmt: skip
        if made.confirmed:
            _images(
                "Doubted and kept", imported, dataset, sorted(made.confirmed), "Undo for",
                lambda rows: curate.undecide(info.name, rows, made.relabelled),
            )  # fmt: skip
        for one, other in made.counted_as().items():
            text, button = st.columns([3, 2], vertical_alignment="center")
            text.markdown(f"Class {words.plain(one)} is counted as {words.plain(other)}.")
            if action_button(f"Separate {words.plain(one)}", button, key=f"separate-{one}"):
                act(lambda one=one: curate.unmerge_class(info.name, one))  # type: ignore[misc]
        if action_button("Undo all changes", icon=":material/undo:"):
            act(lambda: curate.undo_all(info.name))


def _images(
    title: str,
    imported: ImageDataset,
    dataset: ImageDataset,
    rows: Sequence[int],
    label: str,
    undo: Callable[[Sequence[int]], object],
    relabelled: Mapping[int, str] | None = None,
) -> None:
    """Draw a table of images, and a button that undoes the edits of the selected ones."""
    st.markdown(f"**{title}: {words.count(rows, 'image')}**")
    names = imported.info.classes
    table = {
        "image": [str(imported.source_names[row]) for row in rows],
        "class": [names[imported.labels[row]] for row in rows],
        **({"class now": [relabelled[row] for row in rows]} if relabelled else {}),
        "imported into": [SET_WORDS[imported.subsets[row]] for row in rows],
        "now": [SET_WORDS[dataset.subsets[row]] for row in rows],
    }
    chosen = st.dataframe(
        table,
        hide_index=True,
        height=min(TABLE_ROWS_PX * (len(rows) + 1) + 3, MAX_TABLE_PX),
        on_select="rerun",
        selection_mode="multi-row",
        key=f"edits-{title}-{len(rows)}-{rows[0]}",
    )
    picked = [rows[i] for i in chosen.selection.rows if i < len(rows)]
    if picked:
        image_grid(
            [imported.images[row] for row in picked[:IMAGES_SHOWN]],
            [str(imported.source_names[row]) for row in picked[:IMAGES_SHOWN]],
        )
    text = f"{label} {words.count(picked, 'image')}" if picked else f"{label} (choose rows of the table)"
    if action_button(text, key=f"undo-{title}", icon=":material/undo:", disabled=not picked):
        act(lambda: undo(picked))


SET_WORDS = {-1: "left out", 0: "training", 1: "validation", 2: "test"}


def act(do: Callable[[], object]) -> None:
    try:
        do()
    except (DatasetError, NotAllowed) as error:
        st.error(words.plain(str(error)), icon=":material/block:")
    else:
        st.rerun()
