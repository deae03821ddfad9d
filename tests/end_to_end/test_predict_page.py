"""The Predict page in a real browser: clicks, strokes, the clipboard, a phone and a projector."""

from __future__ import annotations

import base64
import itertools
import math
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from core import datasets
from tests.support.homes import Trained
from tests.support.images import png

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CIRCLE = [
    (0.5 + 0.25 * math.sin(step / 12 * math.pi), 0.5 - 0.38 * math.cos(step / 12 * math.pi))
    for step in range(25)
]


def settled(page: Page) -> None:
    """Wait until the script of the page has ended: nothing moves any more."""
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )


def test_a_click_on_a_thumbnail_is_classified_and_stands_in_the_address(
    page: Page, trained: Trained, trained_address: str
) -> None:
    page.goto(f"{trained_address}/Predict?sure=0")
    buttons = page.get_by_role("group", name="Test images").get_by_role("button")
    expect(buttons).to_have_count(12)
    expect(buttons.first).to_have_attribute("aria-pressed", "true")
    fifth = buttons.nth(4)
    row = int(fifth.get_attribute("data-id") or "")
    fifth.click()
    digits = datasets.load("digits")
    expect(page.get_by_text(f"Its true class: {digits.info.classes[digits.labels[row]]}")).to_be_visible()
    expect(fifth).to_have_attribute("aria-pressed", "true")
    page.wait_for_url(f"**sample={row}**")
    address = page.url
    other = page.context.new_page()
    other.goto(address)  # somebody else opens the same
    expect(other.get_by_role("button", name=f"test image {row}")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("touch", [False, True])
def test_a_digit_is_drawn_with_a_mouse_and_with_a_finger(
    browser: Browser, trained: Trained, trained_address: str, touch: bool
) -> None:
    size = {"width": 390, "height": 844} if touch else {"width": 1440, "height": 900}
    with browser.new_context(viewport=size, has_touch=touch, is_mobile=touch) as context:
        page = context.new_page()
        page.goto(f"{trained_address}/Predict?source=Draw&sure=0&run={trained.run_id}")
        canvas = page.get_by_label("Draw here")
        expect(canvas).to_be_visible(timeout=60_000)
        settled(page)  # else the canvas may move below the strokes
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in CIRCLE]
        if touch:
            session = context.new_cdp_session(page)
            kinds = itertools.chain(["touchStart"], itertools.repeat("touchMove"))
            for kind, (x, y) in zip(kinds, points, strict=False):
                session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        else:
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point)
            page.mouse.up()
        expect(page.get_by_role("heading", name=re.compile(r"^\d · "))).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(page.get_by_text("Draw above; the models answer after each stroke.")).to_be_visible()


PASTED = """text => {
    const bytes = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
    const clipboard = new DataTransfer();
    clipboard.items.add(new File([bytes], "image.png", {type: "image/png"}));
    document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: clipboard, bubbles: true}));
}"""


def test_a_pasted_image_is_classified(page: Page, trained: Trained, trained_address: str) -> None:
    digits = datasets.load("digits")
    page.goto(f"{trained_address}/Predict?source=Upload&sure=0")
    expect(page.get_by_role("button", name="Paste an image")).to_be_visible()
    page.evaluate(PASTED, base64.b64encode(png(digits.images[0])).decode())
    expect(page.get_by_text("as the model gets it: 28×28, grey")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
def test_the_stakeholder_view_fits_a_phone_and_a_projector(
    page: Page, trained: Trained, trained_address: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{trained_address}/Predict?demo=1&sure=0")
    answer = page.get_by_test_id("stMain").get_by_role("heading", level=2)
    expect(answer).to_be_visible()
    expect(answer).to_be_in_viewport()  # without scrolling
    expect(page.locator('a[href]:not([href^="#"])')).to_have_count(0)  # but to places on this page
    expect(page.get_by_test_id("stHeader")).to_be_hidden()
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    size = float(answer.evaluate("one => parseFloat(getComputedStyle(one).fontSize)"))
    assert size >= 40
    first = answer.inner_text()
    assert first in datasets.load("digits").info.classes
    images = page.get_by_role("group", name="Test images").get_by_role("button")
    shown = images.first.get_attribute("data-id") or ""
    page.get_by_role("button", name="Other images").click()
    expect(images.first).not_to_have_attribute("data-id", shown)
    expect(images).to_have_count(8)
