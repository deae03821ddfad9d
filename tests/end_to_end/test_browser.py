"""What a person does, in a real browser: from an empty store to a recognised digit."""

from __future__ import annotations

import itertools
import re
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from core.datasets import load
from core.jobs import queue
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from tests.support.dashboards import page_alone
from tests.support.homes import SMALL, Trained
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_quickstart_from_the_overview_to_a_recognised_digit(page: Page, address: str, tmp_path: Path) -> None:
    page.goto(address)
    # on a new home, while the first page makes store and digits, worker and prediction processes start too
    page.get_by_role("button", name="Start the quickstart").click(timeout=180_000)
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)  # ours is the only navigation
    expect(page.get_by_role("button", name="Deploy")).to_have_count(0)

    # Progress is seen moving: at least three different states of a bar that is not full.
    seen: set[str] = set()

    def moved() -> bool:
        for bar in page.get_by_test_id("stProgress").all_inner_texts():
            if "left" in bar:
                seen.add(bar)
        return len(seen) >= 3

    wait_for(moved, 180)

    # Meanwhile a form stays typable: what is typed is neither lost nor interrupted by what renews itself.
    form = page.context.new_page()
    form.goto(f"{address}/Train")
    field = form.get_by_label("Name of the runs")
    field.click()
    field.press_sequentially("typed slowly while it trains", delay=150)
    expect(field).to_have_value("typed slowly while it trains")
    expect(field).to_be_focused()
    form.close()

    store = get_store()
    wait_for(lambda: not store.active(), 300)
    runs = frames.runs(store)
    assert runs["status"].tolist() == [schema.FINISHED] * 3
    assert set(runs["params.model.name"]) == {"lenet5", "conv3", "resnet_cifar"}
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text("finished")).to_have_count(3)

    page.get_by_test_id("stSidebar").get_by_role("link", name="Compare").click()
    plots = page.locator(".js-plotly-plot")
    expect(plots.nth(1)).to_be_visible()  # loss and accuracy; the machine's chart comes after them
    expect(plots.first.locator(".scatterlayer .trace")).to_have_count(3)

    # The digit: an image of the test set that the best model got right, written to a file of its own.
    best = runs.sort_values("metrics.best_val_accuracy").iloc[-1]
    image, label = _recognised_image(best["run_id"], tmp_path)
    page.goto(f"{address}/Predict?run={best['run_id']}&source=Upload&sure=0")
    page.locator("input[type=file]").set_input_files(image)
    expect(page.get_by_role("heading", name=f"{label} ·")).to_be_visible()

    page.goto(f"{address}/Run?run={best['run_id']}")
    expect(page.get_by_text("Which classes are mixed up?")).to_be_visible()
    page.get_by_role("radio", name="Images").click()
    expect(page.get_by_text("Wrong predictions, the most confident first.")).to_be_visible()


def test_a_run_is_launched_watched_and_cancelled_in_the_browser(page: Page, own_address: str) -> None:
    page.goto(f"{own_address}/Train?epochs=100000")
    page.get_by_role("button", name="Launch").click()
    page.get_by_role("link", name="lenet5 on digits").click()
    expect(page.get_by_role("heading", name="lenet5 on digits", exact=True)).to_be_visible()
    plots = page.locator(".js-plotly-plot")
    expect(plots.nth(1)).to_be_visible()  # a third, the machine's, comes a while later

    def points() -> int:
        drawn = "plot => plot.calcdata?.length ? plot.calcdata[0].length : 0"  # 0 while it is drawn anew
        return int(plots.first.evaluate(drawn))

    wait_for(points)
    first = points()
    wait_for(lambda: points() > first, 60)  # the curves grow while it trains

    # An axis that was zoomed by hand stays so, in the very plot that was zoomed, while new epochs arrive.
    plots.first.evaluate("plot => { plot.zoomed = true }")
    area = box(plots.first.locator(".nsewdrag"))
    left, right, middle = area["x"] + 0.2 * area["width"], area["x"] + 0.6 * area["width"], area["y"] + 60
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(right, middle, steps=5)
    page.mouse.up()
    zoomed = plots.first.evaluate("plot => plot.layout.xaxis.range")
    assert zoomed[0] > 0
    drawn = points()
    wait_for(lambda: points() > drawn + 2, 60)
    assert plots.first.evaluate("plot => plot.layout.xaxis.range") == zoomed
    assert plots.first.evaluate("plot => plot.zoomed")

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_test_id("stMain").get_by_text("cancelled")).to_be_visible()
    assert plots.first.evaluate("plot => plot.zoomed")
    assert frames.runs(get_store())["status"].tolist()[0] == schema.KILLED


