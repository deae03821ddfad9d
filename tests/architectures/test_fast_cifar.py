"""The fast residual model: its size, its whitening first layer, and how its stages begin."""

import keras
import numpy as np
import pytest

from core import recipes
from core.architectures import architectures, build_model
from core.architectures.fast_cifar import whitening_kernel, with_identity

pytestmark = pytest.mark.slow

# whiten 2·2·3·24 = 288 · stage 1: 9·24·64 + 9·64·64 · stage 2: 9·64·256 + 9·256·256 · stage 3: 2 · 9·256·256
KERNELS = [288, 13_824, 36_864, 147_456, 589_824, 589_824, 589_824]
# offset, mean and variance of each unit; the classifier reads 256 values
TOTAL = sum(KERNELS) + 3 * 2 * (64 + 256 + 256) + 256 * 10


@pytest.fixture(scope="module")
def images():
    """Smooth colour images whose channels are correlated, as in photographs: float32 (64, 12, 12, 3)."""
    noise = np.random.default_rng(0).normal(size=(64, 14, 14, 1)) + 0.3 * np.random.default_rng(1).normal(
        size=(64, 14, 14, 3)
    )
    smooth = noise[:, :-2, :-2] + noise[:, 1:-1, 1:-1] + noise[:, 2:, 2:]
    return smooth.astype("float32")


def test_parameters_layer_by_layer():
    model = build_model("fast_cifar")
    assert [
        layer.count_params() for layer in model.layers if "conv" in layer.name or layer.name == "whiten"
    ] == KERNELS
    assert model.count_params() == TOTAL == 1_973_920
    assert [weight.path for weight in model.non_trainable_weights if "kernel" in weight.path] == [
        "whiten/kernel"
    ]


def test_every_batch_of_the_recipe_has_the_same_shape():
    """XLA compiles a step anew for each shape, which takes longer than an epoch on a GPU."""
    (config,) = recipes.get("cifar10-fast").configs
    validation = round(config.data.validation_fraction * 50_000)
    for images in (50_000 - validation, validation, 10_000):
        assert images % config.training.batch_size == 0


def test_the_first_layer_whitens_patches(images):
    model = build_model("fast_cifar", (12, 12, 3))
    architectures.get("fast_cifar").initialize(model, images)
    responses = np.asarray(model.get_layer("whiten")(images)).reshape(-1, 24)
    covariance = np.cov(responses[:, :12], rowvar=False)
    # directions that carry little variance v are damped to v / (v + 0.0005)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-3
    assert covariance.diagonal() == pytest.approx(np.ones(12), abs=0.02)
    assert np.allclose(responses[:, 12:], -responses[:, :12], atol=1e-4)


def test_whitening_of_two_pixels_by_hand():
    """Pairs of variance 4 and covariance 3: eigenvalues 7 and 1, directions (1, 1) and (1, -1)."""
    rows = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], float) * np.sqrt([7, 1])  # along the directions
    pixels = (rows @ np.array([[1, 1], [1, -1]]) / np.sqrt(2)) * np.sqrt(3 / 4)  # np.cov divides by n - 1
    images = np.repeat(pixels[:, None, :, None], 2, axis=1).astype("float32")  # a patch is two equal rows
    kernel = whitening_kernel(images, 2)
    # the rows double each variance: 14 and 2; the largest comes first
    first, second = kernel[..., 0, 0], kernel[..., 0, 1]
    assert np.abs(first) == pytest.approx(np.full((2, 2), 0.5 / np.sqrt(14 + 5e-4)), rel=1e-5)
    assert np.abs(second) == pytest.approx(np.full((2, 2), 0.5 / np.sqrt(2 + 5e-4)), rel=1e-5)
    assert np.sign(first[0, 0]) == np.sign(first[0, 1])
    assert np.sign(second[0, 0]) == -np.sign(second[0, 1])


def test_a_stage_begins_as_a_copy_of_its_input():
    kernel = with_identity(np.full((3, 3, 2, 3), 7.0, "float32"))
    assert kernel[1, 1].tolist() == [[1, 0, 7], [0, 1, 7]]  # the third filter keeps its values
    assert not kernel[0, 0, :, :2].any()


@pytest.mark.parametrize("rate", [4, 64])
def test_offsets_learn_as_many_times_as_fast_as_the_option_says(rate, images):
    """One step of gradient descent from the same weights: offsets move `rate` times as far, others as far."""

    def moved(offset_rate):
        keras.utils.set_random_seed(0)
        model = build_model("fast_cifar", (12, 12, 3), 3, width=0.25, offset_rate=offset_rate)
        before = {weight.path: np.asarray(weight) for weight in model.trainable_weights}
        model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
        model.train_on_batch(images, np.arange(len(images)) % 3)
        return {weight.path: np.asarray(weight) - before[weight.path] for weight in model.trainable_weights}

    plain, fast = moved(1), moved(rate)
    for path, change in plain.items():
        if path.endswith("beta"):
            assert np.sqrt(rate) * fast[path] == pytest.approx(rate * change, rel=1e-3, abs=1e-8)
        else:
            assert fast[path] == pytest.approx(change, rel=1e-3, abs=1e-7)
    scales = [change for path, change in fast.items() if path.endswith("gamma")]
    assert len(scales) == 6
    assert all(np.abs(change).max() < 1e-6 for change in scales)
