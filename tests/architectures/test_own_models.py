"""Models that somebody else wrote: what they answer, and what is refused before it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from core.architectures.classifier_output import ModelError, note, with_probabilities
from core.architectures.model_check import check_model
from core.config import ConfigError
from core.launching.checks import check
from core.system import settings as settings_module
from core.system.settings import Settings
from tests.support.homes import SMALL

pytestmark = pytest.mark.slow

SHAPE = (24, 24, 3)
IMAGES = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype("float32")


@keras.saving.register_keras_serializable(package="tests")
class KnownHereAlone(layers.Layer):
    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return 2 * x


@keras.saving.register_keras_serializable(package="tests")
def bent(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.maximum(x, 0.1 * x)


@keras.saving.register_keras_serializable(package="tests")
def light(weights: keras.KerasTensor) -> keras.KerasTensor:
    return 0.001 * keras.ops.sum(weights**2)


@keras.saving.register_keras_serializable(package="core_like")
class Noise(layers.Layer):
    """Acts in training alone, as Keras' own do, and cannot be known by its class."""

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        return 1.5 * x if training else x


def features(change: Callable | None = None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    images = keras.Input(SHAPE)
    x = change(images) if change else images
    return images, layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(x))


def model(activation: object = "softmax", units: int = 3, change: Callable | None = None) -> keras.Model:
    images, x = features(change)
    return keras.Model(images, layers.Dense(units, activation, name="last")(x), name="mine")


def all_convolutional() -> keras.Model:
    images = keras.Input(SHAPE)
    maps = layers.Conv2D(3, 3, name="maps")(images)
    return keras.Model(images, layers.GlobalAveragePooling2D()(maps), name="mine")


def sequential() -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(3)], name="mine")


def ensemble() -> keras.Model:
    images, x = features()
    answers = [layers.Dense(3, "softmax")(x) for _ in range(2)]
    return keras.Model(images, layers.Average()(answers), name="mine")


def by_operation() -> keras.Model:
    images, x = features()
    return keras.Model(images, keras.ops.softmax(layers.Dense(3)(x)), name="mine")


@pytest.mark.parametrize(
    ("build", "added"),
    [
        (lambda: model(None), "softmax"),
        (lambda: model("linear"), "softmax"),
        (all_convolutional, "softmax"),
        (sequential, "softmax"),
        (model, None),
        (ensemble, None),
        (by_operation, None),
    ],
)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_logits_get_a_softmax_and_every_answer_is_a_probability_in_32_bits(
    build: Callable, added: str | None, policy: str
) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        built = build()
        answering = with_probabilities(built, "mine", SHAPE, 3)
        check_model("mine", answering, "scale")
        answers = answering(IMAGES)
    finally:
        keras.config.set_dtype_policy("float32")
    assert answers.dtype == "float32"
    if build is not ensemble:  # an average of 16 bits stays as coarse as it is
        np.testing.assert_allclose(keras.ops.sum(answers, axis=1), 1, atol=1e-5)
    if policy == "float32":
        own = keras.ops.convert_to_numpy(built(IMAGES))
        expected = keras.ops.softmax(own) if added else own
        np.testing.assert_allclose(answers, expected, atol=1e-6)
    assert (added in note(answering)) if added else note(answering) is None
    assert [one.path for one in answering.weights] == [one.path for one in built.weights]


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_unit_answers_two_classes(activation: str | None) -> None:
    answering = with_probabilities(model(activation, 1), "mine", SHAPE, 2)
    check_model("mine", answering, "scale")
    answers = np.asarray(answering(IMAGES))
    assert answers.shape == (5, 1)
    assert ((answers > 0) & (answers < 1)).all()


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda: model("sigmoid"),
            "mine ends in the layer 'last' with a sigmoid for each class, whose",
        ),
        (
            lambda: model("relu"),
            "mine must end in softmax, or without activation for logits. Receive",
        ),
        (
            lambda: model("softmax", 1),
            "mine must have one output for each of the 3 classes: give the last",
        ),
        (
            lambda: model(units=10),
            "mine must have one output for each of the 3 classes: give the last",
        ),
        (
            lambda: model().layers[1],
            "mine must return a functional or sequential keras.Model with a know",
        ),
        (
            lambda: keras.Model(*(features()[0],) * 2),
            "mine must end in one value a class, (N, 3). Received: values of 24×",
        ),
        (
            lambda: keras.Sequential([keras.Input((9, 9, 1)), layers.Flatten(), layers.Dense(3)]),
            "mine must take one batch of images of 24×24×3. Received: 9×9×1.",
        ),
    ],
)
def test_a_model_that_is_no_classifier_of_such_images_is_refused(build: Callable, sentence: str) -> None:
    with pytest.raises(ModelError) as error:
        with_probabilities(build(), "mine", SHAPE, 3)
    assert str(error.value).startswith(sentence)


def sum_of_sigmoids() -> keras.Model:
    images, x = features()
    return keras.Model(images, layers.Add()([layers.Dense(3, "sigmoid")(x)] * 2), name="mine")


