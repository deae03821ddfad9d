"""ImageNet weights in our models answer as in keras.applications: on the same pixels, to a thousandth.

The weights are random, with every normalisation and bias shown; the wiring is what is under test.
"""

import keras
import numpy as np
import pytest

from core.architectures import build_model, inference_model
from core.architectures.imagenet import KERAS_APPLICATIONS, carried_over
from core.architectures.transfer import backbone_of
from core.experiment.preprocessing import preprocessing
from tests.support.models import randomized

pytestmark = pytest.mark.slow

# Models of more layers of the same table are wired by the same functions and named by the same rule.
NAMES = ["vgg16", "resnet50", "resnet50_v2", "inception_v3", "inception_resnet_v2"]
MODULES = {
    "vgg16": "vgg16",
    "resnet50": "resnet",
    "resnet50_v2": "resnet_v2",
    "inception_v3": "inception_v3",
    "inception_resnet_v2": "inception_resnet_v2",
}


@pytest.mark.usefixtures("values_of_our_own")
@pytest.mark.parametrize("name", NAMES)
def test_our_model_sees_in_pixels_what_theirs_sees(name):
    twin, size = KERAS_APPLICATIONS[name], 75
    theirs = getattr(keras.applications, twin.builder)(
        weights=None, include_top=False, input_shape=(size, size, 3)
    )
    randomized(theirs)
    ours = backbone_of(inference_model(build_model(name, (size, size, 3), 2)))
    for layer_name, weights in carried_over(theirs, ours, twin).items():
        ours.get_layer(layer_name).set_weights(weights)

    pixels = np.random.default_rng(5).integers(0, 256, (2, size, size, 3)).astype("float32")
    preprocess = getattr(keras.applications, MODULES[name]).preprocess_input
    expected = keras.ops.convert_to_numpy(theirs(preprocess(pixels.copy()), training=False))
    images = keras.Input((size, size, 3))
    whole = keras.Model(images, ours(preprocessing(twin.preprocessing, (size, size, 3))(images)))
    answer = keras.ops.convert_to_numpy(whole(pixels, training=False))
    assert answer.shape == expected.shape
    assert np.abs(answer - expected).max() < 1e-3 * np.ptp(expected)


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("vgg19", "block5_conv4", "conv5_4"),
        ("resnet152", "conv1_conv", "conv1"),
        ("resnet152", "conv4_block36_0_conv", "conv4_block36_conv0"),
        ("resnet152", "conv4_block36_3_bn", "conv4_block36_conv3_bn"),
        ("resnet152_v2", "conv4_block36_preact_bn", "conv4_block36_preact_bn"),
        ("resnet152_v2", "conv4_block36_2_bn", "conv4_block36_conv2_bn"),
        ("resnet152_v2", "post_bn", "last_bn"),
    ],
)
def test_the_rule_of_names_reaches_the_deeper_models(name, theirs, ours):
    assert KERAS_APPLICATIONS[name].rename(theirs) == ours
