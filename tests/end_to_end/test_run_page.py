"""The page of a finished run, in a real browser."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core.analysis.mistakes import answers, confusion_matrix, in_cell
from core.tracking import frames
from core.tracking.store import get_store
from tests.support.homes import Trained

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
# The middle of a cell on the page, by the axes of the drawn plot.
PLACE = """(plot, [row, column]) => {
    const { xaxis, yaxis } = plot._fullLayout, area = plot.getBoundingClientRect();
    return [area.x + xaxis._offset + xaxis.d2p(column), area.y + yaxis._offset + yaxis.d2p(row)];
}"""


def test_a_click_on_a_cell_of_the_confusion_matrix_shows_its_images(
    page: Page, trained: Trained, trained_address: str
) -> None:
    predictions = frames.predictions(get_store(), trained.run_id)
    answered, matrix = answers(predictions), confusion_matrix(predictions)
    mistakes = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    assert (mistakes > 0).sum() >= 2
    label, predicted = map(int, np.argwhere(mistakes > 0)[-1])  # another than the most frequent, or the same
    cells = {"a mistake": (label, predicted), "right answers": (label, label)}
    page.goto(f"{trained_address}/Run?run={trained.run_id}")
    plot = page.locator(".js-plotly-plot").filter(has_text="Which classes are mixed up?")
    expect(plot).to_be_visible()
    for true, said in cells.values():
        click(page, plot, true, said)
        found = in_cell(answered, true, said)
        expected = [f"{row.predicted} ({row.confidence:.0%})" for row in found.head(24).itertuples()]
        if true != said:
            expected = [f"{text}, true: {true}" for text in expected]
        verb = "recognised as" if true == said else "taken for"
        expect(page.get_by_text(f"of {true} {verb} {said}")).to_be_visible()
        shown = page.get_by_test_id("stCaptionContainer").filter(has_text="%)")
        expect(shown).to_have_text(expected)
        expect(page.get_by_test_id("stImage")).to_have_count(len(expected))


def click(page: Page, plot: Locator, row: int, column: int) -> None:
    plot.scroll_into_view_if_needed()
    x, y = plot.evaluate(PLACE, [row, column])
    page.mouse.click(x, y)
