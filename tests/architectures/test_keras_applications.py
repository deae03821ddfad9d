"""An independent check: with the weights of keras.applications our nets give its answers.

Inputs are smaller than the native ones, which is cheaper and leaves the wiring as it is.
"""

import keras
import numpy as np
import pytest

from core.architectures import build_model, inference_model

CLASSES = 5


def weighted(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def randomized(model):
    """Give every normalisation and bias a value that would show if it were wired wrongly."""
    random = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(random.normal(0, 0.1, layer.beta.shape))
            layer.moving_mean.assign(random.normal(0, 0.1, layer.beta.shape))
            layer.moving_variance.assign(random.uniform(0.5, 1.5, layer.beta.shape))
            if layer.gamma is not None:
                layer.gamma.assign(random.uniform(0.5, 1.5, layer.beta.shape))
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
    return model


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


def test_resnet50_with_the_same_weights_answers_the_same():
    """The deeper ones differ from it in counts alone."""
    theirs = randomized(keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=CLASSES))
    ours = build_model("resnet50", (64, 64, 3), CLASSES)
    for layer in weighted(theirs, keras.layers.Conv2D):
        stem, _, end = layer.name.rpartition("_")  # conv2_block1_0_conv, conv1_conv
        block, _, number = stem.rpartition("_")
        name = f"{block}_conv{number}" if block else stem
        ours.get_layer(name).kernel.assign(layer.kernel)
        normalization = theirs.get_layer(layer.name.removesuffix(end) + "bn")
        copy_normalization(normalization, ours.get_layer(f"{name}_bn"), shift=layer.bias)
    ours.get_layer("predictions").set_weights(theirs.get_layer("predictions").get_weights())
    assert_same_answers(theirs, ours)


def test_resnet50_v2_with_the_same_weights_answers_the_same():
    build = keras.applications.ResNet50V2
    theirs = randomized(build(weights=None, input_shape=(64, 64, 3), classes=CLASSES))
    ours = build_model("resnet50_v2", (64, 64, 3), CLASSES)
    names = {"conv1_conv": "conv1", "post_bn": "last_bn", "predictions": "predictions"}
    for layer in weighted(theirs, keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.Dense):
        block, _, end = layer.name.partition("_block")
        index, _, rest = end.partition("_")
        part = {"conv": "conv{}", "bn": "conv{}_bn"}.get(rest[2:], "").format(rest[:1]) or rest
        name = names.get(layer.name) or f"{block}_block{index}_{part}"
        ours.get_layer(name).set_weights(layer.get_weights())
    assert_same_answers(theirs, ours)


def test_inception_v3_with_the_same_weights_answers_the_same():
    """As inception_resnet_v2 is compared where its ImageNet weights are: in test_imagenet."""
    build = keras.applications.InceptionV3
    theirs = randomized(build(weights=None, input_shape=(107, 107, 3), classes=CLASSES))
    ours = inference_model(build_model("inception_v3", (107, 107, 3), CLASSES, auxiliary=True))
    # Both list their layers from the image onwards and the branches of a module from the first to the last.
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.Dense)
    for source, target in zip(weighted(theirs, *kinds), weighted(ours, *kinds), strict=True):
        assert type(source) is type(target)
        if isinstance(source, keras.layers.BatchNormalization):
            copy_normalization(source, target)  # our factors start at 1, which is having none
        else:
            target.set_weights(source.get_weights())
    assert_same_answers(theirs, ours)