def sharing(initializer: keras.Initializer, other: keras.Initializer) -> keras.Model:
    images = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, kernel_initializer=initializer, name="one")(images)
    x = layers.Dense(3, "softmax", kernel_initializer=other, name="two")(layers.Flatten()(x))
    return keras.Model(images, x, name="mine")


def ending(*last: keras.Layer, units: int = 3, activation: str | None = "softmax") -> keras.Model:
    images, x = features()
    x = layers.Dense(units, activation, name="last")(x)
    for layer in last:
        x = layer(x)
    return keras.Model(images, x, name="mine")


def same_softmax_twice() -> keras.Model:
    softmax = layers.Softmax(name="again")
    return ending(softmax, softmax, activation=None)


def shared() -> keras.Model:
    initializer = keras.initializers.HeNormal()
    return sharing(initializer, initializer)


def sharing_in_depth() -> keras.Model:
    """A depthwise and a separable layer, whose kernels have initializers of other names."""
    images, initializer = keras.Input(SHAPE), keras.initializers.HeNormal()
    x = layers.DepthwiseConv2D(3, depthwise_initializer=initializer, name="one")(images)
    x = layers.SeparableConv2D(4, 3, pointwise_initializer=initializer, name="two")(x)
    return keras.Model(images, layers.Dense(3, "softmax")(layers.Flatten()(x)), name="mine")


def nested_rescaling() -> keras.Model:
    """As many ready-made backbones begin: the division lies in a model inside the model."""
    images = keras.Input(SHAPE)
    inside = keras.Sequential(
        [keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.Flatten()]
    )
    return keras.Model(images, layers.Dense(3, "softmax")(inside(images)), name="mine")


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            sum_of_sigmoids,
            "mine must output probabilities that sum to 1: end it with softmax,",
        ),
        (
            lambda: model(change=layers.Rescaling(1 / 255)),
            "mine scales pixels a second time: values that data.",
        ),
        (
            lambda: model(change=lambda x: x / 255.0),
            "mine scales pixels a second time: values that data.prepr",
        ),
        (
            lambda: model(change=lambda x: layers.Rescaling(1 / 127.5, -1)(x)),
            "mine scales pixels a second time",
        ),
        (
            nested_rescaling,
            "mine scales pixels a second time: values that data.preprocessing sc",
        ),
        (lambda: model(change=layers.Lambda(lambda x: 2 * x)), "mine cannot be saved and loaded again ("),
        (
            lambda: model(change=KnownHereAlone()),
            "mine cannot be saved and loaded again (its 'tests>KnownHere",
        ),
        (
            shared,
            "mine: the weights of the layers 'one' and 'two' start with the same",
        ),
        (
            sharing_in_depth,
            "mine: the weights of the layers 'one' and 'two' start with the same",
        ),
        (
            lambda: sharing(keras.initializers.HeNormal(seed=1), keras.initializers.HeNormal(seed=1)),
            "mine: the weights of the layers 'one' and 'two' start with the same",
        ),
        (
            lambda: sharing(keras.initializers.HeNormal(seed=1), keras.initializers.GlorotNormal(seed=1)),
            "mine: the weights of the layers 'one' and 'two' start with the same",
        ),
        (
            lambda: model(change=layers.Conv2D(4, 3, activation=bent)),
            "mine cannot be saved and loaded again (its 'tests>bent' is known only where",
        ),
        (
            lambda: model(change=layers.Activation(bent)),
            "mine cannot be saved and loaded again (its 'tests>bent' is known only where",
        ),
        (
            lambda: model(change=layers.Conv2D(4, 3, kernel_regularizer=light)),
            "mine cannot be saved and loaded again (its 'tests>light' is known only where",
        ),
        (
            lambda: ending(layers.Softmax(name="again")),
            "mine applies softmax in the layer 'again' to values that softmax in the layer 'last'",
        ),
        (
            lambda: ending(layers.Activation("softmax", name="again"), activation="sigmoid"),
            "mine applies softmax in the layer 'again' to values that sigmoid in the layer 'last'",
        ),
        (same_softmax_twice, "mine applies softmax in the layer 'again' to values that softmax in the"),
        (
            lambda: keras.Model((whole := ending()).input, keras.ops.softmax(whole.output), name="mine"),
            "mine applies softmax in the layer ",
        ),
        (
            lambda: ending(layers.Dropout(0.5, name="dropped")),
            "mine changes its probabilities at random while it trains, in the layer 'dropped' (Dropout)",
        ),
        (
            lambda: ending(layers.GaussianNoise(0.1, name="noisy"), layers.Flatten()),
            "mine changes its probabilities at random while it trains, in the layer 'noisy' (GaussianN",
        ),
        (
            lambda: ending(Noise()),
            "mine must output probabilities that sum to 1: end it with softmax, or with a layer without "
            "activation for logits. Received in training: ",
        ),
    ],
)
def test_a_model_that_would_train_to_no_use_is_refused(build: Callable, sentence: str) -> None:
    with pytest.raises(ModelError) as error:
        check_model("mine", with_probabilities(build(), "mine", SHAPE, 3), "scale")
    assert str(error.value).startswith(sentence)


