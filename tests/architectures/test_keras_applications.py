"""An independent check: with the weights of keras.applications our models give its answers.

Inputs are smaller than the native ones, which is cheaper and leaves the wiring as it is.
"""

import keras
import numpy as np
import pytest

from core.architectures import build_model, inference_model
from tests.support.models import randomized

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("values_of_our_own")]

CLASSES = 5


def weighted(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def copy_normalization(theirs, ours, shift=0.0):
    """shift: the bias of the convolution before `theirs`; without it the mean must be as much smaller."""
    ours.beta.assign(theirs.beta)
    ours.moving_mean.assign(theirs.moving_mean - shift)
    ours.moving_variance.assign(theirs.moving_variance)
    if theirs.gamma is not None:
        ours.gamma.assign(theirs.gamma)


def assert_same_answers(theirs, ours):
    """Features before the classifier agree to a thousandth of what separates the images, answers to 0.001."""
    images = 30 * np.random.default_rng(5).normal(size=(4, *theirs.input_shape[1:])).astype("float32")
    results = []
    for model in (theirs, ours):
        both = keras.Model(model.inputs[0], [model.layers[-1].input, model.outputs[0]])
        results.append([keras.ops.convert_to_numpy(output) for output in both(images, training=False)])
    (features, answers), (our_features, our_answers) = results
    assert np.abs(our_features - features).max() < 1e-3 * np.ptp(features, axis=0).max() < np.inf
    assert np.allclose(our_answers, answers, atol=1e-3)


@pytest.mark.parametrize(("name", "their_name"), [("vgg16", "VGG16"), ("vgg19", "VGG19")])
def test_vgg_with_the_same_weights_answers_the_same(name, their_name):
    theirs = getattr(keras.applications, their_name)(weights=None, input_shape=(48, 48, 3), classes=CLASSES)
    ours = build_model(name, (48, 48, 3), CLASSES)
    ours.set_weights(randomized(theirs).get_weights())  # both hold kernel and bias from the image onwards
    assert_same_answers(theirs, ours)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_resnet_with_the_same_weights_answers_the_same(depth):
    build = getattr(keras.applications, f"ResNet{depth}")
    theirs = randomized(build(weights=None, input_shape=(64, 64, 3), classes=CLASSES))
    ours = build_model(f"resnet{depth}", (64, 64, 3), CLASSES)
    for layer in weighted(theirs, keras.layers.Conv2D):
        stem, _, end = layer.name.rpartition("_")  # conv2_block1_0_conv, conv1_conv
        block, _, number = stem.rpartition("_")
        name = f"{block}_conv{number}" if block else stem
        ours.get_layer(name).kernel.assign(layer.kernel)
        normalization = theirs.get_layer(layer.name.removesuffix(end) + "bn")
        copy_normalization(normalization, ours.get_layer(f"{name}_bn"), shift=layer.bias)
    ours.get_layer("predictions").set_weights(theirs.get_layer("predictions").get_weights())
    assert_same_answers(theirs, ours)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_resnet_v2_with_the_same_weights_answers_the_same(depth):
    build = getattr(keras.applications, f"ResNet{depth}V2")
    theirs = randomized(build(weights=None, input_shape=(64, 64, 3), classes=CLASSES))
    ours = build_model(f"resnet{depth}_v2", (64, 64, 3), CLASSES)
    names = {"conv1_conv": "conv1", "post_bn": "last_bn", "predictions": "predictions"}
    for layer in weighted(theirs, keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.Dense):
        block, _, end = layer.name.partition("_block")
        index, _, rest = end.partition("_")
        part = {"conv": "conv{}", "bn": "conv{}_bn"}.get(rest[2:], "").format(rest[:1]) or rest
        name = names.get(layer.name) or f"{block}_block{index}_{part}"
        ours.get_layer(name).set_weights(layer.get_weights())
    assert_same_answers(theirs, ours)


@pytest.mark.parametrize(
    ("name", "their_name", "options"),
    [("inception_v3", "InceptionV3", {"auxiliary": True}), ("inception_resnet_v2", "InceptionResNetV2", {})],
)
def test_inception_with_the_same_weights_answers_the_same(name, their_name, options):
    build = getattr(keras.applications, their_name)
    theirs = randomized(build(weights=None, input_shape=(107, 107, 3), classes=CLASSES))
    ours = inference_model(build_model(name, (107, 107, 3), CLASSES, **options))
    # Both list their layers from the image onwards and the branches of a module from the first to the last.
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.Dense)
    for source, target in zip(weighted(theirs, *kinds), weighted(ours, *kinds), strict=True):
        assert type(source) is type(target)
        if isinstance(source, keras.layers.BatchNormalization):
            copy_normalization(source, target)  # our factors start at 1, which is having none
        else:
            target.set_weights(source.get_weights())
    assert_same_answers(theirs, ours)
