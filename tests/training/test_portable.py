"""Saved models: Keras alone loads them, wherever its layers can say the same."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from core.architectures import architectures, build_model, inference_model
from core.architectures.layers import (
    EuclideanRBF,
    LocalResponseNormalization,
    PartiallyConnectedConv2D,
    ScaledResidual,
    ScaledTanh,
    TrainableSubsampling,
    ZeroPaddedShortcut,
)
from core.training.portable import foreign_layers, portable

pytestmark = pytest.mark.slow

# Layers with weights of their own; the 1998 LeNet alone has them.
KEPT = {EuclideanRBF, PartiallyConnectedConv2D, TrainableSubsampling}
OPTIONS = {"resnet_cifar": {"depth": 8}, "plain_cifar": {"depth": 8}, "resnet_cifar_v2": {"depth": 11}}
# One model for each layer that is rewritten.
WITH_FOREIGN = {"resnet_cifar": 16, "cuda_convnet": 16, "lenet5_1998": 32}

LOAD = """
import sys
assert not any("archlab" in name for name in sys.modules)
import keras, numpy as np
for name in sys.argv[1:]:
    model = keras.models.load_model(f"{name}.keras")
    np.save(f"{name}.npy", model.predict(np.load("images.npy"), verbose=0))
"""


def one_layer(layer, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    outputs = layer(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (ZeroPaddedShortcut(7, 2, name="a"), [(5, 4, 4)]),  # an odd channel, and an odd row
        (ZeroPaddedShortcut(6, 1, name="a"), [(3, 3, 3)]),
        (LocalResponseNormalization(name="a"), [(4, 3, 9)]),
        (LocalResponseNormalization(4, bias=1.0, alpha=0.5, beta=0.6, name="a"), [(2, 2, 3)]),  # few channels
        (ScaledResidual(0.17, name="a"), [(3, 3, 2), (3, 3, 2)]),
        (ScaledTanh(name="a"), [(5,)]),
    ],
)
def test_a_layer_is_rewritten_to_the_same_function(layer, shapes):
    model = one_layer(layer, *shapes)
    copy = portable(model)
    assert not foreign_layers(copy)
    assert copy.get_layer("a") is not None  # the last of the new layers has the old one's name
    generator = np.random.default_rng(0)
    inputs = [generator.normal(0, 3, (2, *shape)).astype("float32") for shape in shapes]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    assert np.allclose(model.predict(inputs, verbose=0), copy.predict(inputs, verbose=0), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_what_is_rewritten_computes_in_32_bits(policy):
    model = one_layer(LocalResponseNormalization(name="a", dtype="float32"), (2, 2, 6))
    keras.config.set_dtype_policy(policy)
    try:
        copy = portable(model)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.dtype_policy.name for layer in copy.layers} == {"float32"}
    images = np.full((1, 2, 2, 6), 300, "float32")  # the square is more than the largest float16
    assert np.allclose(copy.predict(images, verbose=0), model.predict(images, verbose=0))


@pytest.mark.parametrize("name", architectures.names())
def test_every_model_of_the_registry_is_made_of_keras_layers(name):
    """All but the 1998 LeNet, whose layers with weights have no equivalent in Keras."""
    size = architectures.get(name).min_size
    with keras.StatelessScope(initialize_variables=False):  # layers alone count
        model = inference_model(build_model(name, (size, size, 3), 2, **OPTIONS.get(name, {})))
        rewritten = {LocalResponseNormalization, ScaledResidual, ScaledTanh, ZeroPaddedShortcut}
        left = set(foreign_layers(model)) - rewritten
    assert left == (KEPT if name == "lenet5_1998" else set())


@pytest.mark.parametrize(("name", "size"), WITH_FOREIGN.items())
def test_the_copy_has_the_weights_and_the_answers(name, size):
    model = build_model(name, (size, size, 3), 5, **OPTIONS.get(name, {}))
    copy = portable(model)
    images = np.random.default_rng(0).random((4, size, size, 3), dtype="float32")
    assert np.allclose(model.predict(images, verbose=0), copy.predict(images, verbose=0), atol=1e-6)
    named = {layer.name: layer.get_weights() for layer in copy.layers if layer.weights}
    for layer in model.layers:
        if layer.weights:  # so that another run can start from it by the layers' names
            assert all(map(np.array_equal, layer.get_weights(), named[layer.name]))
    assert copy.count_params() == model.count_params()


def test_models_load_in_a_process_without_the_program(tmp_path):
    images = np.random.default_rng(0).random((2, 16, 16, 3), dtype="float32")
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in ("resnet_cifar", "cuda_convnet"):
        model = build_model(name, (16, 16, 3), 3, **OPTIONS.get(name, {}))
        pixels = keras.Input((16, 16, 3))
        whole = keras.Model(pixels, model(keras.layers.Rescaling(1.0)(pixels)))  # nested, as it is saved
        portable(whole).save(tmp_path / f"{name}.keras")
        expected[name] = whole.predict(images, verbose=0)
    # in a folder without the program, so it is not on the path
    subprocess.run([sys.executable, "-c", LOAD, *expected], cwd=tmp_path, check=True)
    for name, answers in expected.items():
        assert np.allclose(answers, np.load(tmp_path / f"{name}.npy"), atol=1e-6)
