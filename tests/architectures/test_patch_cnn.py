"""The patch CNNs: their published counts, and what their options change."""

import pytest

from core.architectures import build_model

pytestmark = pytest.mark.slow

# conv3 by layer: 96 → 94 → 47 → 45 → 22 → 20 → 10 pixels, so the hidden layer reads 10·10·128 values:
# 896 + 18,496 + 73,856 (convolutions) + 819,264 (hidden) + 130 (predictions) = 912,642
TOTALS = {"conv3": 912_642, "conv4": 793_922, "conv6": 811_490, "conv9": 775_874}


@pytest.mark.parametrize(("name", "total"), TOTALS.items())
def test_totals_are_the_published_ones(name, total):
    assert build_model(name).count_params() == total


def test_conv3_parameters_layer_by_layer():
    counts = [layer.count_params() for layer in build_model("conv3").layers if layer.weights]
    assert counts == [896, 18_496, 73_856, 819_264, 130]


def test_gap_head_reads_one_value_a_map():
    model = build_model("conv3", head="gap")
    assert model.get_layer("hidden").count_params() == 128 * 64 + 64


def test_batch_normalization_takes_the_place_of_biases():
    model = build_model("conv3", batch_normalization=True)
    # every bias becomes an offset; each of the 32 + 64 + 128 + 64 units gets a scale, a mean and a variance
    assert model.count_params() == 912_642 + 3 * (32 + 64 + 128 + 64)
    assert not model.get_layer("hidden").use_bias


def test_dropout_rates_are_set():
    model = build_model("conv3", dropout=0.1, dense_dropout=0.6)
    rates = [layer.rate for layer in model.layers if "dropout" in layer.name]
    assert rates == [0.1, 0.1, 0.1, 0.6]
