"""Images of a dataset are found by class and by name, and it leads to the form."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import load
from core.system.settings import Settings
from core.ui.data.browse import PAGE, matching
from tests.support.pages import opened

pytestmark = pytest.mark.slow


def test_rows_match_a_class_and_a_part_of_a_name(settings: Settings) -> None:
    digits = load("digits")
    assert len(matching(digits, None, " ")) == len(digits.indices())
    threes = matching(digits, 3, "")
    assert set(digits.labels[threes]) == {3}
    assert [digits.source_names[row] for row in matching(digits, None, "DIGIT 0012")] == ["digit 0012"]
    assert not len(matching(digits, 3, "no such name"))


def test_a_page_shows_the_images_of_an_address_and_leads_to_the_form(settings: Settings) -> None:
    app = opened("pages/1_Data.py", **{"class": "3", "image": "digit"})
    assert not app.exception
    threes = matching(load("digits"), 3, "")
    pages = -(-len(threes) // PAGE)
    captions = [one.value.replace("\\", "") for one in app.caption]
    assert f"{len(threes)} images, page 1 of {pages}" in captions
    assert f"{load('digits').source_names[threes[0]]}" in captions
    app.text_input(key="image").set_value(str(load("digits").source_names[threes[-1]])).run()
    assert "1 image, page 1 of 1" in [one.value for one in app.caption]
    (link,) = [one.proto for one in app.get("page_link") if one.proto.label == "Train on this"]
    assert link.query_string == "dataset=digits"


def test_a_dataset_that_was_deleted_meanwhile_is_a_sentence(settings: Settings) -> None:
    def draw() -> None:
        from dataclasses import replace

        from core.datasets import info
        from core.ui.data.browse import browse

        browse(replace(info("digits"), name="deleted"))

    app = AppTest.from_function(draw, default_timeout=60).run()
    assert not app.exception
    assert "deleted" in app.error[0].value