def test_an_unreadable_upload_is_one_sentence(page: Page, trained_address: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is not an image")
    page.goto(f"{trained_address}/Predict?source=Upload")
    page.locator("input[type=file]").set_input_files(broken)
    expect(page.get_by_test_id("stAlert")).to_contain_text("The image ")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_negative_is_said_and_the_inversion_is_one_click(
    page: Page, trained: Trained, trained_address: str, tmp_path: Path
) -> None:
    image, label = _recognised_image(trained.run_id, tmp_path)
    negative = tmp_path / "negative.png"
    ImageOps.invert(Image.open(image)).save(negative)
    page.goto(f"{trained_address}/Predict?run={trained.run_id}&source=Upload&sure=0")
    page.locator("input[type=file]").set_input_files(negative)
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("The image is much brighter than the training images")
    page.get_by_role("button", name="Invert", exact=True).click()
    expect(page.get_by_role("heading", name=f"{label} ·")).to_be_visible()
    expect(alert).to_have_count(0)
    expect(
        page.get_by_text("as the model gets it: 28×28, grey", exact=True)
    ).to_be_visible()  # no word of crops


def test_rows_of_the_queue_are_selected_moved_and_cancelled(
    store: RunStore, page: Page, address: str
) -> None:
    ids = [store.create(SMALL.with_values({"name": name})) for name in "abcde"]
    queue.hold(store, ids)
    page.goto(f"{address}/Queue")
    choose(page, 3, 4)
    page.get_by_role("button", name="Next 2 runs").click()
    expect(page.get_by_text("Select rows to move")).to_be_visible()  # nothing is selected any more
    assert [run.name for run in queue.waiting(store)] == ["d", "e", "a", "b", "c"]
    choose(page, 1, 2, 4)  # as they stand now
    page.get_by_role("button", name="Cancel 3 runs").click()
    expect(page.get_by_text("Select rows to move")).to_be_visible()
    assert [run.name for run in queue.waiting(store)] == ["d", "b"]


def test_a_legend_takes_no_room_from_the_plot(store: RunStore, page: Page, address: str) -> None:
    ids = []
    for seed in range(30):
        ids.append(store.create(SMALL.with_values({"seed": seed})))
        store.log_metrics(ids[-1], {"val_accuracy": seed / 30, "loss": 1.0}, 1)
        store.set_status(ids[-1], schema.FINISHED)
    for width, count in itertools.product((1440, 390), (2, 7, 11, 30)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{address}/Compare?" + "&".join(f"runs={one}" for one in ids[:count]))
        chart = page.locator(".js-plotly-plot").first
        expect(chart.locator(".legend .traces")).to_have_count(count)
        wait_for(partial(legend_is_below, chart), 30)  # it is drawn again when its size changes


def test_a_group_is_its_mean_with_a_band_in_the_curves(store: RunStore, page: Page, address: str) -> None:
    ids = []
    for seed, accuracy in enumerate((0.4, 0.5, 0.6)):
        ids.append(store.create(SMALL.with_values({"name": f"net · seed {seed}", "seed": seed})))
        for epoch in (1, 2):
            store.log_metrics(ids[-1], {"val_accuracy": accuracy, "loss": 1.0}, epoch)
        store.set_status(ids[-1], schema.FINISHED)
    page.goto(f"{address}/Compare?group=seeds+and+folds&runs={ids[0]}")

    def drawn() -> list[tuple[str, list[float]]]:
        """The traces of the first chart: band or name, and heights."""
        found = page.locator(".js-plotly-plot").first.evaluate(
            "chart => (chart.data ?? []).map(one => [one.fill ?? one.name, one.y])"
        )
        return [(name, [round(value, 3) for value in heights]) for name, heights in found]

    expect(page.get_by_role("radiogroup", name="Band of a group")).to_be_visible()
    # of three values 0.1 apart: 4.303 standard deviations over the root of 3, by any table of Student's t
    interval = [0.748, 0.748, 0.252, 0.252]
    wait_for(lambda: [heights for _, heights in drawn()] == [interval, [0.5, 0.5]], 60)
    assert [name for name, _ in drawn()] == ["toself", "net · 3 runs, mean"]
    page.get_by_text("standard deviation", exact=True).click()
    wait_for(lambda: drawn()[:1] == [("toself", [0.6, 0.6, 0.4, 0.4])], 60)
    assert "band=standard+deviation" in page.url


def test_a_baseline_shows_differences_and_ticked_runs_are_deleted(
    store: RunStore, page: Page, address: str
) -> None:
    ids = []
    for name, accuracy in (("best", 0.9), ("second", 0.85), ("third", 0.8)):
        ids.append(store.create(SMALL.with_values({"name": name})))
        store.log_metrics(ids[-1], {"val_accuracy": accuracy, "test_accuracy": accuracy, "loss": 1.0}, 1)
        store.set_status(ids[-1], schema.FINISHED)
    page.set_viewport_size({"width": 1920, "height": 1000})  # only columns that are seen can be read
    page.goto(f"{address}/Compare?runs={ids[0]}&runs={ids[1]}&sort=test+accuracy&baseline={ids[0]}")
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("th", has_text="Δ test accuracy")).to_have_count(1)
    differences = table.locator("td").filter(has_text=re.compile(r"^-0\.(05|0999|1)"))
    wait_for(lambda: differences.count() == 2, 60)
    page.get_by_role("button", name="Delete 2 runs").click()
    page.get_by_role("button", name="Delete them").click()
    expect(page.get_by_text("Deleted 2 runs.")).to_be_visible(timeout=60_000)
    assert frames.runs(store)["name"].tolist() == ["third"]
    wait_for(lambda: "runs=" not in page.url, 60)


ONE_CHART = """
import plotly.graph_objects as go
from core.ui.common.chart import chart

chart(go.Figure(go.Scatter(y=[1, 2])).update_layout(title="How high?"), "one")
"""


@pytest.mark.parametrize("touch", [True, False])
def test_the_toolbar_of_a_chart_is_not_over_its_title_without_a_pointer(
    browser: Browser, tmp_path: Path, touch: bool
) -> None:
    script = tmp_path / "chart.py"
    script.write_text(ONE_CHART)
    screen = {"width": 390, "height": 844}
    with (
        page_alone(script) as url,
        browser.new_context(viewport=screen, has_touch=touch, is_mobile=touch) as context,
    ):
        page = context.new_page()
        page.goto(url)
        expect(page.locator(".js-plotly-plot .trace")).to_have_count(1)
        bar = page.locator(".js-plotly-plot .modebar-group")
        assert (bar.count() == 0) == touch
        if not touch:
            expect(bar.first).to_have_css("opacity", "0")
            page.locator(".js-plotly-plot").hover()
            expect(bar.first).to_have_css("opacity", "1")


def legend_is_below(chart: Locator) -> bool:
    """Whether plot, title of the x axis and legend stand below each other in a chart, all read at once."""
    script = """chart => [".nsewdrag", ".xtitle", ".legend .bg", null].map(part => {
        const element = part ? chart.querySelector(part) : chart;
        const box = element ? element.getBoundingClientRect() : {top: 0, bottom: 0};
        return [box.top, box.bottom];
    })"""
    plot, title, legend, whole = chart.evaluate(script)
    edges = [*plot, *title, *legend, whole[1]]
    return plot[1] - plot[0] > 230 and edges == sorted(edges)


def box(locator: Locator) -> FloatRect:
    """Where an element stands on the page, in pixels."""
    found = locator.bounding_box()
    assert found is not None
    return found


def choose(page: Page, *rows: int) -> None:
    """Select rows of a table that is drawn on a canvas, counted from 0."""
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_have_count(1)  # the table of before an action stays until the next one is drawn
    for chosen, row in enumerate(rows, start=1):
        table.click(position={"x": 16, "y": 18 + 35 * (row + 1)})
        expect(page.get_by_role("button", name=f"Cancel {chosen} run")).to_be_visible()


def _recognised_image(run_id: str, folder: Path) -> tuple[Path, str]:
    import pandas as pd

    from core.analysis.mistakes import probabilities

    predictions = pd.read_parquet(get_store().artifact(run_id, schema.PREDICTIONS))
    right = predictions[probabilities(predictions).argmax(axis=1) == predictions["label"]].iloc[0]
    dataset = load("digits")
    path = folder / "digit.png"
    Image.fromarray(dataset.images[right["index"]][..., 0]).save(path)
    return path, dataset.info.classes[right["label"]]


EVERY_COLOUR = """
import streamlit as st

from core.ui.common.frame import STYLE

st.html(STYLE)
for colour in ("red", "orange", "yellow", "green", "blue", "violet", "gray"):
    st.badge(colour, color=colour, icon=":material/warning:")
for message in (st.error, st.warning, st.info, st.success):
    message("What happened, with a [link](https://example.com) and `code`.", icon=":material/block:")
with st.sidebar:
    st.badge("red", color="red")
    st.badge("orange", color="orange")
    st.badge("gray", color="gray")
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_badge_and_message_can_be_read(
    page: Page, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    """WCAG AA for what pages show in trouble alone, in every colour that a badge may have."""
    script = tmp_path / "colours.py"
    script.write_text(EVERY_COLOUR)
    contrast = Path(__file__).with_name("contrast.js").read_text()
    page.emulate_media(color_scheme=scheme)

    def readable() -> bool:
        found = page.evaluate(contrast)
        print(found)  # shown when the test fails
        return not found

    with page_alone(script) as url:
        page.goto(url)
        expect(page.get_by_test_id("stAlert")).to_have_count(4)
        wait_for(readable, 30)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(page: Page, trained_address: str, scheme: Literal["light", "dark"]) -> None:
    """WCAG AA, as the browser has drawn it: 4.5:1, and 3:1 for large text and icons; all without the web."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    script = Path(__file__).with_name("contrast.js").read_text()
    page.emulate_media(color_scheme=scheme)

    def readable() -> bool:
        found = page.evaluate(script)
        print(page.url, found)  # shown when the test fails
        return not found

    for path in ("", "Data", "Train", "Compare", "Run", "Predict", "Queue", "Architectures", "Models"):
        page.goto(f"{trained_address}/{path}")
        expect(page.get_by_test_id("stSidebar").get_by_text("queued")).to_be_visible()
        expect(page.get_by_test_id("stMain").get_by_test_id("stCaptionContainer").first).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        wait_for(readable, 30)  # what is drawn again is pale for a moment
    assert [url for url in asked if not url.startswith((trained_address, "data:", "blob:"))] == []
