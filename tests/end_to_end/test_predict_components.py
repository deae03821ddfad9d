"""The components of the Predict page by themselves in a browser: what they draw and send for given data."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core.system.settings import PROGRAM

pytestmark = [pytest.mark.browser]
FOLDER = PROGRAM / "core" / "ui" / "predict"
BEGIN = """async ([script, html]) => {
    document.body.innerHTML = html;
    const component = await import("data:text/javascript;base64," + script);
    window.sent = [];
    const send = (name, value) => window.sent.push([name, value]);
    window.draw = data => component.default(
        {data, parentElement: document.body, setStateValue: send, setTriggerValue: send});
}"""


def begin(page: Page, script: str, html: str) -> None:
    code = base64.b64encode((FOLDER / script).read_bytes()).decode()
    page.evaluate(BEGIN, [code, html])


def draw(page: Page, data: dict[str, Any]) -> list[list[str]]:
    """Draw a component with new data; return all that it has sent until now."""
    return page.evaluate("data => (window.draw(data), window.sent)", data)


def test_images_of_another_dataset_replace_those_with_the_same_numbers(page: Page) -> None:
    begin(page, "thumbnails.js", '<div class="thumbnails"></div>')
    for source in ("data:image/png;base64,AAAA", "data:image/png;base64,BBBB"):
        images = [{"id": 7, "source": source, "name": "test image 7"}]
        draw(page, {"images": images, "chosen": 7, "sharp": True, "label": "Test images"})
        expect(page.locator(".thumbnails img")).to_have_attribute("src", source)


def test_a_drawing_that_is_wiped_for_another_ground_is_sent_as_empty(page: Page) -> None:
    begin(page, "canvas.js", '<div class="drawing"><canvas></canvas><button>Clear</button></div>')
    assert draw(page, {"dark": True}) == []  # the first time nothing is wiped
    assert draw(page, {"dark": True}) == []
    assert draw(page, {"dark": False}) == [["drawn", ""]]
