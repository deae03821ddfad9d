"""The CIFAR models: every published count, shortcut kinds, and depths."""

import keras
import numpy as np
import pytest

from core.architectures import build_model
from core.architectures.layers import ZeroPaddedShortcut

pytestmark = pytest.mark.slow


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


# depth: (trainable, total, the paper's table 6 in millions)
COUNTS = {
    20: (269_722, 271_098, 0.27),
    32: (464_154, 466_426, 0.46),
    44: (658_586, 661_754, 0.66),
    56: (853_018, 857_082, 0.85),
    110: (1_727_962, 1_736_058, 1.7),
}


@pytest.mark.parametrize(("depth", "counts"), COUNTS.items())
def test_counts_are_the_papers(depth, counts):
    model = build_model("resnet_cifar", depth=depth)
    assert (trainable(model), model.count_params()) == counts[:2]
    assert trainable(model) / 1e6 == pytest.approx(counts[2], abs=0.03)


def test_identity_shortcuts_cost_no_parameter():
    assert build_model("plain_cifar", depth=20).count_params() == 271_098


def test_resnet_1202_has_the_papers_19_4_million():
    # Every block after a stage's first costs the same, so six more layers always cost what they cost at 20.
    six_layers = (COUNTS[44][0] - COUNTS[20][0]) // 4
    assert COUNTS[110][0] == COUNTS[20][0] + (110 - 20) // 6 * six_layers
    assert round((COUNTS[20][0] + (1202 - 20) // 6 * six_layers) / 1e6, 1) == 19.4


def test_models_deeper_than_pythons_recursion_limit_are_built():
    x = images = keras.Input((4, 4, 1))  # a chain as long as that of a ResNet of 302 layers, without its cost
    for _ in range(1_056):
        x = keras.layers.Activation("linear")(x)
    assert len(keras.Model(images, x).layers) == 1 + 1_056


def test_projections_and_biases_give_the_known_274_442():
    # 271,098 + 688 biases of the 3×3 convolutions + projections 16·32 + 32 and 32·64 + 64
    model = build_model("resnet_cifar", depth=20, shortcut="projection", conv_bias=True)
    assert model.count_params() == 271_098 + 688 + 544 + 2_112 == 274_442


def test_pre_activation_164_has_the_papers_1_7_million(described):
    # "Identity Mappings in Deep Residual Networks" (arXiv:1603.05027), table 4
    assert described("resnet_cifar_v2").trainable_parameters == 1_703_258


@pytest.mark.parametrize("depth", [7, 19, 21])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=f"Received: {depth}"):
        build_model("resnet_cifar", depth=depth)


def test_zero_padded_shortcut_keeps_values_and_adds_zeros():
    images = np.arange(2 * 5 * 5 * 2, dtype="float32").reshape(2, 5, 5, 2)
    layer = ZeroPaddedShortcut(filters=5, strides=2)
    kept = keras.ops.convert_to_numpy(layer(images))
    assert kept.shape == layer.compute_output_shape(images.shape) == (2, 3, 3, 5)
    assert np.array_equal(kept[..., 1:3], images[:, ::2, ::2])
    assert not kept[..., [0, 3, 4]].any()
    assert layer.count_params() == 0
