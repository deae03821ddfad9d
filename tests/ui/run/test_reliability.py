"""The Confidence view of a finished run: its temperature, or why there is none."""

from __future__ import annotations

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.analysis.automation import Outcome, Promise, promise_sentence
from core.tracking import schema
from core.tracking.store import get_store
from tests.support.homes import Trained
from tests.support.pages import opened

pytestmark = pytest.mark.engine


def said(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(one.value for one in app.caption).replace("\\", "")


def test_the_temperature_is_said_and_that_an_older_run_has_none(trained: Trained) -> None:
    app = opened("pages/4_Run.py", run=trained.run_id, view="Confidence")
    told = said(app)
    needed = "nothing can be promised on 145 validation images: that takes at least 499"
    assert needed in "\n".join(one.value for one in app.markdown).replace("\\", "")
    assert "fitted on 145 validation images: " in told
    assert "the calibration error on the test images is " in told
    path = get_store().artifact(trained.run_id, schema.VALIDATION_PREDICTIONS)
    aside = path.rename(path.with_suffix(".aside"))
    st.cache_data.clear()
    try:
        older = said(opened("pages/4_Run.py", run=trained.run_id, view="Confidence"))
    finally:
        aside.rename(path)
    assert "This run has no validation predictions, on which a temperature could be fitted" in older
    assert "Nothing can be promised: this run has no validation predictions" in older


def test_a_promise_is_said_with_what_became_of_it() -> None:
    one = Promise(0.01, np.array([0.8, 0.8]), 5000)
    assert promise_sentence(one, Outcome(1000, 900, 3)) == (
        "With at most 1 in 100 answers wrong, 90.0% of the test images are answered, those with a confidence "
        "of at least 80.0%; 3 of the 900 answers (0.33%) are wrong."
    )
    assert "80.0% before calibration; 3" in promise_sentence(
        one, Outcome(1000, 900, 3), " before calibration"
    )
    by_class = Promise(0.005, np.array([0.8, 0.95, np.inf]), 5000)
    assert promise_sentence(by_class, Outcome(1000, 500, 0)) == (
        "With at most 0.5 in 100 answers wrong, 50.0% of the test images are answered, those with a "
        "confidence of at least 80.0% to 95.0%, by the predicted class; 0 of the 500 answers (0.00%) are "
        "wrong. Some classes are always left to a person."
    )
