"""The ONNX file of a model answers as Keras does, or there is none and the run says why."""

from __future__ import annotations

import tempfile

import keras
import numpy as np
import onnx
import pytest
from keras import layers, ops

from core.architectures import architectures, build_model
from core.components.preprocessing import preprocessings
from core.config import ExperimentConfig
from core.datasets import load
from core.experiment.preprocessing import training_mean
from core.onnx_form.check import TOLERANCE, keras_probabilities, largest_difference, make
from core.onnx_form.session import Facts, NotAnswering, Session
from core.tracking import schema
from core.tracking.client_reader import ClientReader
from core.tracking.models import ONNX_FILE
from core.tracking.store import get_store
from core.training import onnx_file
from core.training.models import wrap
from core.training.portable import portable
from tests.support.homes import Trained

pytestmark = pytest.mark.slow


def telling(model):
    """Give a fresh model answers that differ from image to image: at first most give all the same."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        name = weight.path.rpartition("/")[2]
        if name in ("bias", "beta", "moving_mean"):
            weight.assign(generator.normal(0, 0.1, weight.shape))
        if name in ("gamma", "moving_variance"):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def difference(model, path, views="none"):
    made = make(model, Facts(views=views), np.zeros((0,)), path)
    assert not made.refused
    return made.difference


def small(*stack, shape=(9, 7, 3)):
    images = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(images)
    for layer in stack:
        x = layer(x)
    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    return telling(keras.Model(images, layers.Dense(4, "softmax")(x)))


@pytest.mark.parametrize(
    "stack",
    [
        [layers.Conv2D(8, 3, strides=2, padding="same", activation="gelu")],  # an odd size, padded unevenly
        [layers.Conv2D(6, (2, 3), dilation_rate=2, activation="silu")],
        [layers.Conv2D(6, 3, groups=3)],
        [
            layers.Conv2D(6, 3, padding="same", activation="leaky_relu"),
            layers.Conv2D(4, 3, groups=2, strides=2),
        ],
        [layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), layers.BatchNormalization()],
        [layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="elu")],
        [layers.MaxPooling2D(3, 2, padding="same"), layers.AveragePooling2D(2, padding="same")],
        [layers.Conv2D(5, 3), layers.LayerNormalization(), layers.GlobalMaxPooling2D()],
        [layers.Conv2D(5, 3), layers.GlobalAveragePooling2D(keepdims=True), layers.Activation("selu")],
        [layers.Resizing(20, 5), layers.Cropping2D(((1, 2), (0, 1))), layers.ZeroPadding2D(((1, 0), (2, 3)))],
        [layers.Resizing(5, 11, interpolation="nearest"), layers.Reshape((11, 15)), layers.Dense(3, "tanh")],
        [layers.ReLU(max_value=0.4), layers.LeakyReLU(0.3), layers.ELU(0.5), layers.Dropout(0.5)],
        [lambda x: ops.matmul(layers.Conv2D(3, 1)(x), np.eye(3, dtype="float32")[::-1] / 2)],
        [lambda x: layers.Concatenate()([layers.Conv2D(2, 1)(x), x]), lambda x: layers.Multiply()([x, x])],
    ],
)
def test_layers_answer_as_keras_does(stack, tmp_path):
    model = small(*stack)
    assert (
        keras_probabilities(model, np.random.default_rng(1).integers(0, 256, (4, 9, 7, 3))).std(0).max()
        > 1e-3
    )
    assert difference(model, tmp_path / "model.onnx") < 1e-6


@pytest.mark.parametrize("name", preprocessings.names())
def test_crops_preprocessing_sizes_and_views_are_in_the_graph(name, tmp_path):
    """Grey images of 28×28, cropped, made colour, preprocessed and enlarged; ten views are averaged."""
    values = {"data.name": "digits", "data.preprocessing": name, "augmentation.random_crop": 24}
    values |= {"augmentation.test_time": "ten_crops", "model.resize": 32}
    config, dataset = ExperimentConfig().with_values(values), load("digits")
    model = telling(build_model("resnet_cifar", (32, 32, 3), 10, depth=8))
    _, deployable = wrap(
        model, config, dataset.info.shape, np.repeat(training_mean(dataset.images, np.arange(99)), 3, -1)
    )
    made = make(deployable, Facts(views="ten_crops"), dataset.images, tmp_path / "model.onnx")
    assert not made.refused
    assert made.difference < 1e-5


def test_one_sigmoid_unit_becomes_two_probabilities(tmp_path):
    images = keras.Input((5, 5, 1))
    model = keras.Model(
        images, layers.Dense(1, "sigmoid")(layers.Flatten()(layers.Rescaling(1 / 255)(images)))
    )
    assert difference(model, tmp_path / "model.onnx") < 1e-6
    found = Session(tmp_path / "model.onnx").probabilities(np.full((3, 5, 5, 1), 200, "uint8"))
    assert found.shape == (3, 2)
    assert np.allclose(found.sum(axis=1), 1)


def test_the_file_says_what_it_answers(tmp_path):
    facts = Facts(("zwölf", "no"), "made grey", "flip")
    assert not make(small(layers.Conv2D(2, 3)), facts, np.zeros((0,)), tmp_path / "model.onnx").refused
    session = Session(tmp_path / "model.onnx")
    assert (session.facts, session.shape) == (facts, (9, 7, 3))
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"), full_check=True)


@keras.saving.register_keras_serializable(package="test")
class Conv2D(layers.Conv2D):
    """A user's layer with the name of one of Keras, which computes something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        ([Conv2D(2, 3, name="odd")], r"the layer 'odd' \(Conv2D\) has no ONNX form here"),
        ([layers.Activation(lambda x: x * 3)], "the activation <lambda> has no ONNX form here"),
    ],
)
def test_a_model_that_cannot_be_written_says_which_layer(stack, reason, tmp_path):
    made = make(small(*stack), Facts(), np.zeros((0,)), tmp_path / "model.onnx")
    assert made.refused.startswith("The model could not be written as ONNX: ")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(made.refused)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_answers_otherwise_is_not_kept(tmp_path):
    """The model changes after it was written, which stands for a conversion that is wrong."""
    model, path = small(layers.Conv2D(2, 3)), tmp_path / "model.onnx"
    assert not make(model, Facts(), np.zeros((0,)), path).refused
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 3)
    assert largest_difference(model, Session(path), np.zeros((0,))) > TOLERANCE

    class Wrong(layers.Dropout):  # it is taken for what changes nothing
        def call(self, inputs, training=False):
            return inputs * 2

    Wrong.__module__, Wrong.__name__ = layers.Dropout.__module__, "Dropout"
    made = make(small(layers.Conv2D(2, 3), Wrong(0.5)), Facts(), np.zeros((0,)), path)
    assert made.refused.startswith("The ONNX form of the model gives other probabilities than Keras: ")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_one_sentence(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(NotAnswering, match=r"^The ONNX file model\.onnx cannot be loaded: .*\.$"):
        Session(path)


def test_a_finished_run_has_a_checked_file_beside_its_model(trained: Trained) -> None:
    store = get_store()
    tags = store.state(trained.run_id).tags
    assert float(tags[schema.ONNX_DIFFERENCE]) < TOLERANCE
    assert schema.ONNX_REFUSED not in tags
    file = store.models.file(trained.run_id)
    session = Session(file.parent.parent / ONNX_FILE)
    assert session.facts.classes == tuple(load("digits").info.classes)
    assert "onnxruntime" in (file.parent.parent / "README.md").read_text()
    assert store.onnx_file(trained.run_id) == file.parent.parent / ONNX_FILE
    assert ClientReader(store).newest_model(trained.run_id) == store.read.newest_model(trained.run_id)
    with pytest.raises(FileNotFoundError, match="has no saved model"):
        store.onnx_file("nope")


def test_grouped_convolutions_of_the_registry_answer_as_keras_does(tmp_path):
    size = architectures.get("alexnet_grouped").min_size
    model = telling(build_model("alexnet_grouped", (size, size, 3), 3))
    assert difference(portable(model), tmp_path / "model.onnx") < 1e-5


def test_no_file_is_made_of_a_model_that_would_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MOST_WEIGHTS", 10)
    images = np.zeros((3, 9, 7, 3), "uint8")
    with onnx_file.onnx_file(small(layers.Conv2D(2, 3)), Facts(), images) as (made, path):
        assert path is None
    assert made.refused.startswith("An ONNX file is made of at most 0 million weights, ")
    monkeypatch.undo()
    with onnx_file.onnx_file(small(layers.Conv2D(2, 3)), Facts(), images) as (made, path):
        assert path is not None
        assert path.exists()
    assert not path.exists()


def test_no_place_for_the_file_costs_the_file_alone(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with onnx_file.onnx_file(small(layers.Conv2D(2, 3)), Facts(), np.zeros((0, 9, 7, 3))) as (made, path):
        assert path is None
    assert made.refused.startswith("There was no place to write its ONNX file: ")


def test_a_file_cannot_name_another_file_to_be_read(tmp_path) -> None:
    """Weights of an ONNX file may lie in other files, by their paths."""
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    folder = tmp_path / "model"
    folder.mkdir()
    for place in ("../secret.bin", str(tmp_path / "secret.bin")):
        weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[4])
        weights.data_location = onnx.TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=place)
        model = onnx.helper.make_model(
            onnx.helper.make_graph(
                [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
                "g",
                [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4])],
                [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4])],
                [weights],
            ),
            opset_imports=[onnx.helper.make_opsetid("", 17)],
            ir_version=9,
        )
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(NotAnswering, match=r"secret\.bin|external data"):
            Session(folder / "model.onnx")
