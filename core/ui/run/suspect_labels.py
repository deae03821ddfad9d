"""Labels that are probably wrong: their images, what a person decides, and the ranking without them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis.entries import Entry
from core.analysis.suspect_labels import correction, ranking_words, suspects
from core.analysis.suspect_models import Models, models_of
from core.datasets import DatasetError, ImageDataset, curate, edits
from core.datasets import store as stored
from core.system.settings import NotAllowed, Settings, get_settings
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from core.tracking.store import get_store
from core.ui.common import guard, stored_datasets, stored_predictions, words
from core.ui.common.actions import may_change
from core.ui.common.fields import URL
from core.ui.common.images import enlarged
from core.ui.common.tested import runs_by_id, state_of
from core.ui.run.gallery import dataset_of

A_PAGE = 12  # images
WIDTH = 300  # px, of one image with its buttons
KEEP, RELABEL, LEAVE_OUT = "Keep", "Relabel", "Leave out"
REFUSED = "suspect-refused"
ABOUT = (
    "Confident learning (cleanlab) marks labels that contradict what a model predicts for images that it was "
    "not trained on: its validation and test images, or all images where folds are put together."
)
FLATTERED = (
    "Only suspects that more than half of the models mark, and that you did not keep, are left out here. The "
    "models choose them themselves, which flatters all of them: look at the images first."
)
EDITED = (
    "What you decide changes the dataset in this program, never your files: runs that start from now on use "
    "it. The Data page lists and undoes it too; another click on a button undoes it here."
)


def suspect_labels(entries: Sequence[Entry]) -> None:
    """Offer to look for wrong labels by the predictions of some runs and groups."""
    if not entries:
        return
    if st.toggle("Look for wrong labels", key="suspects", bind=URL, help=ABOUT):
        guard.fragment(None)(_look)(entries)


class Found(NamedTuple):
    """The suspects (`suspect_labels.suspects`), and the models that mark them."""

    table: pd.DataFrame
    models: Models


def _look(entries: Sequence[Entry]) -> None:
    runs = runs_by_id(entries)
    found = _found(get_settings(), tuple(entries), state_of(runs), runs)
    if found is None:
        st.info(
            "None of these runs has predictions that its labels could be checked by.", icon=":material/info:"
        )
        return
    try:
        needed = ("name", "fingerprint", "classes")
        data = get_store().read_json(found.models.of_run, schema.DATA, needed)
    except (FileNotFoundError, DamagedArtifact) as error:
        st.error(words.plain(str(error)), icon=":material/broken_image:")
        return
    for sentence in found.models.left_out:
        st.caption(words.plain(sentence))
    st.markdown(_counted(found))
    if found.table.empty:
        return
    dataset = dataset_of(data)
    made = edits.Edits()
    if dataset is not None:
        made = edits.read(stored.folder_of(data["name"]))
        _images(found.table, dataset, made, data["classes"])
    _ranking(found, made, data["classes"])


@st.cache_resource(max_entries=8, show_spinner="Looking for wrong labels")
def _found(
    settings: Settings, entries: tuple[Entry, ...], state: Hashable, _runs: Mapping[str, Run]
) -> Found | None:
    def read(run_id: str, name: str) -> pd.DataFrame:
        if name == schema.PREDICTIONS:
            return stored_predictions.predictions(_runs[run_id])
        return stored_predictions.validation_predictions(_runs[run_id])

    models = models_of(entries, _runs, read, stored_datasets.imports())
    return None if models is None else Found(suspects(models.models), models)


def _counted(found: Found) -> str:
    """Say how many labels are suspect, and how many all models mark."""
    models, table = found.models.models, found.table
    images = len(np.unique(np.concatenate([one.images for one in models])))
    if table.empty:
        return f"No label of {images:,} images looks wrong."
    said = f"{len(table):,} of {images:,} labels look wrong"
    if len(models) == 1:
        return f"{said} to this model. Tick several runs on Compare to see how many models agree."
    every = int((table["models"] == table["of"]).sum())
    return (
        f"{said} to at least one of {len(models)} models, {every:,} to all models that predicted the image."
    )


def _images(table: pd.DataFrame, dataset: ImageDataset, made: edits.Edits, classes: Sequence[str]) -> None:
    """Draw the suspects, a page at a time, each with what can be done with it."""
    changes = may_change()
    if changes:
        st.caption(EDITED)
    if refused := st.session_state.pop(REFUSED, None):
        st.error(words.plain(refused), icon=":material/block:")
    pages = -(-len(table) // A_PAGE)
    page = min(st.pagination(pages, key="suspects-page"), pages) if pages > 1 else 1
    shown = table.iloc[(page - 1) * A_PAGE : page * A_PAGE]
    with st.container(horizontal=True, gap="medium"):
        for row in shown.itertuples():
            with st.container(width=WIDTH, gap="xxsmall", border=True):
                st.image(enlarged(dataset.images[row.index]), width=96)
                given, proposed = (words.plain(classes[label]) for label in (row.label, row.proposed))
                st.markdown(f"labelled **{given}**, proposed **{proposed}** ({row.confidence:.0%})")
                source = words.plain(str(dataset.source_names[row.index]))
                st.caption(f"{row.models} of {row.of} model{'' if row.of == 1 else 's'} · {source}")
                if changes:
                    _buttons(dataset, row, made, classes[row.label], classes[row.proposed])


def _buttons(dataset: ImageDataset, row: Any, made: edits.Edits, label: str, proposed: str) -> None:
    """Draw what can be decided of one image; a click on what is chosen undoes it.

    Args:
        label: The class which the models were given, by the import or by an edit before they were trained.
        proposed: That with which it is relabelled unless another one is selected.
    """
    name, counted = dataset.info.name, made.counted_as()
    now = dataset.info.classes[dataset.labels[row.index]]
    key, selected = f"suspect-{name}-{row.index}", f"suspect-{name}-{row.index}-class"
    st.session_state[key] = decision(made, row.index, now, label)
    label_now, proposed = counted.get(label, label), counted.get(proposed, proposed)
    others = [one for one in dict.fromkeys((*dataset.info.classes, proposed)) if one != label_now]
    if st.session_state[key] == RELABEL:
        st.session_state[selected] = now
    elif st.session_state.get(selected) not in others:
        st.session_state[selected] = proposed if proposed in others else others[0]
    doubted = {row.index: label}

    def decide() -> None:
        chosen = st.session_state[key]
        try:
            if chosen == KEEP:
                curate.confirm(name, [row.index], doubted)
            elif chosen == RELABEL:
                curate.relabel(name, {row.index: st.session_state[selected]})
            elif chosen == LEAVE_OUT:
                curate.leave_out_doubted(name, [row.index], doubted)
            else:
                curate.undecide(name, [row.index], doubted)
        except (DatasetError, NotAllowed) as error:
            st.session_state[REFUSED] = str(error)

    st.segmented_control(
        f"Decision about image {row.index}",
        (KEEP, RELABEL, LEAVE_OUT),
        key=key,
        on_change=decide,
        label_visibility="collapsed",
    )

    def select() -> None:
        if st.session_state[key] == RELABEL:
            decide()

    st.selectbox("Relabel as", others, key=selected, on_change=select)


def decision(made: edits.Edits, row: int, now: str, label: str) -> str | None:
    """Return what was decided of the label of an image; None where nothing was.

    An edited label is no decision where the models were given it.

    Args:
        now: The class that the image has; label: that which the models were given.
    """
    counted = made.counted_as()
    if row in made.left_out:
        return LEAVE_OUT
    if now == counted.get(label, label):
        return KEEP if row in made.confirmed else None
    return RELABEL if row in made.relabelled else None


def _ranking(found: Found, made: edits.Edits, classes: Sequence[str]) -> None:
    """Draw the test accuracies without the suspects and with the decisions, and if the ranking changes."""
    models, table = found.models, found.table
    if not models.predicted:
        st.caption("None of these runs has test predictions, so there is no accuracy to measure again.")
        return
    doubted = table[(table["models"] > table["of"] / 2) & ~table["index"].isin(made.confirmed)]
    places = {name: place for place, name in enumerate(classes)}
    again = correction(
        models.predicted,
        models.test_images,
        models.test_labels,
        doubted["index"].to_numpy(),
        np.array(sorted(made.left_out), "int64"),
        {row: places[name] for row, name in made.relabelled.items() if name in places},
    )
    st.markdown(f"**{words.plain(ranking_words(again))}**")
    columns = {"model": list(again.names), "as labelled": [f"{one:.2%}" for one in again.given]}
    if again.removed:
        columns["without suspects"] = [f"{one:.2%}" for one in again.without]
    if again.corrected is not None:
        columns["with your corrections"] = [f"{one:.2%}" for one in again.corrected]
    st.dataframe(pd.DataFrame(columns), hide_index=True, height="content" if len(again.names) < 10 else 400)
    if again.removed:
        st.caption(FLATTERED)
