"""Where a model looks, on the Predict page and in the stakeholder view."""

from __future__ import annotations

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.inference.explain import explain
from core.ui.predict.where import MAPS, MEANING, OFF, OWN, points
from tests.support.homes import Trained
from tests.support.images import png
from tests.support.pages import opened

pytestmark = pytest.mark.slow
PAGE = "pages/5_Predict.py"


def maps(app: AppTest) -> list[np.ndarray]:
    """The maps that were computed for the visitor, the first one first."""
    return [one.map for one in app.session_state[MAPS].values()] if MAPS in app.session_state else []


def test_falls_are_written_without_powers_of_ten() -> None:
    assert [points(fall) for fall in (0.0, 0.0123, 0.0996, 0.105, 0.996, 1.0)] == [
        "0", "1.2", "10", "10", "100", "100",
    ]  # fmt: skip


def test_nothing_is_computed_until_it_is_asked_for(trained: Trained) -> None:
    app = opened(PAGE)
    assert app.button_group(key="look").value == OFF
    assert not maps(app)
    app.button_group(key="look").set_value("Occlusion").run()
    assert not app.exception
    assert len(maps(app)) == 1
    assert MEANING["Occlusion"] in [one.value for one in app.caption]


def test_a_link_shows_the_map_of_its_class_as_strong_as_it_was(trained: Trained) -> None:
    digits = datasets.load("digits")
    row = next(row for row in digits.indices("test") if digits.labels[row] != 7)
    app = opened(PAGE, sample=str(row), look="Occlusion", of="7", strength="35")
    assert not app.exception
    assert not app.warning
    assert app.selectbox(key="of").value == "7"
    assert app.slider(key="strength").value == 35
    assert any(one.value.startswith("7, ") for one in app.caption)
    app.slider(key="strength").set_value(80).run()
    assert len(maps(app)) == 1  # none is computed anew
    app.selectbox(key="of").set_value(OWN).run()
    assert len(maps(app)) == 2
    assert not np.allclose(*maps(app))


def test_a_class_that_the_model_does_not_know_is_said_and_its_own_answer_is_shown(trained: Trained) -> None:
    app = opened(PAGE, look="Occlusion", of="a cat")
    assert not app.exception
    assert any("For the class: this address names 'a cat'" in one.value for one in app.warning)
    assert app.selectbox(key="of").value == OWN


def test_the_stakeholder_view_has_one_switch_for_it(trained: Trained) -> None:
    app = opened(PAGE, demo="1")
    (switch,) = app.toggle
    assert not maps(app)
    digit = datasets.load("digits").images[0]
    explain(trained.settings, trained.run_id, png(digit), "0", method="gradcam")  # Keras starts
    switch.set_value(True).run()
    assert not app.exception
    assert len(maps(app)) == 1
    assert not [*app.selectbox, *app.slider]
