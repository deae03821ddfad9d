"""The prediction process, started for real, asked by its client."""

from __future__ import annotations

import os
import socket
import stat
import sys
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import keras
import numpy as np
import pytest

from core.config import ExperimentConfig
from core.datasets import load
from core.images.decode import decode_image
from core.inference.client import InferenceError, describe, predict
from core.inference.logged_images import logged_images
from core.inference.messages import Changes
from core.inference.notes import crop_note
from core.inference.protocol import address_file, read_address
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.store import get_store
from tests.support.homes import Trained
from tests.support.images import png

pytestmark = pytest.mark.slow

INVERT = Changes(invert=True)


def test_prediction_is_what_the_evaluation_saw(trained: Trained) -> None:
    """The demo decodes and scales as training did: the same image gets the same probabilities."""
    import pandas as pd

    dataset = load("digits")
    table = pd.read_parquet(get_store().artifact(trained.run_id, "evaluation/predictions.parquet")).head(8)
    images = [png(dataset.images[index]) for index in table["index"]]
    answers = predict(trained.settings, trained.run_id, images, top_k=10)
    for answer, (_, row) in zip(answers, table.iterrows(), strict=True):
        assert list(answer.probabilities) == sorted(answer.probabilities, reverse=True)
        expected = [row[f"p{name}"] for name in answer.classes]
        np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)


def test_inverted_image_is_recognised_when_inverted_again(trained: Trained) -> None:
    dataset = load("digits")
    pixels = dataset.images[dataset.indices("test")[0]]
    (plain,) = predict(trained.settings, trained.run_id, [png(pixels)], top_k=3)
    (inverted,) = predict(trained.settings, trained.run_id, [png(255 - pixels)], top_k=3, changes=INVERT)
    assert plain.classes == inverted.classes
    np.testing.assert_allclose(plain.probabilities, inverted.probabilities, atol=1e-6)


def test_a_deep_image_is_read_by_its_own_range_where_training_had_none(trained: Trained) -> None:
    dataset = load("digits")
    pixels = dataset.images[dataset.indices("test")[0]]
    deep = pixels.astype("uint16") * 16 + 15  # 12 bits, in a file of 16
    (plain,) = predict(trained.settings, trained.run_id, [png(pixels)], top_k=3)
    (answer,) = predict(trained.settings, trained.run_id, [png(deep)], top_k=3)
    assert answer.classes == plain.classes
    np.testing.assert_allclose(answer.probabilities, plain.probabilities, atol=0.01)
    assert not plain.notes
    assert answer.notes == (
        "The image is deeper than 8 bits and the training images are not. "
        "The range of its own values was used: 0 became black and 4,095 white.",
    )


def test_a_black_digit_on_white_is_said_to_be_a_negative(trained: Trained) -> None:
    dataset = load("digits")
    pixels = dataset.images[dataset.indices("test")[0]]
    as_trained, negative = predict(trained.settings, trained.run_id, [png(pixels), png(255 - pixels)])
    (exchanged,) = predict(trained.settings, trained.run_id, [png(255 - pixels)], changes=INVERT)
    assert (as_trained.inversion, exchanged.inversion) == ("", "")
    assert negative.inversion.startswith("The image is much brighter than the training images: its mean is ")
    assert "With dark and light exchanged it would be like them." in negative.inversion
    (overdone,) = predict(trained.settings, trained.run_id, [png(pixels)], changes=INVERT)
    assert overdone.inversion


def test_the_brightness_of_an_old_run_is_found_in_its_dataset_while_that_is_the_same(
    trained: Trained,
) -> None:
    from core.inference.answers import training_brightness

    images = logged_images(get_store(), trained.run_id)
    assert images is not None
    logged, older = images.brightness, replace(images, brightness=None)
    assert logged is not None
    found = training_brightness(older)
    assert all(np.allclose(found[key], logged[key], atol=3) for key in ("mean", "edge"))  # alike, not equal
    assert training_brightness(replace(older, fingerprint="another")) == {}
    assert training_brightness(replace(older, name="removed")) == {}


@pytest.mark.parametrize(
    ("augmentation", "sentence"),
    [
        ({"test_time": "flip"}, "averaged over the image and its mirror image, as in the run's evaluation."),
        (
            {"test_time": "ten_crops", "random_crop": 20},
            "averaged over ten crops of the image, as in the run's",
        ),
    ],
)
def test_the_demo_averages_over_the_views_of_the_evaluation(
    settings: Settings, augmentation: dict, sentence: str
) -> None:
    import keras
    import pandas as pd

    from core.experiment.views import averaged
    from core.inference.answers import predictions
    from core.inference.predictor import open_model
    from core.tracking.writer import MetricWriter
    from core.training.evaluation import predict_probabilities
    from core.training.experiment import load_data
    from core.training.logged import log_data, log_evaluation
    from core.training.models import wrap

    values = {f"augmentation.{key}": value for key, value in augmentation.items()}
    config = ExperimentConfig().with_values({"data.name": "digits", **values})
    dataset = load("digits")
    side = augmentation.get("random_crop", 28)
    images = keras.Input((side, side, 1))  # a model that tells an image from its mirror image, untrained
    net = keras.Model(images, keras.layers.Dense(10, "softmax")(keras.layers.Flatten()(images)))
    _, deployable = wrap(net, config, dataset.info.shape)
    store = get_store()
    run_id = store.create(config)
    data = load_data(config)
    log_data(store, run_id, config.data, data)
    store.models.log(run_id, deployable)
    with MetricWriter(store, run_id) as writer:
        rows, model = data.split.test[:8], averaged(deployable, augmentation["test_time"])
        log_evaluation(writer, dataset, rows, predict_probabilities(model, dataset, rows, 8))
    table = pd.read_parquet(store.artifact(run_id, schema.PREDICTIONS))
    opened = open_model(store, run_id)
    decoded = [decode_image(png(dataset.images[index]), opened.images.target) for index in table["index"]]
    found = predictions(opened, decoded, top_k=10)
    for one, (_, row) in zip(found, table.iterrows(), strict=True):
        np.testing.assert_allclose(one.probabilities, [row[f"p{name}"] for name in one.classes], atol=1e-5)
        assert sentence in one.views
    store.client.delete_run(run_id)


