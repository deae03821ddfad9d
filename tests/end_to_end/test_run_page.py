"""A finished run in a real browser: its confusion matrix, and the files that pages hand out."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core.analysis.mistakes import answers, confusion_matrix, in_cell
from core.analysis.titles import label
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


def test_the_table_the_model_and_the_study_arrive_as_files(
    page: Page, trained: Trained, trained_address: str
) -> None:
    page.set_viewport_size({"width": 1920, "height": 1000})  # only columns that are seen can be read
    page.goto(f"{trained_address}/Compare?runs={trained.run_id}")
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("th", has_text="validation accuracy")).to_have_count(1)
    table.hover()
    expect(page.get_by_role("button", name="Fullscreen").first).to_be_visible()
    unsafe = page.get_by_label("Download as CSV")  # Streamlit's, with formulas as they are
    expect(unsafe.first).to_be_attached()
    assert not any(button.is_visible() for button in unsafe.all())
    page.get_by_role("button", name="Export").click()
    (row,) = csv.DictReader(io.StringIO(downloaded(page, "CSV", "runs.csv").decode()))
    written = {label(name): cell for name, cell in row.items()}
    titles = table.locator("th").all_inner_texts()
    shown = table.locator("tr", has_text=trained.run_id[:6]).locator("td").all_inner_texts()
    cells = {title: cell for title, cell in zip(titles, shown, strict=True) if title in written}
    assert {"model", "dataset", "run", "validation accuracy", "test accuracy"} <= cells.keys()
    for title, cell in cells.items():
        assert plain(cell) == plain(written[title]), title

    page.keyboard.press("Escape")
    study = downloaded(page, "Hand on", "study.html").decode()
    assert study.lower().startswith("<!doctype html>")
    assert row["model.name"] in study
    assert f" · {trained.run_id[:6]}" in cells["run"]
    assert f" · {trained.run_id[:6]}" not in study  # names alone, where they differ without their ids
    page.goto(f"{trained_address}/Run?run={trained.run_id}")
    model = downloaded(page, "Download the model", f"{trained.run_id[:8]}.keras")
    assert model == get_store().models.file(trained.run_id).read_bytes()


def downloaded(page: Page, button: str, name: str) -> bytes:
    """What a click on a button brings, under the name that it should have."""
    with page.expect_download() as found:
        page.get_by_role("button", name=button, exact=True).click()
    assert found.value.suggested_filename == name
    return found.value.path().read_bytes()


def plain(cell: str) -> str | float:
    """A cell without its format: a number to six digits."""
    try:
        return float(f"{float(cell):.6g}")
    except ValueError:
        return cell


def click(page: Page, plot: Locator, row: int, column: int) -> None:
    plot.scroll_into_view_if_needed()
    x, y = plot.evaluate(PLACE, [row, column])
    page.mouse.click(x, y)
