"""What an option or an input may be, and how a model refuses anything else."""

import pytest

from core.architectures import Option, architectures, build_model, check_options

pytestmark = pytest.mark.slow

DEPTH = Option("depth", 20, "Layers.", 8, 1202, step=6)


@pytest.mark.parametrize("value", [8, 20, 1202, 20.0])
def test_a_number_within_bounds_and_steps_is_taken(value):
    assert DEPTH.validated(value) == value
    assert isinstance(DEPTH.validated(value), int)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (21, r"must be 8, 14, 20 and so on up to 1202. Received: 21"),
        (2, r"must be in 8 to 1202. Received: 2"),
        (20.5, r"must be a whole number. Received: 20.5"),
        (True, r"must be a whole number. Received: True"),
        ("20", r"must be a whole number. Received: '20'"),
    ],
)
def test_other_numbers_are_refused_with_the_rule(value, rule):
    with pytest.raises(ValueError, match=rule):
        DEPTH.validated(value)


def test_words_and_switches_are_checked():
    with pytest.raises(ValueError, match=r"'head' must be one of flatten, gap. Received: 'max'"):
        build_model("conv3", head="max")
    with pytest.raises(ValueError, match=r"'auxiliary' must be true or false. Received: 1"):
        build_model("googlenet", auxiliary=1)


def test_unknown_options_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"plain_cifar has no option 'shortcut'. Known: depth, conv_bias"):
        check_options(architectures.get("plain_cifar"), {"shortcut": "identity"})


@pytest.mark.parametrize(
    ("shape", "num_classes", "rule"),
    [
        ((32, 32, 4), 10, "Images must have 1 or 3 channels. Received: 4"),
        ((32, 32, 3), 1, "`num_classes` must be at least 2. Received: 1"),
        ((32, 31, 3), 10, "vgg16 needs images of at least 32×32 pixels. Received: 32×31"),
    ],
)
def test_bad_inputs_are_refused_with_the_rule(shape, num_classes, rule):
    with pytest.raises(ValueError, match=rule):
        build_model("vgg16", shape, num_classes)


def test_option_changes_the_model():
    assert build_model("vgg11", (32, 32, 3), 10, dense_units=64).get_layer("fc2").units == 64
    scaled = build_model("inception_resnet_v1", (75, 75, 3), 2, scale_b=0.3)
    assert scaled.get_layer("b1_add").scale == 0.3


def test_drawn_inception_resnet_v2_has_the_maps_its_branches_add_up_to():
    drawn = build_model("inception_resnet_v2", (75, 75, 3), 2, wiring="figures")
    assert drawn.get_layer("reduction_a").output.shape[-1] == 384 + 384 + 384
    assert drawn.get_layer("reduction_b").output.shape[-1] == 384 + 288 + 320 + 1152
    assert len([layer for layer in drawn.layers if layer.name.endswith("_add")]) == 5 + 10 + 5