@pytest.mark.parametrize(
    ("crop", "views", "note"),
    [
        (0, "flip", ""),
        (20, "none", "the model was trained on crops and sees the middle, 20×20"),
        (20, "flip", "the model was trained on crops and sees the middle, 20×20, and its mirror image"),
        (20, "ten_crops", "the model was trained on crops and sees ten crops of it, 20×20"),
    ],
)
def test_what_a_model_sees_of_an_image_agrees_with_its_views(crop: int, views: str, note: str) -> None:
    assert crop_note(crop, views) == note


def test_an_unreadable_image_is_one_sentence(trained: Trained) -> None:
    good = png(np.zeros((28, 28, 1), "uint8"))
    with pytest.raises(InferenceError, match=r"^Image 2 .*\.$") as error:
        predict(trained.settings, trained.run_id, [good, b"no image"])
    assert "\n" not in str(error.value)


def test_a_run_without_a_model_is_one_sentence(trained: Trained) -> None:
    waiting = get_store().create(
        ExperimentConfig(), {schema.HELD: "true"}
    )  # a worker would begin to train it
    get_store().request_cancel(waiting)
    with pytest.raises(InferenceError, match="is KILLED and has no saved model"):
        predict(trained.settings, waiting, [b""])
    with pytest.raises(InferenceError, match="No run has the id 'nope'"):
        predict(trained.settings, "nope", [b""])
    get_store().client.delete_run(waiting)


@pytest.mark.parametrize("name", ["inference", "inference-onnx"])
def test_only_its_user_can_ask(trained: Trained, name: str) -> None:
    def ask() -> None:
        if name == "inference":
            describe(trained.settings, "lenet5", None, None, {})
        else:
            predict(trained.settings, trained.run_id, [png(np.zeros((28, 28, 1), "uint8"))])

    ask()
    assert stat.S_IMODE(os.stat(address_file(trained.settings, name)).st_mode) == 0o600
    address = read_address(trained.settings, name)
    assert address is not None
    with pytest.raises(AuthenticationError):
        Client(("127.0.0.1", address.port), authkey=b"guess")
    with socket.create_connection(("127.0.0.1", address.port)) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    silent = socket.create_connection(("127.0.0.1", address.port))
    ask()  # it lives on
    silent.close()


def test_a_finished_run_is_predicted_without_tensorflow(trained: Trained) -> None:
    """The libraries that the process has loaded say it: none of TensorFlow's is among them."""
    (answer,) = predict(trained.settings, trained.run_id, [png(np.zeros((28, 28, 1), "uint8"))])
    assert answer.engine == ""
    holder = (trained.settings.home / "inference-onnx.pid").read_text()
    maps = Path(f"/proc/{holder.rsplit(':', 2)[1]}/maps").read_text()
    assert "onnxruntime" in maps
    assert not any(library in maps for library in ("tensorflow", "jaxlib", "h5py", "/pandas/", "/pyarrow/"))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({}, "Predicted by Keras: the run has no ONNX file, as those of older versions."),
        ({schema.ONNX_REFUSED: "It is odd."}, "Predicted by Keras. It is odd."),
        ({schema.ONNX_DIFFERENCE: "0"}, "Predicted by Keras: the ONNX file of the run is gone."),
    ],
)
def test_keras_predicts_where_a_run_has_no_onnx_file(
    trained: Trained, tags: dict[str, str], reason: str
) -> None:
    store = get_store()
    model = keras.saving.load_model(store.models.file(trained.run_id), compile=False)
    run_id = store.create(
        ExperimentConfig().with_values({"data.name": "digits"}), {schema.HELD: "true", **tags}
    )
    store.log_json(run_id, store.read_json(trained.run_id, schema.DATA), schema.DATA)
    store.models.log(run_id, model)
    images = [png(load("digits").images[index]) for index in range(3)]
    found = predict(trained.settings, run_id, images)
    assert {one.engine for one in found} == {reason}
    for one, other in zip(found, predict(trained.settings, trained.run_id, images), strict=True):
        assert one.classes == other.classes
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
    store.client.delete_run(run_id)


def test_asking_imports_no_keras() -> None:
    import subprocess

    code = "import sys, core.inference.client; print('keras' in sys.modules, 'tensorflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.stdout.split() == ["False", "False"]
