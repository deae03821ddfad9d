"""A model as backbone and head: what is counted, what is frozen, and what a step moves."""

import keras
import numpy as np
import pytest

from core.architectures import architectures, build_model
from core.architectures.transfer import (
    HEAD_BUILDERS,
    assemble,
    backbone_layers,
    backbone_of,
    head_of,
    unfreeze,
)
from core.config import ModelConfig

pytestmark = pytest.mark.slow

IMAGES = np.random.default_rng(0).uniform(size=(8, 8, 8, 1)).astype("float32")
LABELS = np.arange(8) % 2


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def tiny(**settings):
    """Eight layers of normalised convolutions, the least that has everything: `resnet_cifar` of depth 8."""
    settings = {"name": "resnet_cifar", "options": {"depth": 8}, "head": "gap"} | settings
    return assemble(ModelConfig(**settings), IMAGES.shape[1:], 2)


def values(layers):
    return {
        layer.name: [keras.ops.convert_to_numpy(weight).copy() for weight in layer.weights]
        for layer in layers
        if layer.weights
    }


def moved(before, after):
    return {
        name
        for name, arrays in before.items()
        if any(not np.array_equal(old, new) for old, new in zip(arrays, after[name], strict=True))
    }


def train(net):
    net.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True)
    for _ in range(2):  # the second residual branch of a block starts to count with the second step
        net.train_on_batch(IMAGES, LABELS)


@pytest.mark.parametrize(
    ("settings", "trainable"),
    [
        # The thirteen convolutions have 14,714,688. At 96×96 the last maps are 3×3×512, so the hidden layer
        # has 4608 · 256 = 1,179,648 weights, its normalisation 1024 of which 512 learn, the classifier
        # 256 · 2 + 2 = 514.
        ({}, 15_895_362),
        # The last eight layers are stages 4 and 5 with their pools: one convolution of 256 · 9 · 512 + 512
        # = 1,180,160 and five of 512 · 9 · 512 + 512 = 2,359,808; with the head's 1,180,674.
        ({"freeze": "last_n", "freeze_layers": 8}, 14_159_874),
    ],
)
def test_vgg16_with_the_dense_head_has_the_figures_of_the_course(settings, trainable):
    model = ModelConfig(name="vgg16", options={"dense_units": 16}, head="flatten_dense", **settings)
    net = assemble(model, (96, 96, 3), 2)
    assert net.count_params() == 15_895_874
    assert count(net.trainable_weights) == trainable


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        ({"freeze": "none"}, lambda names: []),
        ({"freeze": "all"}, lambda names: names),
        ({"freeze": "all_but_batchnorm"}, lambda names: [n for n in names if "bn" not in n]),
        ({"freeze": "first_n", "freeze_layers": 5}, lambda names: names[:5]),
        ({"freeze": "last_n", "freeze_layers": 5}, lambda names: names[:-5]),
        (
            {"freeze": "names", "freeze_names": "conv, stage2_*"},
            lambda names: [n for n in names if n == "conv" or n.startswith("stage2_")],
        ),
    ],
    ids=lambda value: "" if callable(value) else value["freeze"],
)
def test_frozen_layers_stay_as_they_are_and_all_others_move(freeze, frozen):
    net = tiny(**freeze)
    backbone = backbone_layers(net)
    still = set(frozen([layer.name for layer in backbone]))
    assert {layer.name for layer in net.layers if not layer.trainable} == still
    before = values(net.layers)
    train(net)
    with_weights = {layer.name for layer in net.layers if layer.weights}
    assert moved(before, values(net.layers)) == with_weights - still


def test_frozen_normalisation_works_with_its_stored_statistics_in_training():
    """Otherwise a step would see the batch's own statistics and move the stored ones."""
    backbone = backbone_of(tiny(freeze="all"))
    np.testing.assert_array_equal(
        np.array(backbone(10 * IMAGES, training=True)), np.array(backbone(10 * IMAGES, training=False))
    )
    learning = backbone_of(tiny(freeze="all_but_batchnorm"))
    assert not np.allclose(
        np.array(learning(10 * IMAGES, training=True)), np.array(learning(10 * IMAGES, training=False))
    )


def test_an_unfrozen_backbone_learns_again():
    net = tiny(freeze="all")
    unfreeze(net)
    before = values(backbone_layers(net))
    train(net)
    assert moved(before, values(backbone_layers(net))) == set(before)


@pytest.mark.parametrize("head", HEAD_BUILDERS)
def test_heads_end_in_probabilities_and_keep_their_layers_names(head):
    net = assemble(ModelConfig(name="lenet5", head=head), (16, 16, 1), 5)
    answers = np.array(net(np.zeros((2, 16, 16, 1)), training=False))
    assert answers.shape == (2, 5)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    # the same head has the same names, which weights are found by
    again = assemble(ModelConfig(name="lenet5", head=head), (16, 16, 1), 5)
    assert [layer.name for layer in again.layers[1:]] == [layer.name for layer in net.layers[1:]]


@pytest.mark.parametrize(
    "name",
    # one model a file of the registry, the smallest; variants are wired by the same function
    ["lenet5", "lenet5_1998", "conv3", "cifar_cnn", "alexnet_bn", "resnet_cifar", "googlenet"],
)
def test_backbone_and_head_together_are_the_model(name):
    size = architectures.get(name).min_size
    net = build_model(name, (size, size, 3), 3)
    images = np.random.default_rng(1).uniform(size=(2, size, size, 3)).astype("float32")
    maps = backbone_of(net)(images, training=False)
    assert len(maps.shape) == 4
    expected = net(images, training=False)
    np.testing.assert_allclose(np.array(head_of(net)(maps, training=False)), np.array(expected), atol=1e-6)


def test_a_new_head_leaves_the_old_one_behind():
    """At 32×32 the dense layers of VGG-16 are 4096-wide: 18 of its 33 million weights."""
    net = assemble(ModelConfig(name="vgg16", head="gap"), (32, 32, 3), 10)
    assert net.count_params() == 14_714_688 + 5_130
    pool = net.get_layer("pool5")
    assert [node.operation.name for node in pool._outbound_nodes] == ["head_average"]


def test_images_are_resized_before_they_reach_the_model():
    net = assemble(ModelConfig(name="vgg11", resize=64, head="gap"), (8, 8, 1), 2)
    assert net.input_shape == (None, 64, 64, 1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"freeze": "first_n", "freeze_layers": 99},
            r"model.freeze_layers must be at most \d+, the layers of resnet_cifar's backbone. Received: 99.",
        ),
        (
            {"freeze": "names", "freeze_names": "conv, nowhere*"},
            r"must name layers of resnet_cifar. Received: 'nowhere\*', which matches none.",
        ),
    ],
)
def test_a_policy_that_the_model_cannot_have_is_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        tiny(**settings)
