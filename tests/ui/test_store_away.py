"""Every page says in a sentence that the store does not answer, and shows everything when it does again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import streamlit as st

from core.config import ExperimentConfig
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.store import RunStore, get_store
from tests.support.homes import Trained
from tests.support.images import imported
from tests.support.pages import PAGES, opened

pytestmark = pytest.mark.slow

TABLES = ("runs", "params", "metrics", "latest_metrics", "tags")
WITHOUT_RUNS = "pages/1_Data.py"


@contextmanager
def away(settings: Settings) -> Iterator[None]:
    """Within it the store answers no question about runs."""

    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(settings.database, timeout=30)) as connection, connection:
            for table in TABLES:
                connection.execute(f"ALTER TABLE {table}{before} RENAME TO {table}{after}")
        st.cache_data.clear()

    rename("", "_away")
    try:
        yield
    finally:
        rename("_away", "")


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_does_not_answer_is_a_sentence_on_every_page(trained: Trained, page: str) -> None:
    store = get_store()
    query = {"run": trained.run_id, "runs": trained.run_id, "view": "Costs"}
    with away(trained.settings):
        app = opened(page, **query)
        assert not app.exception
        if page != WITHOUT_RUNS:
            assert any(error.value.startswith("The tracking store does not answer. ") for error in app.error)
    app.run()
    assert not app.exception
    assert not app.error
    assert store.state(trained.run_id).status == schema.FINISHED


def test_a_form_that_cannot_be_filled_while_the_store_is_away_says_so(store: RunStore) -> None:
    store.create(ExperimentConfig())
    app = opened("pages/2_Train.py")
    with away(store.settings):
        app.selectbox(key="start from").set_value("the last launch").run()
        assert not app.exception
    assert app.session_state["filled like"].startswith("Nothing was filled. The tracking store does not")


def test_an_imported_dataset_is_shown_without_the_store(store: RunStore, tmp_path: Path) -> None:
    imported(tmp_path)
    with away(store.settings):
        app = opened(WITHOUT_RUNS, dataset="pets")
        assert not app.exception
        (error,) = app.error
        assert error.value.startswith("The tracking store does not answer. ")
        assert "Samples" in [heading.value for heading in app.subheader]  # below the failed question
    app.run()
    assert not app.exception
    assert not app.error
