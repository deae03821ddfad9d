"""Auxiliary classifiers: in the training loss with their weight, nowhere else."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from core.architectures import build_model, inference_model
from core.architectures.layers import AuxiliaryModel

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).uniform(size=(6, 40, 40, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def googlenet():
    """Compiled by name: Keras then finds a function, which unlike a Loss object does not average."""
    keras.utils.set_random_seed(1)
    model = build_model("googlenet", (40, 40, 3), 3)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def test_training_loss_adds_three_tenths_of_each_auxiliary_loss(googlenet):
    heads = [keras.random.uniform((6, 3)) + 0.1 for _ in range(3)]
    heads = [head / keras.ops.sum(head, axis=1, keepdims=True) for head in heads]
    weights = np.arange(6, dtype="float32")
    for sample_weight in (None, weights):
        losses = [
            float(keras.losses.SparseCategoricalCrossentropy()(LABELS, head, sample_weight)) for head in heads
        ]
        loss = float(googlenet.compute_loss(IMAGES, LABELS, heads, sample_weight))
        assert loss == pytest.approx(losses[0] + 0.3 * (losses[1] + losses[2]), rel=1e-5)


def test_gradients_reach_the_auxiliary_heads(googlenet):
    before = googlenet.get_layer("auxiliary_4a_predictions").get_weights()[0].copy()
    googlenet.train_on_batch(IMAGES, LABELS)
    assert not np.array_equal(before, googlenet.get_layer("auxiliary_4a_predictions").get_weights()[0])


def test_fit_evaluate_and_predict_know_the_first_head_only(googlenet):
    history = googlenet.fit(
        IMAGES, LABELS, validation_data=(IMAGES, LABELS), batch_size=6, epochs=1, verbose=0
    ).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    probabilities = googlenet.predict(IMAGES, verbose=0)
    assert probabilities.shape == (6, 3)
    assert googlenet.output_shape == (None, 3)
    loss, _ = googlenet.evaluate(IMAGES, LABELS, verbose=0)
    assert loss == pytest.approx(-np.log(probabilities[np.arange(6), LABELS]).mean(), rel=1e-4)


def test_one_hot_labels_and_weights_of_images_work_too():
    model = build_model("inception_v3", (75, 75, 3), 3)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(label_smoothing=0.1), run_eagerly=True)
    images = np.zeros((3, 75, 75, 3), "float32")
    logs = model.train_on_batch(images, np.eye(3), sample_weight=np.ones(3), return_dict=True)
    assert np.isfinite(logs["loss"])


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_inference_model_leaves_the_heads_behind_and_shares_the_weights(name):
    trained, plain = (build_model(name, (75, 75, 3), 3, auxiliary=auxiliary) for auxiliary in (True, False))
    answering = inference_model(trained)
    assert isinstance(trained, AuxiliaryModel)
    assert not isinstance(answering, AuxiliaryModel)
    assert answering.count_params() == plain.count_params() < trained.count_params()
    assert not [layer.name for layer in answering.layers if "auxiliary" in layer.name]
    assert answering.get_layer("predictions") is trained.get_layer("predictions")


def test_inference_model_of_an_ordinary_model_is_itself():
    model = build_model("conv3")
    assert inference_model(model) is model


def test_saved_model_loads_in_a_process_that_imports_the_layers_only(tmp_path):
    net = inference_model(build_model("googlenet", (40, 40, 3), 3))
    net.save(tmp_path / "net.keras")
    code = (
        "import sys, keras, core.architectures.layers; "
        "print(keras.saving.load_model(sys.argv[1], safe_mode=True).output_shape)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "net.keras")], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "(None, 3)"


def test_the_training_model_can_be_saved_and_trained_on(googlenet, tmp_path):
    googlenet.save(tmp_path / "training.keras")
    loaded = keras.saving.load_model(tmp_path / "training.keras")
    assert isinstance(loaded, AuxiliaryModel)
    assert np.allclose(loaded.predict(IMAGES, verbose=0), googlenet.predict(IMAGES, verbose=0), atol=1e-6)
    assert len(loaded.outputs) == 3
