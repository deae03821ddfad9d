"""The Predict page with a trained run and its prediction process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import datasets
from core.analysis.temperature import fit_temperature
from core.inference.client import predict
from core.inference.explain import explain
from core.tracking import schema
from core.tracking.store import get_store
from core.ui.predict.loaded import models_of
from core.ui.predict.picture import Picture
from core.ui.predict.side_by_side import is_trained_on
from tests.support.homes import Trained, run_with_the_same_model, using
from tests.support.images import png
from tests.support.pages import in_address, opened

pytestmark = pytest.mark.slow
PAGE = "pages/5_Predict.py"


def texts(app: AppTest) -> list[str]:
    return [one.value for one in app.main.markdown]


def answers(app: AppTest) -> list[str]:
    """The headings of the models' answers."""
    return [one[4:].replace("\\", "") for one in texts(app) if one.startswith("### ")]


@pytest.fixture(scope="module")
def second(_trained: Trained) -> Iterator[str]:
    """A newer run with the same weights and images, and a worse validation accuracy."""
    with using(_trained.settings.home):
        run_id = run_with_the_same_model(_trained, "second")
    yield run_id
    with using(_trained.settings.home):
        get_store().client.delete_run(run_id)


def test_the_page_begins_with_a_test_image_and_what_the_best_run_says_of_it(
    trained: Trained, second: str
) -> None:
    app = opened(PAGE)
    assert not app.exception
    assert app.multiselect(key="models").value == [trained.run_id]  # not the newest
    assert in_address(app, "run") == [trained.run_id]
    (row,) = in_address(app, "sample")
    digits = datasets.load("digits")
    assert int(row) in digits.indices("test")
    assert f"Its true class: **{digits.info.classes[digits.labels[int(row)]]}**" in texts(app)
    assert len(answers(app)) == 1


def test_a_link_opens_the_same_models_and_the_same_image(trained: Trained, second: str) -> None:
    row = str(datasets.load("digits").indices("test")[7])
    app = opened(PAGE, run=[second, trained.run_id], sample=row, show="Hardest", sure="0")
    assert not app.exception
    assert app.multiselect(key="models").value == [second, trained.run_id]
    assert in_address(app, "sample") == [row]
    first, other = answers(app)
    assert first.partition(" ")[0] == other.partition(" ")[0]  # the same weights
    assert any(one.startswith("**Both models say ") for one in texts(app))


def test_where_both_models_look_is_shown_side_by_side_with_one_control(trained: Trained, second: str) -> None:
    digit = datasets.load("digits").images[0]
    explain(trained.settings, second, png(digit), "0", method="gradcam")  # Keras starts
    app = opened(PAGE, run=[trained.run_id, second], look="Grad-CAM", sure="0")
    assert not app.exception
    assert [one.value for one in app.error] == []
    assert [one.label for one in app.selectbox] == ["For the class"]
    told = [one.value for one in app.caption if "feature maps of s4, 4×4" in one.value]
    assert len(told) == 2
    assert told[0].partition(": ")[2] == told[1].partition(": ")[2]  # the same weights


def test_a_run_that_a_person_came_from_is_kept(trained: Trained, second: str) -> None:
    assert opened(PAGE, run=second).multiselect(key="models").value == [second]


def test_what_a_link_names_and_is_not_here_is_said(trained: Trained) -> None:
    app = opened(PAGE, run="0" * 32, sample="999999")
    said = [one.value for one in app.warning]
    assert any("The run of this address is not here. This is the best one." in one for one in said)
    assert any("is not among the test images" in one for one in said)
    assert len(answers(app)) == 1


def test_the_hardest_images_begin_with_the_surest_mistake(trained: Trained) -> None:
    table = pd.read_parquet(get_store().artifact(trained.run_id, schema.PREDICTIONS))
    given = table[[f"p{index}" for index in range(10)]].to_numpy()
    wrong = given.argmax(axis=1) != table["label"].to_numpy()
    surest = table["index"].to_numpy()[wrong][given[wrong].max(axis=1).argmax()]
    app = opened(PAGE, show="Hardest", sure="0")
    assert in_address(app, "sample") == [str(surest)]
    assert "wrong" in " ".join(texts(app))


