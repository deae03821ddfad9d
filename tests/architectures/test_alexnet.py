"""AlexNet: the table of multiply-accumulates, groups, and local response normalisation."""

import keras
import numpy as np
import pytest

from core.architectures.layers import LocalResponseNormalization

pytestmark = pytest.mark.slow


def rows(description):
    return {layer.name: layer for layer in description.layers}


def test_alexnet_macs_with_biases_are_those_of_the_well_known_table(described):
    # conv1: 55·55·96 values, each from 11·11·3 weights and a bias, and so on
    convolutions = [rows(described("alexnet"))[f"conv{number}"] for number in range(1, 6)]
    assert [row.connections for row in convolutions] == [
        105_705_600,
        448_084_224,
        149_585_280,
        224_345_472,
        149_563_648,
    ]
    assert sum(row.parameters for row in convolutions) == 3_747_200


def test_groups_halve_the_weights_and_macs_of_three_convolutions(described):
    whole, grouped = rows(described("alexnet")), rows(described("alexnet_grouped"))
    for name, factor in (("conv1", 1), ("conv2", 2), ("conv3", 1), ("conv4", 2), ("conv5", 2)):
        assert whole[name].macs == factor * grouped[name].macs
    halved = (5 * 5 * 96 * 256 + 3 * 3 * 384 * 384 + 3 * 3 * 384 * 256) // 2
    assert 62_378_344 - halved == described("alexnet_grouped").total_parameters


def test_maps_shrink_as_in_the_paper(described):
    maps = {name: row.output_shape for name, row in rows(described("alexnet")).items()}
    assert maps["conv1"] == (55, 55, 96)
    assert maps["conv2"] == (27, 27, 256)
    assert maps["conv5"] == (13, 13, 256)
    assert maps["pool5"] == (6, 6, 256)


@pytest.mark.parametrize("radius", [1, 2, 4])
def test_local_response_normalization_follows_its_formula(radius):
    images = np.random.default_rng(0).normal(size=(2, 3, 4, 7)).astype("float32")
    layer = LocalResponseNormalization(radius, bias=1.5, alpha=0.3, beta=0.6)
    expected = np.empty_like(images)
    for channel in range(7):
        neighbours = images[..., max(0, channel - radius) : channel + radius + 1]
        expected[..., channel] = images[..., channel] / (1.5 + 0.3 * (neighbours**2).sum(-1)) ** 0.6
    assert np.allclose(keras.ops.convert_to_numpy(layer(images)), expected, atol=1e-5)


def test_local_response_normalization_survives_half_precision():
    layer = LocalResponseNormalization(alpha=1.0, dtype="mixed_float16")
    out = keras.ops.convert_to_numpy(layer(np.full((1, 1, 1, 5), 1000.0, "float16")))
    assert out.dtype == np.float16
    assert np.isfinite(out).all()
    assert out.min() > 0
