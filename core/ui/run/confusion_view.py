"""The confusion matrix of a run, and the images of one of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis.mistakes import by_confusion, in_cell
from core.datasets import ImageDataset
from core.figures import confusion
from core.figures.confusion import Cell
from core.ui.common import words
from core.ui.common.chart import chart
from core.ui.run.gallery import answer_caption, gallery

AS_LISTED, MIXED_UP = "As listed", "Most confused first"


def confusion_view(
    answered: pd.DataFrame, matrix: np.ndarray, classes: Sequence[str], dataset: ImageDataset | None, key: str
) -> None:
    """Draw the matrix, and the images of the chosen cell, the most confident first.

    A click on a cell chooses it; so do two select boxes, for a keyboard or a small screen.

    Args:
        answered: As `core.analysis.mistakes.answers` returns it.
        matrix: Counts, int `(k, k)`.
        key: Of the run, for the widgets.
    """
    with st.container(horizontal=True):
        shares = numbers_choice(f"numbers-{key}")
        order = order_choice(matrix, f"order-{key}")
    choice = CellChoice(classes, _first(matrix), key)
    figure = confusion.draw(matrix, classes, order, shares=shares, marked=choice.cell)
    chart(figure, f"confusion-{key}", lambda _, at: choice.choose(confusion.cell_at(at, order)))
    choice.draw()
    label, predicted = choice.cell
    found = in_cell(answered, label, predicted)
    verb = "recognised as" if label == predicted else "taken for"
    true, said = words.plain(classes[label]), words.plain(classes[predicted])
    if found.empty:
        st.caption(f"No image of {true} was {verb} {said}: choose a cell with a number above 0.")
        return
    order_words = ", the most confident first" if len(found) > 1 else ""
    st.caption(f"{words.count(found, 'image')} of {true} {verb} {said}{order_words}.")
    gallery(found, dataset, answer_caption(classes), f"page-{key}-{label}-{predicted}")


def numbers_choice(key: str) -> bool:
    """Ask for counts or shares; return whether shares."""
    chosen = st.segmented_control("Numbers", ("Counts", "Shares"), default="Counts", required=True, key=key)
    return chosen == "Shares"


def order_choice(matrix: np.ndarray, key: str) -> np.ndarray:
    """Ask for the order of the classes; many classes begin with those that are mixed up most."""
    default = MIXED_UP if len(matrix) > confusion.MAX_NUMBERED else AS_LISTED
    chosen = st.segmented_control("Classes", (AS_LISTED, MIXED_UP), default=default, required=True, key=key)
    return by_confusion(matrix) if chosen == MIXED_UP else np.arange(len(matrix))


class CellChoice:
    """One cell of a confusion matrix, chosen by a click or by two select boxes."""

    def __init__(self, classes: Sequence[str], first: Cell, key: str):
        """Read the choice. first: the cell that is chosen before a person chooses. key: of the widgets."""
        self._classes = classes
        self._keys = f"true-{key}", f"predicted-{key}"
        for name, value in zip(self._keys, first, strict=True):
            st.session_state.setdefault(name, value)

    @property
    def cell(self) -> Cell:
        label, predicted = (st.session_state[name] for name in self._keys)
        return label, predicted

    def choose(self, cell: Cell) -> None:
        """Take another cell. Only before `draw`, as in a callback."""
        st.session_state.update(zip(self._keys, cell, strict=True))

    def draw(self) -> None:
        """Draw the select boxes."""
        places: Any = st.columns(2)
        for place, name, label in zip(places, self._keys, ("True class", "Predicted class"), strict=True):
            place.selectbox(label, range(len(self._classes)), format_func=self._classes.__getitem__, key=name)


def _first(matrix: np.ndarray) -> Cell:
    """The cell of the most frequent mistake; the first class's right answers where there is none."""
    wrong = matrix - np.diag(np.diag(matrix))
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    return int(row), int(column)
