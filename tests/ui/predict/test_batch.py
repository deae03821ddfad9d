"""Many images on the Predict page: what becomes of them, in a table, a matrix and a CSV file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core import datasets
from core.analysis.export import Table, to_csv
from core.inference.batch import Batch, Row
from core.inference.client import predict
from core.system import settings as settings_module
from core.tracking.store import get_store
from core.ui.common import stored_runs
from core.ui.predict.batch_table import _kinds, summary, tabulated
from core.ui.predict.loaded import models_of
from core.ui.predict.rule import Rule
from tests.support.homes import Trained
from tests.support.images import png, zipped
from tests.support.pages import opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow
PAGE, MANY = "pages/5_Predict.py", "Many images"


def press(app: AppTest, label: str) -> Button:
    (begin,) = [one for one in app.button if one.label == label]
    return begin.click()


def classified(app: AppTest, label: str = "Classify them") -> AppTest:
    """Begin the batch, and come back when it has ended."""
    press(app, label).run()
    assert not app.exception
    batch: Batch = app.session_state["batch"]
    wait_for(lambda: not batch.running)
    return app.run()


def test_a_zip_with_folders_of_classes_gives_a_table_the_accuracy_and_a_matrix(trained: Trained) -> None:
    digits = datasets.load("digits")
    rows = digits.indices("test")[:20]
    names = [f"{digits.info.classes[digits.labels[row]]}/{row}.png" for row in rows]
    images = [png(digits.images[row]) for row in rows]
    data = zipped({**dict(zip(names, images, strict=True)), "3/broken.png": b"no image"})
    app = opened(PAGE, source=MANY, sure="0")
    app.file_uploader[0].set_value([("digits.zip", data, "application/zip")]).run()
    classified(app)
    assert not app.exception
    table = app.dataframe[0].value
    assert table["image"].tolist() == [*names, "3/broken.png"]
    found = predict(trained.settings, trained.run_id, images, top_k=1)
    right = sum(
        one.classes[0] == digits.info.classes[digits.labels[row]]
        for one, row in zip(found, rows, strict=True)
    )
    (said,) = [one.value for one in app.main.markdown if "images classified" in one.value]
    assert "20 of 21 images classified" in said
    assert f"it is right on {right / 20:.1%}" in said.replace("\\", "")
    assert table["problem"].iloc[-1].startswith("The image ")
    assert table[" "].iloc[0].startswith("data:image/png;base64,")
    assert "Classes" in [one.label for one in app.button_group]  # of the matrix
    app.button_group(key="rows").set_value("Unreadable").run()
    assert app.dataframe[0].value["image"].tolist() == ["3/broken.png"]


def test_two_uploads_are_two_rows_without_a_truth(trained: Trained) -> None:
    digits = datasets.load("digits")
    files = [(f"{row}.png", png(digits.images[row]), "image/png") for row in (0, 1)]
    app = opened(PAGE, source=MANY)
    app.file_uploader[0].set_value(files).run()
    classified(app)
    table = app.dataframe[0].value
    assert table["image"].tolist() == ["0.png", "1.png"]
    assert "true class" not in table


def test_a_folder_of_the_server_is_classified(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png(datasets.load("digits").images[0]))
    app = opened(PAGE, source=MANY, folder=str(tmp_path))
    classified(app)
    assert app.dataframe[0].value["image"].tolist() == ["1.png"]
    (tmp_path / "2.png").write_bytes(png(datasets.load("digits").images[1]))
    classified(app, "Classify again")
    assert app.dataframe[0].value["image"].tolist() == ["1.png", "2.png"]
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").unlink()
    press(app, "Classify again").run()
    assert "There is no image" in app.error[0].value
    assert len(app.dataframe[0].value) == 2  # the table of before stays


def test_a_batch_that_ended_early_can_be_classified_again(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [("0.png", png(datasets.load("digits").images[0]), "image/png")]
    app = opened(PAGE, source=MANY)
    app.file_uploader[0].set_value(files).run()
    with monkeypatch.context() as patch:
        patch.setattr("core.inference.batch.MOST_S", -1.0)
        classified(app)
    assert "0 of 1 images are done" in app.warning[0].value
    classified(app, "Classify again")
    assert app.dataframe[0].value["image"].tolist() == ["0.png"]
    assert not [one for one in app.button if one.label.startswith("Classify")]


def test_a_model_is_scored_on_images_of_its_own_classes(trained: Trained) -> None:
    (model,) = models_of(get_store(), [trained.run_id])
    table = pd.DataFrame(
        {
            "image": ["3/a.png", "3/b.png", "cat/c.png"],
            "true class": ["3", "3", "cat"],
            model.name: ["3", "5", "3"],
            f"{model.name}: class": ["3", "5", "3"],
        }
    )
    assert "Of the 2 whose folder is named after a class of it, it is right on 50.0%" in summary(table, model)
    assert _kinds(table, [model])["Wrong"].tolist() == [False, True, False]


def test_a_viewer_gets_no_folder_of_the_server(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.png").write_bytes(png(datasets.load("digits").images[0]))
    with monkeypatch.context() as patch:
        patch.setenv("ARCHLAB_ROLE", "viewer")
        settings_module.get_settings.cache_clear()
        app = opened(PAGE, source=MANY, folder=str(tmp_path))
    settings_module.get_settings.cache_clear()
    assert not app.exception
    assert not app.text_input
    assert not [one for one in app.button if one.label.startswith("Classify")]


@pytest.mark.parametrize(("folder", "said"), [("/no/such", "There is no folder"), ("", "There is no image")])
def test_what_cannot_be_classified_is_a_sentence(
    trained: Trained, tmp_path: Path, folder: str, said: str
) -> None:
    app = opened(PAGE, source=MANY, folder=folder or str(tmp_path))
    press(app, "Classify them").run()
    assert not app.exception
    assert said in app.error[0].value


def test_a_name_that_a_spreadsheet_would_compute_is_defused_in_the_csv(trained: Trained) -> None:
    stored_runs.forget_runs()
    (model,) = models_of(get_store(), [trained.run_id])
    (found,) = predict(trained.settings, trained.run_id, [png(datasets.load("digits").images[0])], top_k=10)
    table = tabulated(
        [Row("=1+1.png", {trained.run_id: found}), Row("b.png", {}, "Bad.")], [model], Rule(0.0)
    )
    written = to_csv(Table(table, pd.DataFrame(index=table.index), {}, {}))
    first, second = csv.DictReader(io.StringIO(written))
    assert first["image"] == "'=1+1.png"
    assert second["problem"] == "Bad."
    assert float(first[f"{model.name}: confidence"]) <= 1
