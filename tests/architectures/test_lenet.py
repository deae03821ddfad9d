"""LeNet-5 layer by layer: parameters, connections, and the output units."""

import keras
import numpy as np
import pytest

from core.architectures import build_model
from core.architectures.layers import EuclideanRBF, PartiallyConnectedConv2D, ScaledTanh, TrainableSubsampling
from core.architectures.layers.euclidean_rbf import DIGITS, target_codes
from core.architectures.lenet import C3_CONNECTIONS

pytestmark = pytest.mark.slow


def rows(description):
    return {layer.name: layer for layer in description.layers}


def test_lenet5_parameters_layer_by_layer(described):
    counts = [layer.parameters for layer in described("lenet5").layers if layer.parameters]
    # 6·(25 + 1), 16·(6·25 + 1), 16·4·4·120 + 120, 120·84 + 84, 84·10 + 10
    assert counts == [156, 2_416, 30_840, 10_164, 850]


# name: (trainable parameters, connections) as section II.B of the paper states them
PAPER = {
    "c1": (156, 122_304),
    "s2": (12, 5_880),
    "c3": (1_516, 151_600),
    "s4": (32, 2_000),
    "c5": (48_120, 48_120),
    "f6": (10_164, 10_164),
}


@pytest.mark.parametrize("layer", PAPER)
def test_lenet5_1998_counts_are_the_papers(layer, described):
    row = rows(described("lenet5_1998"))[layer]
    assert (row.parameters, row.connections) == PAPER[layer]


def test_lenet5_1998_has_60_000_trainable_parameters(described):
    assert sum(parameters for parameters, _ in PAPER.values()) == 60_000
    assert described("lenet5_1998").trainable_parameters == 60_000
    assert rows(described("lenet5_1998"))["rbf"].parameters == 840


def test_c3_is_wired_by_the_papers_table():
    assert [len(sources) for sources in C3_CONNECTIONS] == [3] * 6 + [4] * 9 + [6]
    read_by = np.bincount([source for sources in C3_CONNECTIONS for source in sources])
    assert read_by.tolist() == [10] * 6  # the table has ten crosses in each row
    assert len(set(C3_CONNECTIONS)) == 16


def test_partial_convolution_ignores_maps_that_are_not_wired():
    layer = PartiallyConnectedConv2D(((0,), (0, 2)), 3)
    maps = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    before = keras.ops.convert_to_numpy(layer(maps))
    changed = maps.copy()
    changed[..., 2] += 1
    after = keras.ops.convert_to_numpy(layer(changed))
    assert before.shape == layer.compute_output_shape(maps.shape) == (2, 4, 4, 2)
    assert np.array_equal(before[..., 0], after[..., 0])
    assert not np.allclose(before[..., 1], after[..., 1])
    assert layer.count_params() == 3 * 9 + 2


def test_fully_wired_partial_convolution_is_a_convolution():
    maps = np.random.default_rng(0).normal(size=(2, 7, 7, 2)).astype("float32")
    layer = PartiallyConnectedConv2D(((0, 1), (0, 1), (0, 1)), 3)
    layer.build(maps.shape)
    plain = keras.layers.Conv2D(3, 3)
    plain.build(maps.shape)
    kernel = np.zeros((3, 3, 2, 3), "float32")
    for wire, (source, target) in enumerate(layer.wires):
        kernel[:, :, source, target] = layer.kernel.numpy()[:, wire].reshape(3, 3)
    plain.kernel.assign(kernel)
    assert np.allclose(layer(maps), plain(maps), atol=1e-5)


def test_subsampling_adds_four_values_then_scales_and_shifts():
    maps = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    layer = TrainableSubsampling()
    layer.build(maps.shape)
    layer.kernel.assign([0.5])
    layer.bias.assign([1.0])
    out = keras.ops.convert_to_numpy(layer(maps))[0, :, :, 0]
    assert out.tolist() == [[6.0, 10.0], [22.0, 26.0]]  # 0.5 · (0 + 1 + 4 + 5) + 1, ...


def test_squashing_function_keeps_plus_and_minus_one():
    squashed = keras.ops.convert_to_numpy(ScaledTanh()(np.array([-1.0, 0.0, 1.0], "float32")))
    assert np.allclose(squashed, [-1, 0, 1], atol=1e-4)


def test_codes_of_ten_classes_are_bitmaps_of_the_digits():
    codes = target_codes(10, 84)
    assert codes.shape == (10, 84)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    assert all(len(row) == 7 for digit in DIGITS for row in digit.split())
    distances = (codes[:, None] != codes[None]).sum(-1)
    assert distances[~np.eye(10, dtype=bool)].min() >= 5


@pytest.mark.parametrize("num_classes", [2, 100])
def test_other_numbers_of_classes_get_fixed_distant_codes(num_classes):
    codes = target_codes(num_classes, 84)
    assert np.array_equal(codes, target_codes(num_classes, 84))
    distances = (codes[:, None] != codes[None]).sum(-1)
    assert distances[~np.eye(num_classes, dtype=bool)].min() >= 20


def test_features_on_a_code_make_its_class_the_answer():
    layer = EuclideanRBF(10)
    codes = target_codes(10, 84).astype("float32")
    logits = keras.ops.convert_to_numpy(layer(codes))
    assert np.array_equal(logits.argmax(1), np.arange(10))
    assert np.allclose(np.diag(logits), 0)
    assert not layer.trainable_weights


def test_f6_reads_every_position_at_larger_inputs():
    model = build_model("lenet5_1998", (36, 36, 1))
    assert model.get_layer("c5").output.shape == (None, 2, 2, 120)
    assert model.get_layer("f6").count_params() == 4 * 120 * 84 + 84
