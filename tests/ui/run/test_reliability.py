"""The Confidence view of a finished run: its temperature, or why there is none."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.tracking import schema
from core.tracking.store import get_store
from tests.support.homes import Trained
from tests.support.pages import opened

pytestmark = pytest.mark.engine


def said(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(one.value for one in app.caption).replace("\\", "")


def test_the_temperature_is_said_and_that_an_older_run_has_none(trained: Trained) -> None:
    told = said(opened("pages/4_Run.py", run=trained.run_id, view="Confidence"))
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
