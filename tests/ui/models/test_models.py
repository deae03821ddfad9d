"""The Models page: a version is registered, compared, promoted, described, taken away and unregistered."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from core.config import ExperimentConfig
from core.exporting.client import found_export, kept_export
from core.system import settings as settings_module
from core.system.settings import NotAllowed, Settings
from core.tracking import registry, schema
from core.tracking.registered import CARD, CHALLENGER, CHAMPION, Version
from core.tracking.store import RunStore, get_store
from core.ui.models.downloads import _content
from tests.support.homes import Trained
from tests.support.pages import opened

pytestmark = pytest.mark.slow

PAGE = "pages/8_Models.py"


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def click(app: AppTest, label: str) -> AppTest:
    (button,) = [one for one in app.button if one.label == label]
    button.click().run()
    assert not app.exception
    return app


@pytest.fixture
def versions(store: RunStore) -> RunStore:
    """Two versions of a model whose runs have logged nothing but a model."""
    for name in ("first", "second"):
        run_id = store.create(ExperimentConfig().with_values({"name": name}))
        store.client.create_logged_model(store.experiment_id, source_run_id=run_id)
        store.log_metrics(run_id, {"test_accuracy": 0.9, "test_images": 100})
        store.set_status(run_id, schema.FINISHED)
        registry.register(store, run_id, "digits", f"<b>{name}</b>")
    return store


def test_an_empty_store_says_how_a_model_comes_here(settings: Settings) -> None:
    app = opened(PAGE)
    assert not app.exception
    assert [one.value for one in app.info] == [
        "No model is registered, and no run has finished yet: start one on the Train page."
    ]


def test_the_first_run_is_registered_here(own: Trained) -> None:
    app = opened(PAGE)
    app.text_input(key=f"name-{own.run_id}").set_value("mine")
    click(app, "Register")
    try:
        assert registry.run_of(get_store(), "mine") == own.run_id
        app = opened(PAGE)
        assert not app.exception
        assert app.subheader[0].value == "mine version 1"
        assert any("## Where it fails" in one.value for one in app.markdown)
        assert {"Make it champion", "Make it challenger", "Make it", "Unregister it"} <= labels(app)
        assert any("mlflow models serve -m models:/mine/1 " in one.value for one in app.code)
        run_page = opened("pages/4_Run.py", run=own.run_id)
        assert not run_page.exception
        click(app, "Unregister it")
    finally:
        for model in get_store().read.registered():
            for version in model.versions:
                registry.unregister(get_store(), version)
    assert get_store().read.registered() == []


def test_a_version_is_promoted_below_its_comparison_with_the_champion(versions: RunStore) -> None:
    app = opened(PAGE, model="digits", version="1")
    click(app, "Make it champion")  # there is none
    app = opened(PAGE, model="digits", version="2")
    assert "Make it champion" in labels(app)
    assert any("cannot be compared" in one.value for one in app.info)  # they have no test predictions
    assert any("is left out" in one.value for one in app.warning)
    click(app, "Make it challenger")
    click(app, "Make it champion")
    model = registry.find(versions, "digits")
    assert model is not None
    holders = [model.holder(alias) for alias in (CHAMPION, CHALLENGER)]
    assert [one and one.number for one in holders] == [2, None]


def test_a_champion_that_changed_meanwhile_is_not_replaced(versions: RunStore) -> None:
    run_id = versions.create(ExperimentConfig().with_values({"name": "third"}))
    versions.client.create_logged_model(versions.experiment_id, source_run_id=run_id)
    versions.set_status(run_id, schema.FINISHED)
    third = registry.register(versions, run_id, "digits")
    registry.set_alias(versions, Version("digits", 1), CHAMPION)
    app = opened(PAGE, model="digits", version="2")
    registry.set_alias(versions, third, CHAMPION, over=1)
    click(app, "Make it champion")
    champion = registry.version_of(versions, "digits@champion")
    assert champion is not None
    assert champion.number == 3
    click(app, "Make it champion")  # below the comparison with the third
    assert registry.run_of(versions, "digits@champion") == registry.run_of(versions, "digits/2")


def test_description_and_card_are_edited_and_shown_as_text(versions: RunStore) -> None:
    app = opened(PAGE, model="digits", version="1")
    assert any(one.value == "&lt;b&gt;first&lt;/b&gt;" for one in app.markdown)
    app.text_area(key="description-digits-1").set_value("for the demo")
    click(app, "Save")
    app.text_area(key="card-digits-1").set_value(
        "# Mine\n\n\\![x](http://127.0.0.1/x.png) ![y](http://127.0.0.1/y.png)"
    )
    click(app, "Save the card")
    version = registry.version_of(versions, "digits/1")
    assert version is not None
    assert (version.description, version.tags[CARD].splitlines()[0]) == ("for the demo", "# Mine")
    app = opened(PAGE, model="digits", version="1")
    (shown,) = [one.value for one in app.markdown if one.value.startswith("#### Mine")]
    assert "127.0.0.1/x.png" in shown
    assert "<img" not in MarkdownIt().render(shown)
    click(app, "Write it anew from the run")
    assert CARD not in registry.version_of(versions, "digits/1").tags  # type: ignore[union-attr]


@pytest.mark.timeout(900)  # a process of its own imports TensorFlow
def test_an_export_is_made_once_and_offered_with_its_difference(own: Trained) -> None:
    store = get_store()
    registry.register(store, own.run_id, "mine")
    app = opened(PAGE, model="mine")
    app.button(key="make-onnx").click().run(timeout=600)
    assert not app.exception
    said = [one.value for one in app.caption]
    assert any(one.startswith(":material/check: The largest difference of a probability") for one in said)
    assert not [one for one in app.button if one.key == "make-onnx"]
    made = found_export(store, own.run_id, "onnx")
    assert made is not None
    moment = made.path.stat().st_mtime_ns
    assert kept_export(store, own.run_id, "onnx").path.stat().st_mtime_ns == moment


def test_a_folder_is_handed_over_as_a_zip(tmp_path: Path) -> None:
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "README.md").write_text("x")
    (tmp_path / "zip").write_bytes(_content(tmp_path / "keras"))
    with zipfile.ZipFile(tmp_path / "zip") as archive:
        assert archive.read("keras/README.md") == b"x"


def test_a_folder_that_is_gone_is_no_empty_zip(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="deleted meanwhile, to make room for others: make it again"):
        _content(tmp_path / "keras")


def test_another_model_is_shown_with_its_own_first_version(versions: RunStore) -> None:
    for number in (1, 2):
        run_id = registry.run_of(versions, f"digits/{number}")
        registry.register(versions, run_id, "letters")
    app = opened(PAGE, model="digits", version="1")
    assert app.subheader[0].value == "digits version 1"
    app.selectbox[0].select("letters").run()
    assert not app.exception
    assert app.subheader[0].value == "letters version 2"
    assert not any("this address names" in one.value for one in app.warning)


def test_a_version_whose_run_is_gone_is_shown(store: RunStore) -> None:
    store.client.create_registered_model("theirs")
    store.client.create_model_version("theirs", "file:///nowhere", "0" * 32)
    app = opened(PAGE, model="theirs")
    assert not app.exception
    assert app.subheader[0].value == "theirs version 1"


@pytest.fixture
def viewer(versions: RunStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    registry.set_alias(versions, registry.version_of(versions, "digits/1"), CHAMPION)  # type: ignore[arg-type]
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    settings_module.get_settings.cache_clear()
    yield get_store()
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


def test_a_viewer_sees_the_model_and_no_button(viewer: RunStore) -> None:
    app = opened(PAGE, model="digits", version="2")
    assert not app.exception
    assert app.subheader[0].value == "digits version 2"
    assert labels(app) == set()
    with pytest.raises(NotAllowed):
        kept_export(viewer, registry.run_of(viewer, "digits"), "onnx")
