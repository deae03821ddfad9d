"""Grad-CAM: against class activation maps by hand, for all ways in which models end, and sanity checks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import spearmanr

from core.architectures import build_model, load_layers
from core.datasets import load
from core.inference.grad_cam import NO_MAPS, grad_cam, on_image
from core.tracking.store import get_store
from tests.support.homes import Trained, using

pytestmark = pytest.mark.slow
IMAGE = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype="uint8")


def maps() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Images, and six feature maps of them; the same weights each time."""
    keras.utils.set_random_seed(5)
    images = keras.Input((16, 16, 3))
    x = layers.Conv2D(6, 3, strides=2, activation="relu", name="maps")(layers.Rescaling(1 / 255)(images))
    return images, x


@pytest.fixture(scope="module")
def trained_model(_trained: Trained) -> keras.Model:
    load_layers()
    with using(_trained.settings.home):
        return keras.saving.load_model(get_store().models.file(_trained.run_id), compile=False)


def test_for_a_pooled_head_it_is_the_class_activation_map() -> None:
    keras.utils.set_random_seed(1)
    images = keras.Input((32, 32, 3))
    net = build_model("resnet_cifar", (32, 32, 3), 10, depth=8)
    model = keras.Model(images, net(layers.Rescaling(1 / 255)(images)))  # the net is a model in the model
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype="uint8")
    *_, last, pooling, dense = net.layers
    assert isinstance(pooling, layers.GlobalAveragePooling2D)
    found = np.asarray(keras.Model(net.inputs, last.output)(image[None] / np.float32(255)))[0]
    for index in (0, 7):
        by_hand = np.maximum(found @ np.asarray(dense.kernel)[:, index] / 64, 0)  # of 8×8 places
        ours = grad_cam(model, image, index)
        assert ours.layer == last.name
        assert by_hand.max() > 1e-3
        np.testing.assert_allclose(ours.values, by_hand, atol=1e-6)


@pytest.mark.parametrize(
    "end", ["in the layer", "layer", "activation", "operation", "then float32", "sequential"]
)
def test_however_a_model_ends_the_gradient_is_that_of_the_logit(end: str) -> None:
    def ended(logits: keras.KerasTensor) -> keras.KerasTensor:
        match end:
            case "layer":
                return layers.Softmax()(logits)
            case "activation":
                return layers.Activation("softmax")(logits)
            case "operation":
                return keras.ops.softmax(logits)
        return layers.Activation("linear", dtype="float32")(layers.Softmax()(logits))

    images, x = maps()
    flat = layers.Flatten()(x)
    dense = layers.Dense(4, "softmax" if end in ("in the layer", "sequential") else None)
    out = dense(flat) if end in ("in the layer", "sequential") else ended(dense(flat))
    model = keras.Model(images, out)
    whole = keras.Sequential([keras.Input((16, 16, 3)), model]) if end == "sequential" else model
    kernel = np.asarray(dense.kernel).reshape(7, 7, 6, 4)
    features = np.asarray(keras.Model(images, x)(IMAGE[None].astype("float32")))[0]
    for index in range(4):
        by_hand = np.maximum(features @ kernel[..., index].mean(axis=(0, 1)), 0)
        np.testing.assert_allclose(grad_cam(whole, IMAGE, index).values, by_hand, atol=1e-6)
    before = np.asarray(whole(IMAGE[None].astype("float32")))
    assert before.sum() == pytest.approx(1)  # the activation is still there


def test_one_sigmoid_unit_speaks_for_the_second_class_and_against_the_first() -> None:
    images, x = maps()
    dense = layers.Dense(1, "sigmoid")
    model = keras.Model(images, dense(layers.GlobalAveragePooling2D()(x)))
    features = np.asarray(keras.Model(images, x)(IMAGE[None].astype("float32")))[0]
    signed = features @ np.asarray(dense.kernel)[:, 0] / 49
    np.testing.assert_allclose(grad_cam(model, IMAGE, 1).values, np.maximum(signed, 0), atol=1e-6)
    np.testing.assert_allclose(grad_cam(model, IMAGE, 0).values, np.maximum(-signed, 0), atol=1e-6)


def test_maps_of_one_pixel_are_passed_and_a_model_without_maps_is_refused() -> None:
    images, x = maps()
    small = layers.Conv2D(8, 7, activation="relu")(x)  # 1×1
    model = keras.Model(images, layers.Dense(3, "softmax")(layers.Flatten()(small)))
    assert grad_cam(model, IMAGE, 0).layer == "maps"
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(images))  # the rescaled image is no feature map
    with pytest.raises(ValueError, match="no feature maps") as error:
        grad_cam(keras.Model(images, layers.Dense(3, "softmax")(flat)), IMAGE, 0)
    assert str(error.value) == NO_MAPS


def test_the_map_of_a_model_that_cuts_out_the_middle_lies_there() -> None:
    images = keras.Input((20, 20, 3))
    middle = layers.Cropping2D(((2, 2), (4, 4)), name="centre")(images)
    model = keras.Model(images, layers.Conv2D(2, 3)(middle))
    found = on_image(np.ones((4, 3), "float32"), model, (20, 20))
    assert found[2:18, 4:16].min() == 1
    assert found.sum() == 16 * 12


def test_the_map_depends_on_the_weights(trained_model: keras.Model) -> None:
    """The model parameter randomisation test of Adebayo et al. (arXiv:1810.03292)."""
    digits = load("digits")
    keras.utils.set_random_seed(2)
    other = keras.models.clone_model(trained_model)
    same = keras.models.clone_model(trained_model)
    same.set_weights(trained_model.get_weights())
    alike = []
    for row in digits.indices("test")[:20]:
        image, label = digits.images[row], int(digits.labels[row])
        ours = grad_cam(trained_model, image, label).values
        np.testing.assert_allclose(grad_cam(same, image, label).values, ours, atol=1e-5)
        theirs = grad_cam(other, image, label).values
        if ours.any() and theirs.any():
            alike.append(spearmanr(ours.ravel(), theirs.ravel()).statistic)
    assert len(alike) >= 5
    assert np.mean(alike) < 0.5  # 1 where the weights made no difference


def test_of_a_digit_with_an_occluded_half_the_other_half_is_looked_at(trained_model: keras.Model) -> None:
    digits = load("digits")
    covered = {"left": np.s_[:, :14], "right": np.s_[:, 14:]}
    shares: dict[str, list[float]] = {side: [] for side in covered}  # of the map, in the right half
    for row in digits.indices("test")[:40]:
        for side, half in covered.items():
            image = digits.images[row].copy()
            image[half] = 0
            answer = int(np.asarray(trained_model(image[None].astype("float32"))).argmax())
            found = on_image(grad_cam(trained_model, image, answer).values, trained_model, (28, 28))
            if found.any():
                shares[side].append(found[covered["right"]].sum() / found.sum())
    assert min(map(len, shares.values())) >= 20
    assert np.mean(shares["left"]) - np.mean(shares["right"]) > 0.1
