"""A visitor of a read-only server is shown no button that would refuse him."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.config import ExperimentConfig
from core.datasets import curate, load, prepare
from core.launching.launch import launch
from core.system import settings as settings_module
from core.system.settings import NotAllowed, Settings
from core.tracking import schema
from core.tracking.store import get_store
from core.ui.common import stored_runs
from tests.support.homes import copy_store, stop_processes, using
from tests.support.pages import PAGES, opened

pytestmark = pytest.mark.slow

CHANGES = {  # by page: what a trainer is offered here
    "pages/1_Data.py": {"Import", "Undo all changes"},
    "pages/2_Train.py": {"Launch"},
    "finished": {"Launch again", "Lock", "Delete this run"},
    "failed": {"Resume", "Queue again with batches of 16"},
    "queued": {"Cancel"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> Iterator[dict[str, str]]:
    """Runs in every state, by it, and a dataset with findings and edits."""
    with using(tmp_path_factory.mktemp("viewer") / "home") as settings:
        copy_store(new_store, settings)
        store, runs = get_store(), {}
        for state in ("finished", "failed", "queued"):
            runs[state] = store.create(ExperimentConfig())
        store.set_status(runs["finished"], schema.FINISHED)
        settings.checkpoint(runs["finished"]).parent.mkdir(parents=True)
        settings.checkpoint(runs["finished"]).touch()
        store.set_tags(runs["failed"], {schema.FITS: "16"})
        store.fail(runs["failed"], "Memory ran out.")
        store.set_tags(runs["queued"], {schema.HELD: "true"})  # no worker takes it
        prepare("digits")
        curate.leave_out("digits", [0])
        yield runs
        stop_processes(settings)


@pytest.fixture
def viewer(home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    yield home
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


@pytest.mark.parametrize("page", PAGES)
def test_no_button_of_a_page_refuses_a_viewer(viewer: dict[str, str], page: str) -> None:
    """Each is clicked, on a page of its own."""
    for run_id in viewer.values() if page == "pages/4_Run.py" else [next(iter(viewer.values()))]:
        first = opened(page, run=run_id)
        assert not first.exception
        for position, button in enumerate(first.button):
            app = opened(page, run=run_id)
            app.button[position].click().run()
            assert not app.exception
            assert not [error.value for error in app.error if "read-only" in error.value], button.label


@pytest.mark.parametrize("page", CHANGES)
def test_a_viewer_is_not_offered_what_a_trainer_is(
    home: dict[str, str], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page if page in PAGES else "pages/4_Run.py"

    def offered(role: str) -> set[str]:
        monkeypatch.setenv("ARCHLAB_ROLE", role)
        settings_module.get_settings.cache_clear()
        return labels(opened(path, run=home.get(page, home["finished"])))

    seen = offered("viewer")
    assert CHANGES[page] <= offered("trainer")
    assert not CHANGES[page] & seen
    settings_module.get_settings.cache_clear()


def test_an_empty_overview_offers_a_viewer_no_quickstart(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert labels(opened("streamlit_app.py")) == {"Start the quickstart"}
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    assert labels(opened("streamlit_app.py")) == set()


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_sends_a_viewer_nowhere_to_train(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    app = opened(page)
    assert not app.exception
    said = [element.value for element in (*app.info, *app.caption, *app.markdown)]
    assert not [one for one in said if "start one" in one or "import images" in one]


def test_rows_of_the_queue_offer_a_viewer_nothing(viewer: dict[str, str]) -> None:
    def draw(chosen: list[str]) -> None:
        from core.tracking.store import get_store
        from core.ui.queue.table import actions

        actions(get_store(), chosen)

    app = AppTest.from_function(draw, args=([viewer["queued"]],)).run()
    assert not app.exception
    assert labels(app) == set()


def test_a_launch_is_refused_wherever_it_comes_from(viewer: dict[str, str]) -> None:
    """What is drawn decides nothing."""
    with pytest.raises(NotAllowed, match="read-only"):
        launch([ExperimentConfig()])
    assert len(stored_runs.runs()) == 3
    assert load("digits").info.size