def test_pixels_may_be_scaled_where_they_come_as_they_are() -> None:
    """`caffe` leaves a range of 255, and a model may undo a scale before it makes its own."""
    check_model(
        "mine", with_probabilities(model(change=layers.Rescaling(1 / 255)), "mine", SHAPE, 3), "caffe"
    )
    back = keras.Sequential([layers.Rescaling(255.0), layers.Rescaling(1 / 255)])
    check_model("mine", model(change=back), "scale")


def test_different_initializers_are_no_fault() -> None:
    check_model("mine", sharing(keras.initializers.HeNormal(), keras.initializers.HeNormal()), "scale")
    generator = keras.random.SeedGenerator(1)  # it goes on: each layer gets other numbers
    drawing = sharing(keras.initializers.HeNormal(generator), keras.initializers.HeNormal(generator))
    first, second = (np.ravel(drawing.get_layer(name).kernel)[:100] for name in ("one", "two"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5
    with pytest.raises(ModelError, match="start with the same"):
        check_model("mine", sharing(*(keras.initializers.HeUniform(seed=s) for s in (3, 3))), "scale")
    check_model("mine", sharing(*(keras.initializers.HeUniform(seed=s) for s in (3, 4))), "scale")


def test_one_sigmoid_unit_is_not_made_random_or_flattened() -> None:
    for last, sentence in (
        (layers.Dropout(0.5), "changes its probabilities at random"),
        (layers.Activation("sigmoid"), "so no class can become certain"),
    ):
        answering = with_probabilities(ending(last, units=1, activation="sigmoid"), "mine", SHAPE, 2)
        with pytest.raises(ModelError, match=sentence):
            check_model("mine", answering, "scale")


def test_what_is_random_before_the_last_weights_is_no_fault_and_the_check_changes_nothing() -> None:
    images, x = features(layers.BatchNormalization())
    logits = layers.GaussianNoise(0.1)(layers.Dense(3)(layers.Dropout(0.5)(x)))
    answering = with_probabilities(keras.Model(images, logits, name="mine"), "mine", SHAPE, 3)
    assert "softmax was added" in str(note(answering))
    before = [np.asarray(variable) for variable in answering.variables]
    check_model("mine", answering, "scale")
    for old, new in zip(before, answering.variables, strict=True):
        np.testing.assert_array_equal(old, new)


FILE = """
from pathlib import Path

from core.architectures import Architecture, Card, architectures
from core.lazy import LazyModule

keras = LazyModule("keras")


def made(name, units=None, activation="softmax"):
    def build(input_shape, num_classes):
        if Path(__file__).with_name("full.txt").exists():
            raise OSError("No space left on device")
        images = keras.Input(input_shape)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, activation="relu")(images))
        return keras.Model(images, keras.layers.Dense(units or num_classes, activation)(x), name=name)

    architectures.register(
        Architecture(
            name=name, family="Mine", build=build, input_shape=(24, 24, 3), num_classes=3, min_size=3,
            card=Card(title=name, authors="me", year=2026, paper="none", summary="One convolution."),
        )
    )


made("logits", activation=None)
made("sigmoids", activation="sigmoid")
made("ten_outputs", units=7)
"""


@pytest.fixture
def folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    own = tmp_path / "models"
    own.mkdir()
    (own / "mine.py").write_text(FILE)
    monkeypatch.setenv("ARCHLAB_ARCHITECTURES", str(own))
    settings_module.get_settings.cache_clear()
    yield own
    monkeypatch.undo()
    settings_module.get_settings.cache_clear()


def test_a_launch_asks_the_prediction_process_about_a_model_of_ones_own(folder: Path) -> None:
    full = folder / "full.txt"
    full.touch()
    with pytest.raises(ConfigError, match=r"logits cannot be built: No space left on device"):
        check(SMALL.with_values({"model.name": "logits"}))
    full.unlink()  # the code is the same; a failure that may have passed is not kept
    check(SMALL.with_values({"model.name": "logits"}))
    full.touch()
    check(SMALL.with_values({"model.name": "logits"}))  # that it passed is kept
    full.unlink()
    for name, sentence in (
        ("sigmoids", "sigmoids ends in the layer 'dense' with a sigmoid for each class, whose"),
        ("ten_outputs", "ten_outputs must have one output for each of the 10 classes: give the last"),
    ):
        with pytest.raises(ConfigError) as error:
            check(SMALL.with_values({"model.name": name}))
        assert str(error.value).startswith(sentence)
    mended = FILE.replace('"sigmoid"', '"softmax"').replace("units=7", "units=None")
    (folder / "mine.py").write_text(mended)
    check(SMALL.with_values({"model.name": "sigmoids"}))
    check(SMALL.with_values({"model.name": "ten_outputs"}))
