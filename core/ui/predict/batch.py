"""Many images at once: how far they are, and what the models say of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from core.inference.batch import Batch, Item
from core.inference.batch_items import Items, of_folder, of_zip
from core.inference.messages import Changes
from core.system.settings import NotAllowed, get_settings
from core.ui.common import guard, words
from core.ui.common.uploads import uploader_of_many
from core.ui.common.visitor import visitor
from core.ui.predict.batch_table import batch_table
from core.ui.predict.rule import Rule
from core.ui.predict.side_by_side import Model

RUNNING = "batch"  # key of the batch in the session
MAX_MB = 256  # of all files of a visitor together
LOOK_S = 0.5
HELP = (
    "Images, or one zip archive of images. Where its folders are named after classes, the answers are "
    "compared with them."
)


class Chosen(NamedTuple):
    """Many images that were chosen.

    list_items: lists them; None where there are none. key: changes when others are chosen. can_change: while
    the key stays, as what lies in a folder can.
    """

    list_items: Callable[[], Items] | None
    key: str
    can_change: bool = False


def choose_many() -> Chosen:
    """Draw the uploader, for trainers with a folder of this machine; return what was chosen."""
    files = uploader_of_many(st, "Images, or a zip of them", MAX_MB, key="many", help=HELP)
    path = ""
    if get_settings().role == "trainer":
        path = st.text_input(
            "or a folder on the server", key="folder", bind="query-params", placeholder="/data/new"
        ).strip()
    if files:
        key = " ".join(file.file_id for file in files)
        if len(files) == 1 and files[0].name.lower().endswith(".zip"):
            return Chosen(partial(of_zip, get_settings(), files[0].name, files[0].getvalue()), key)
        return Chosen(lambda: Items([Item(one.name, one.size, one.getvalue) for one in files]), key)
    return Chosen(partial(of_folder, get_settings(), path) if path else None, path, can_change=True)


def many(models: Sequence[Model], changes: Changes, rule: Rule) -> None:
    """Draw the choice of many images, the button that begins, and what became of the last batch."""
    chosen = choose_many()
    batch: Batch | None = st.session_state.get(RUNNING)
    _begin_button(models, chosen, changes, batch)
    if batch is None:
        return
    if batch.running:
        guard.fragment(LOOK_S)(_progress)(batch)
        return
    if note := st.session_state.get(f"{RUNNING} note"):
        st.caption(words.plain(note))
    if batch.problem:
        st.warning(
            words.plain(f"{batch.problem} {len(batch.rows):,} of {batch.number:,} images are done."),
            icon=":material/info:",
        )
    named = {model.run.run_id: model for model in models}
    asked = [named[run_id] for run_id in batch.run_ids if run_id in named]
    if batch.rows and asked:
        batch_table(batch.rows, asked, rule)


def _begin_button(models: Sequence[Model], chosen: Chosen, changes: Changes, batch: Batch | None) -> None:
    """Draw the button that begins a batch, where that would give another table than `batch`, the last one."""
    if chosen.list_items is None:
        return
    wanted = (chosen.key, tuple(model.run.run_id for model in models), changes)
    same = batch is not None and st.session_state.get(f"{RUNNING} of") == wanted
    if batch is not None and same and (batch.running or not (batch.problem or chosen.can_change)):
        return
    label = "Classify again" if same else "Classify them"
    if st.button(label, type="secondary" if same else "primary", icon=":material/play_arrow:"):
        if (new := _begin(models, chosen.list_items, changes)) is not None:
            if batch is not None:
                batch.cancel()
            st.session_state[RUNNING], st.session_state[f"{RUNNING} of"] = new, wanted
            st.rerun()
    elif batch is not None and not same:
        st.caption("The table below is of the images, models or changes of before.")


def _begin(models: Sequence[Model], list_items: Callable[[], Items], changes: Changes) -> Batch | None:
    """Begin a batch; None, and a sentence, where there is nothing to classify."""
    try:
        found = list_items()
        if not found.items:
            found.close()
            raise ValueError("There is no image in it.")
        top_k = max(len(model.images.classes) for model in models)
        batch = Batch(
            get_settings(), [model.run.run_id for model in models], found.items, top_k, changes, visitor(),
            found.close,
        )  # fmt: skip
    except (ValueError, NotAllowed, OSError) as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return None
    st.session_state[f"{RUNNING} note"] = found.note
    return batch


def _progress(batch: Batch) -> None:
    """Draw how far a batch is; the page is drawn anew when it has ended."""
    done, every = len(batch.rows), batch.number
    st.progress(done / every, f"{done:,} of {every:,} images")
    if st.button("Cancel", icon=":material/cancel:", key="cancel batch"):
        batch.cancel()
    if not batch.running:
        st.rerun()
