"""The theme and the colours of the figures reach WCAG 2.2 AA: text 4.5:1, lines and marks 3:1."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from core.figures.style import GREY, PALETTE
from core.system.settings import PROGRAM
from core.ui.common import frame

THEMES = tomllib.loads((PROGRAM / ".streamlit/config.toml").read_text())["theme"]
TEXT, MARK = 4.5, 3.0
PINNED = 0.6  # the opacity of a table's pinned column, which Streamlit draws on a canvas, beyond any CSS


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 to 1."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def blended(top: str, below: str, opacity: float) -> str:
    pairs = zip(bytes.fromhex(top[1:]), bytes.fromhex(below[1:]), strict=True)
    return "#" + bytes(round(opacity * a + (1 - opacity) * b) for a, b in pairs).hex()


def test_contrast_is_that_of_the_published_examples() -> None:
    # WebAIM's contrast checker: #767676 is the lightest grey that passes on white, #777777 just fails.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_can_be_read_on_every_background(name: str) -> None:
    theme, style = THEMES[name], Path(frame.STYLE).read_text()
    (opacity,) = re.findall(r"opacity: ([\d.]+)", style)
    on_light, on_dark = re.findall(r"light-dark\((#\w+), (#\w+)\)", style)[0]
    for page in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        for text in ("textColor", "linkColor", "primaryColor"):
            assert contrast(theme[text], page) >= TEXT, (text, page)
        for text in ("textColor", "linkColor"):  # of captions
            assert contrast(blended(theme[text], page, float(opacity)), page) >= TEXT, (text, page)
        assert contrast(blended(theme["textColor"], page, PINNED), page) >= TEXT, page
    assert contrast(on_light if name == "light" else on_dark, theme["primaryColor"]) >= TEXT


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("colour", [*PALETTE, GREY])
def test_curves_and_bars_can_be_seen_on_every_page(name: str, colour: str) -> None:
    assert contrast(colour, THEMES[name]["backgroundColor"]) >= MARK
