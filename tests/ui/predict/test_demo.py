"""The stakeholder view: by its address, and always on a read-only server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.system import settings as settings_module
from core.system.settings import Settings
from core.tracking.store import get_store
from tests.support.homes import Trained, run_with_the_same_model
from tests.support.pages import opened

pytestmark = pytest.mark.slow
PAGE = "pages/5_Predict.py"


@pytest.fixture(params=["by its address", "to a viewer"])
def query(
    trained: Trained, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict]:
    """What stands in the address of a visitor who gets the view."""
    if request.param == "to a viewer":
        monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
        settings_module.get_settings.cache_clear()
    yield {"demo": "1"} if request.param == "by its address" else {}
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


def test_nothing_leads_elsewhere_and_nothing_can_be_set(query: dict) -> None:
    app = opened(PAGE, **query)
    assert not app.exception
    assert not app.sidebar.children
    assert not app.get("page_link")
    assert not [*app.multiselect, *app.selectbox, *app.slider, *app.text_input, *app.file_uploader]
    assert [one.label for one in app.button] == ["Other images"]
    assert app.button_group(key="source").options == ["Test images", "Camera", "Draw"]
    assert any(one.value.startswith("## ") for one in app.main.markdown)  # an answer


def test_at_most_two_models_answer(trained: Trained) -> None:
    others = [run_with_the_same_model(trained, name) for name in ("second", "third")]
    try:
        app = opened(PAGE, demo="1", run=[trained.run_id, *others])
    finally:
        for run_id in others:
            get_store().client.delete_run(run_id)
    assert not app.exception
    assert len([one for one in app.main.markdown if one.value.startswith("## ")]) == 2
    assert any("This address names 3 runs; the first 2 answer." in one.value for one in app.warning)


def test_an_empty_store_is_a_sentence_without_a_link(settings: Settings) -> None:
    app = opened(PAGE, demo="1")
    assert not app.exception
    assert [one.value for one in app.info] == ["There is no model to show yet."]
    assert not app.get("page_link")
