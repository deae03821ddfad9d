"""Two of the compared runs image by image: who is right where, and where their matrices differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis.entries import Entry
from core.analysis.evaluated_images import evaluated_images, import_of_run
from core.analysis.image_by_image import Pair, by_image, on_same_images, pair, right_together
from core.figures import confusion
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import get_store
from core.ui.common import guard, stored_datasets, stored_predictions, words
from core.ui.common.chart import chart
from core.ui.common.fields import URL
from core.ui.common.tested import runs_by_id
from core.ui.run.confusion_view import CellChoice, order_choice
from core.ui.run.gallery import dataset_of, gallery

CELL = "One cell of the matrices"
KEY = "pair"


def image_by_image(entries: Sequence[Entry]) -> None:
    """Offer to compare two of the chosen runs image by image; nothing for fewer than two single runs.

    Archived runs are left out.
    """
    single = [entry for entry in entries if not entry.is_group]
    if len(single) < 2:
        return
    if st.toggle("Compare two runs image by image", key="images", bind=URL):
        guard.fragment(None)(_compare)(single)


def _compare(single: Sequence[Entry]) -> None:
    runs = runs_by_id(single)
    answered, images = {}, {}
    import_of = stored_datasets.imports()
    for entry in single:
        run = runs[entry.key]
        if run.status == schema.FINISHED and not run.archived:
            with suppress(FileNotFoundError, DamagedArtifact, ValueError):
                images[entry.key] = evaluated_images(
                    import_of_run(run, import_of), stored_predictions.answers(run)
                )
                answered[entry.key] = by_image(stored_predictions.predictions(run))
    same = on_same_images(images)
    together = [entry for entry in single if entry.key in same]
    if len(together) < 2:
        said = "No two of these runs have predictions for the same test images."
        if any(run.archived for run in runs.values()):
            said = f"{said} Archived runs are left out."
        st.info(said, icon=":material/info:")
        return
    if len(together) < len(single):
        away = len(single) - len(together)
        archived = ", or are archived" if any(run.archived for run in runs.values()) else ""
        st.caption(f"{away} of the {len(single)} runs answered other test images, or none{archived}.")
    try:
        data = get_store().read_json(together[0].key, schema.DATA, ("name", "fingerprint", "classes"))
    except (FileNotFoundError, DamagedArtifact) as error:
        st.error(words.plain(str(error)), icon=":material/broken_image:")
        return
    first, second = st.columns(2)
    names = {entry.key: entry.name for entry in together}
    a = first.selectbox("A", list(names), format_func=names.__getitem__, key=f"{KEY}-a")
    others = [key for key in names if key != a]
    b = second.selectbox("B", others, format_func=names.__getitem__, key=f"{KEY}-b")
    found = pair(answered[a], answered[b])
    _counts(found, [answered[entry.key] for entry in together])
    _draw(found, data)


def _counts(found: Pair, every: Sequence[pd.DataFrame]) -> None:
    """Draw how often the two agree, and who is right where."""
    right_a, right_b = found.right_a, found.right_b
    numbers = {
        "Same prediction": f"{found.agreement:.1%}",
        "Both right": f"{(right_a & right_b).sum():,}",
        "Only A right": f"{(right_a & ~right_b).sum():,}",
        "Only B right": f"{(right_b & ~right_a).sum():,}",
        "Both wrong": f"{(~right_a & ~right_b).sum():,}",
    }
    for place, (label, number) in zip(st.columns(5), numbers.items(), strict=True):
        place.metric(label, number)
    if len(every) > 2:
        counts = right_together(every)
        st.caption(
            f"Of all {len(every)} runs: {counts[-1]:,} images every run gets right, {counts[1]:,} one run "
            "alone, "
            f"{counts[0]:,} none."
        )


def _draw(found: Pair, data: Mapping[str, Any]) -> None:
    """Draw the matrices and the images of what is chosen."""
    classes = data["classes"]
    first, second = found.matrices(len(classes))
    order = order_choice(first + second, f"{KEY}-order")
    choice = CellChoice(classes, _first(first, second), KEY)
    shows_cell = st.session_state.get(f"{KEY}-images") == CELL
    marked = choice.cell if shows_cell else None

    def clicked(_: int, at: Any) -> None:
        choice.choose(confusion.cell_at(at, order))
        st.session_state[f"{KEY}-images"] = CELL

    drawn = {
        "a": confusion.draw(first, classes, order, marked=marked, title="What does A mix up?"),
        "b": confusion.draw(second, classes, order, marked=marked, title="What does B mix up?"),
        "more": confusion.draw_difference(first, second, classes, order, marked=marked),
    }
    for place, (name, figure) in zip(st.columns(3), drawn.items(), strict=True):
        with place:
            chart(figure, f"{KEY}-matrix-{name}", clicked)
    st.caption("In the difference, orange cells have more images of B and blue ones more of A.")
    sets = {
        "Only A right": found.only_a,
        "Only B right": found.only_b,
        "Both wrong": found.neither,
        CELL: lambda: found.in_cell(*choice.cell),
    }
    which = st.segmented_control(
        "Images", list(sets), default="Only A right", required=True, key=f"{KEY}-images", wrap=True
    )
    if which == CELL:
        choice.draw()
    shown = sets[which or "Only A right"]()
    if shown.empty:
        empty = (
            "No image is in this cell of either run: choose another cell." if which == CELL else "No image."
        )
        st.caption(empty)
        return

    def caption(row: Any) -> str:
        a, b = classes[row.predicted_a], classes[row.predicted_b]
        return f"A: {a} ({row.confidence_a:.0%}), B: {b} ({row.confidence_b:.0%}), true: {classes[row.label]}"

    st.caption(f"{words.count(shown, 'image')}. Below each: what A and B predict, and the true class.")
    gallery(shown, dataset_of(data), caption, f"{KEY}-page-{which}-{choice.cell}")


def _first(first: Any, second: Any) -> confusion.Cell:
    """The cell in which the two differ most."""
    more = abs(second - first)
    row, column = divmod(int(more.argmax()), len(more))
    return row, column