def test_other_images_are_of_the_chosen_class(trained: Trained) -> None:
    digits = datasets.load("digits")
    app = opened(PAGE, show="Of a class", **{"class": "7"})
    seen = []
    for _ in range(3):
        assert not app.exception
        seen += in_address(app, "sample")
        app.button(key="others ('Of a class', '7')").click().run()
    assert len(set(seen)) == 3
    assert {digits.info.classes[digits.labels[int(row)]] for row in seen} == {"7"}


def test_confidence_is_calibrated_by_the_temperature_of_the_validation_predictions(trained: Trained) -> None:
    table = pd.read_parquet(get_store().artifact(trained.run_id, schema.VALIDATION_PREDICTIONS))
    validation = table[[f"p{index}" for index in range(10)]].to_numpy()
    temperature = fit_temperature(validation, table["label"].to_numpy())
    digits, row = datasets.load("digits"), int(datasets.load("digits").indices("test")[0])
    (given,) = predict(trained.settings, trained.run_id, [png(digits.images[row])], top_k=10)
    powers = np.array(given.probabilities) ** (1 / (temperature or 1.0))
    app = opened(PAGE, sample=str(row), sure="0")
    assert answers(app) == [f"{given.classes[0]} · {powers[0] / powers.sum():.1%}"]
    assert any("calibrated on" in one.value for one in app.caption) == (temperature is not None)


def test_a_model_that_is_not_sure_names_what_comes_into_question(trained: Trained) -> None:
    app = opened(PAGE, show="Hardest", sure="100")
    (answer,) = answers(app)
    assert answer.startswith("Not sure: ")
    assert " or " in answer


def test_an_upload_that_is_unlike_the_training_images_is_mended_by_a_click(trained: Trained) -> None:
    digits = datasets.load("digits")
    image = digits.images[digits.indices("test")[0]][..., 0]
    wide = Image.fromarray(np.pad(image, ((0, 0), (28, 28)))).resize((336, 112))
    negative = io.BytesIO()
    Image.fromarray(255 - np.asarray(wide)).save(negative, "PNG")
    app = opened(PAGE, source="Upload", sure="0")
    app.file_uploader[0].set_value([("wide.png", negative.getvalue(), "image/png")]).run()
    assert not app.exception
    said = [one.value for one in app.warning]
    assert any("much brighter than the training images" in one for one in said)
    assert any("other proportions than the training images" in one for one in said)
    app.button(key="offer invert").click().run()
    app.button(key="offer middle").click().run()
    assert not app.warning
    assert in_address(app, "change") == ["dark and light exchanged", "middle cut out"]
    (plain,) = predict(trained.settings, trained.run_id, [png(image[..., None])])
    assert answers(app)[0].partition(" ")[0] == plain.classes[0]


def test_a_photo_of_the_camera_is_classified(trained: Trained) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (64, 64), "black").save(photo, "JPEG")
    app = opened(PAGE, source="Camera")
    assert not answers(app)
    app.camera_input[0].set_value(("photo.jpg", photo.getvalue(), "image/jpeg")).run()
    assert not app.exception
    assert len(answers(app)) == 1
    assert "sample" not in app.query_params


def test_an_image_is_no_training_image_of_a_model_of_an_earlier_dataset_of_that_name(
    trained: Trained,
) -> None:
    (model,) = models_of(get_store(), [trained.run_id])
    picture = Picture(b"", "3", "digits", int(datasets.load("digits").indices("train")[0]))
    assert is_trained_on(model, picture)
    earlier = replace(model, images=replace(model.images, fingerprint="0" * 64))
    assert not is_trained_on(earlier, picture)


def test_what_is_shown_to_others_is_as_sure_as_it_was_set(trained: Trained) -> None:
    app = opened(PAGE, sure="85")
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Show it to others"]
    assert parse_qs(link.proto.query_string) == {"demo": ["1"], "run": [trained.run_id], "sure": ["85"]}
