"""The tutorial CNNs: counts layer by layer, heads for two classes, and what cuda-convnet starts from."""

import keras
import numpy as np
import pytest

from core.architectures import build_model

pytestmark = pytest.mark.slow

TUTORIALS = ["mnist_cnn", "cifar_cnn", "cuda_convnet", "cats_dogs_cnn"]

# Convolutions k·k·in·out + out, dense layers in·out + out, from the image to the answer
COUNTS = {
    "mnist_cnn": [416, 14_436, 7 * 7 * 36 * 128 + 128, 1_290],
    "cifar_cnn": [896, 18_496, 8 * 8 * 64 * 1024 + 1024, 10_250],
    "cuda_convnet": [4_864, 102_464, 6 * 6 * 64 * 384 + 384, 73_920, 1_930],
    "cats_dogs_cnn": [896, 18_496, 73_856, 147_584, 7 * 7 * 128 * 512 + 512, 513],
}


@pytest.mark.parametrize("name", TUTORIALS)
def test_parameters_layer_by_layer(name, described):
    counts = [layer.parameters for layer in described(name).layers if layer.parameters]
    assert counts == COUNTS[name]


@pytest.mark.parametrize("name", TUTORIALS)
def test_two_classes_offer_one_sigmoid_unit_or_two_softmax_units(name):
    binary = build_model(name, (64, 64, 3), 2, head="sigmoid")
    categorical = build_model(name, (64, 64, 3), 2, head="softmax")
    assert binary.output_shape == (None, 1)
    assert categorical.output_shape == (None, 2)
    images = np.zeros((3, 64, 64, 3), "float32")
    assert np.allclose(keras.ops.convert_to_numpy(categorical(images)).sum(1), 1, atol=1e-6)
    probability = keras.ops.convert_to_numpy(binary(images))
    assert ((probability > 0) & (probability < 1)).all()


def test_a_sigmoid_unit_is_for_two_classes_only():
    assert build_model("cats_dogs_cnn", (64, 64, 3), 3, head="sigmoid").output_shape == (None, 3)


def test_cuda_convnet_decays_its_two_hidden_dense_layers_only():
    model = build_model("cuda_convnet")
    decayed = [layer.name for layer in model.layers if getattr(layer, "kernel_regularizer", None)]
    assert decayed == ["hidden1", "hidden2"]
    kernel = model.get_layer("hidden1").kernel
    penalty = model.get_layer("hidden1").kernel_regularizer(kernel)
    assert float(penalty) == pytest.approx(0.004 * float((kernel.numpy() ** 2).sum()) / 2, rel=1e-4)


def test_cuda_convnet_starts_from_the_tutorials_deviations():
    model = build_model("cuda_convnet")
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    for kernel, deviation in zip(kernels, (0.05, 0.05, 0.04, 0.04, 1 / 192), strict=True):
        assert np.abs(kernel).max() <= 2 * deviation / 0.87  # cut at two deviations of the wider normal
        assert kernel.std() == pytest.approx(deviation, rel=0.15)
