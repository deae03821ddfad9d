"""Runs that MLflow's own client logged, with the prediction process, the command line and the page."""

from __future__ import annotations

import io
import json
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from PIL import Image

from core.inference.client import InferenceError, predict
from core.tracking.store import RunStore
from core.ui.common import stored_predictions
from tests.support.commands import run as command
from tests.support.pages import opened

pytestmark = pytest.mark.slow

WEIGHTS = np.array([0.0, 0.01, -0.01])  # by which the mean pixel becomes the logits of three classes


def logged(store: RunStore, name: str, model: keras.Model | None) -> str:
    """A finished run that is none of ArchLab's."""
    found = store.client.get_experiment_by_name("theirs")
    experiment = found.experiment_id if found else store.client.create_experiment("theirs")
    with mlflow.start_run(experiment_id=experiment, run_name=name) as run:
        if model is not None:
            mlflow.keras.log_model(model, name="net", pip_requirements=["keras"])
    return run.info.run_id


def mean_pixel(channels: int, activation: str | None) -> keras.Model:
    head = keras.layers.Dense(3, activation=activation)
    inputs = keras.Input((8, 6, channels))
    model = keras.Model(inputs, head(keras.layers.GlobalAveragePooling2D()(inputs)))
    head.set_weights([np.tile(WEIGHTS, (channels, 1)) / channels, np.zeros(3)])
    return model


def softmax(pixel: float) -> np.ndarray:
    exponentials = np.exp(WEIGHTS * pixel)
    return exponentials / exponentials.sum()


def test_a_keras_model_that_another_program_logged_predicts(store: RunStore, tmp_path: Path) -> None:
    """Grey or RGB, at the model's size, pixels of 0 to 255; what cannot predict says what is missing."""
    grey = logged(store, "grey", mean_pixel(1, "softmax"))
    colour = logged(store, "colour", mean_pixel(3, None))
    table = logged(store, "table", keras.Sequential([keras.Input((10,)), keras.layers.Dense(3)]))
    code = keras.Sequential([keras.Input((8, 6, 1)), keras.layers.Lambda(lambda images: images)])
    unsafe = logged(store, "unsafe", code)
    none = logged(store, "none", None)
    buffer = io.BytesIO()
    Image.new("RGB", (20, 30), (200, 200, 200)).save(buffer, "PNG")
    image = tmp_path / "image.png"
    image.write_bytes(buffer.getvalue())
    expected = softmax(200)

    (answer,) = predict(store.settings, colour, [buffer.getvalue()])
    assert answer.classes == ("class 1", "class 0", "class 2")
    np.testing.assert_allclose(answer.probabilities, expected[[1, 0, 2]], atol=1e-4)
    assert "taken as logits" in answer.preprocessing

    done = command("predict", grey, str(image), "--json")
    (row,) = json.loads(done.stdout)
    assert [one["class"] for one in row["predictions"]] == ["class 1", "class 0", "class 2"]
    np.testing.assert_allclose(row["predictions"][0]["probability"], expected[1], atol=1e-4)
    (note,) = row["notes"]
    assert note.startswith("The preprocessing of this model is not known. It was given pixels of 0 to 255")
    assert note in command("predict", grey, str(image)).stderr

    refused = command("predict", none, str(image))
    assert refused.returncode != 0
    assert "'none' was logged by another program." in refused.stderr
    assert "mlflow.keras.log_model" in refused.stderr
    with pytest.raises(InferenceError, match=r"cannot classify images here.*Received: \(None, 10\)"):
        predict(store.settings, table, [buffer.getvalue()])
    with pytest.raises(InferenceError, match=r"cannot be loaded in Keras' safe mode: .*`Lambda` layer"):
        predict(store.settings, unsafe, [buffer.getvalue()])

    app = opened("pages/5_Predict.py", run=grey)
    assert not app.exception
    assert len(app.multiselect[0].options) == 4  # those with a Keras model
    app.file_uploader[0].set_value([("image.png", buffer.getvalue(), "image/png")]).run()
    assert not app.exception
    assert f"### class 1 · {expected[1]:.1%}" in [text.value for text in app.markdown]
    assert note in [caption.value for caption in app.caption]
    assert "as the model gets it: 8×6, grey" in [caption.value for caption in app.caption]
    (error,) = opened("pages/5_Predict.py", run=table).error
    assert "cannot classify images here" in error.value
    assert opened("pages/5_Predict.py", run=none).warning[0].value.startswith("'none' was logged by another")
    assert none not in stored_predictions.predicting_runs()["run_id"].tolist()
