"""Writes a study as one HTML file without scripts, in which everything is embedded."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.study import svg
from core.study.study import Study

if TYPE_CHECKING:
    from jinja2 import Template

MAX_BYTES = 5_000_000  # what a mail takes


def render(study: Study) -> str:
    """Return the HTML. Pictures are left out where it would have more than 5 MB with them.

    Raises:
        ValueError: It is too large without them too.
    """
    text = _written(study)
    if len(text.encode()) > MAX_BYTES:
        why = "They are left out: with them this file would have more than 5 MB."
        text = _written(replace(study, pictures=(), why_no_pictures=why))
    if len(text.encode()) > MAX_BYTES:
        raise ValueError("A study of so many runs would have more than 5 MB. Choose fewer.")
    return text


def _written(study: Study) -> str:
    return _template().render(study=study)


@cache
def _template() -> Template:  # Jinja2 is imported where a study is written alone
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["lines"] = lambda *given: Markup(svg.lines(*given))
    environment.globals["marks"] = lambda *given: Markup(svg.marks(*given))
    environment.filters["percent"] = lambda value: "–" if value is None else f"{value:.2%}"
    environment.filters["number"] = _number
    environment.filters["base64"] = lambda value: b64encode(value).decode()
    environment.globals["dashes"] = svg.DASHES
    return environment.get_template("page.html.j2")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
