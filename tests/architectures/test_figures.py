"""Every published figure of every model at its native input, to the last digit."""

import pytest

from core.architectures import architectures

pytestmark = pytest.mark.slow

# name: (trainable parameters, all parameters); the difference is the moving mean and variance of each
# normalised channel, and in lenet5_1998 the 840 fixed numbers of the output bitmaps
PARAMETERS = {
    "lenet5": (44_426, 44_426),
    "lenet5_1998": (60_000, 60_840),
    "conv3": (912_642, 912_642),
    "conv4": (793_922, 793_922),
    "conv6": (811_490, 811_490),
    "conv9": (775_874, 775_874),
    "mnist_cnn": (242_062, 242_062),
    "cifar_cnn": (4_224_970, 4_224_970),
    "cuda_convnet": (1_068_298, 1_068_298),
    "cats_dogs_cnn": (3_453_121, 3_453_121),
    "alexnet": (62_378_344, 62_378_344),
    "alexnet_grouped": (60_965_224, 60_965_224),
    "alexnet_bn": (28_075_633, 28_096_769),
    "vgg11": (132_863_336, 132_863_336),
    "vgg11_lrn": (132_863_336, 132_863_336),  # local response normalisation has no parameter
    "vgg13": (133_047_848, 133_047_848),
    "vgg16_1x1": (133_638_952, 133_638_952),
    "vgg16": (138_357_544, 138_357_544),
    "vgg19": (143_667_240, 143_667_240),
    "googlenet": (13_378_280, 13_378_280),  # with both auxiliary heads
    "inception_v2": (11_278_528, 11_298_560),
    "inception_v3": (27_143_152, 27_179_376),  # with the auxiliary head
    "inception_v4": (42_679_816, 42_742_984),
    "inception_resnet_v1": (22_756_328, 22_783_368),
    "inception_resnet_v2": (55_843_464, 55_904_008),
    "resnet18": (11_689_512, 11_699_112),
    "resnet34": (21_797_672, 21_814_696),
    "resnet50": (25_557_032, 25_610_152),
    "resnet101": (44_549_160, 44_654_504),
    "resnet152": (60_192_808, 60_344_232),
    "plain18": (11_515_688, 11_523_496),
    "plain34": (21_623_848, 21_639_080),
    "resnet50_v2": (25_568_360, 25_613_800),
    "resnet101_v2": (44_577_896, 44_675_560),
    "resnet152_v2": (60_236_904, 60_380_648),
    "resnet_cifar": (269_722, 271_098),
    "plain_cifar": (269_722, 271_098),
    "resnet_cifar_v2": (1_703_258, 1_727_482),
    "fast_cifar": (1_971_328, 1_973_920),  # fixed: 2·2·3·24 whitening weights, 2·1,152 moving statistics
}

# Layers with weights as the papers count them: their names say it, or table 1 of arXiv:1409.4842 (22 for
# GoogLeNet), section II.B of the LeNet paper (7 for LeNet-5, which counts trainable subsampling).
DEPTHS = {
    "lenet5_1998": 7,
    "conv3": 5,  # convolutions and two dense layers
    "conv9": 11,
    "alexnet": 8,
    "alexnet_grouped": 8,
    "vgg11": 11,
    "vgg13": 13,
    "vgg16_1x1": 16,
    "vgg16": 16,
    "vgg19": 19,
    "googlenet": 22,
    "resnet18": 18,
    "resnet34": 34,
    "resnet50": 50,
    "resnet101": 101,
    "resnet152": 152,
    "plain34": 34,
    "resnet50_v2": 50,
    "resnet152_v2": 152,
    "resnet_cifar": 20,
    "plain_cifar": 20,
    "resnet_cifar_v2": 164,
}

# Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, table of
# published models
RECEPTIVE_FIELDS = {
    "alexnet": 195,
    "vgg16": 212,
    "inception_v2": 699,
    "inception_v3": 1311,
    "inception_v4": 2071,
    "inception_resnet_v2": 3039,
    "resnet50": 483,
    "resnet101": 1027,
    "resnet152": 1507,
}

# Multiply-accumulates in millions to the papers' last digit: arXiv:1512.03385, table 1 and section 3.3 (the
# paper calls them FLOPs and counts identity shortcuts, which plain34 equals).
MACS = {"vgg19": 19.6, "plain34": 3.6, "resnet18": 1.8}


def test_every_model_of_the_registry_has_its_figure():
    written_by_a_person = {"declarative"}  # it is whatever its list of layers says
    assert set(architectures.names()) - set(PARAMETERS) == written_by_a_person


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_exact(name, described):
    description = described(name)
    assert (description.trainable_parameters, description.total_parameters) == PARAMETERS[name]
    assert sum(layer.parameters for layer in description.layers) == description.total_parameters


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_is_the_one_of_the_paper(name, described):
    assert described(name).depth == DEPTHS[name]


@pytest.mark.parametrize("name", RECEPTIVE_FIELDS)
def test_receptive_field_is_the_published_one(name, described):
    assert described(name).receptive_field == RECEPTIVE_FIELDS[name]


@pytest.mark.parametrize("name", MACS)
def test_multiply_accumulates_are_the_papers(name, described):
    assert round(described(name).macs / 1e9, 1) == MACS[name]


def test_googlenet_without_auxiliary_heads(described):
    # The head at 4a: 512·128 + 128, 4·4·128·1024 + 1024, 1024·1000 + 1000 = 3,188,840; at 4d with 528 maps
    # 3,190,888; together with the model 13,378,280.
    assert described("googlenet", auxiliary=False).total_parameters == 6_998_552
    assert PARAMETERS["googlenet"][1] == 6_998_552 + 3_188_840 + 3_190_888


def test_inception_v3_without_auxiliary_head(described):
    description = described("inception_v3", auxiliary=False)
    assert (description.trainable_parameters, description.total_parameters) == (23_817_352, 23_851_784)


def test_published_millions():
    """Where a paper or a released model is known by a rounded figure, ours rounds to it."""
    millions = {name: round(trainable / 1e6, 2) for name, (trainable, _) in PARAMETERS.items()}
    assert millions["inception_v4"] == 42.68
    assert millions["inception_resnet_v2"] == 55.84
    assert round(PARAMETERS["inception_v2"][1] / 1e6, 1) == 11.3


def test_scale_terms_are_all_that_separates_inception_resnet_v2_from_keras_applications():
    # 55,813,192 is keras.applications' trainable count: 30,272 normalised channels without a factor.
    assert PARAMETERS["inception_resnet_v2"][0] - 30_272 == 55_813_192
    assert PARAMETERS["inception_resnet_v2"][1] - PARAMETERS["inception_resnet_v2"][0] == 2 * 30_272


def test_shortcuts_cost_only_their_projections(described):
    # 64·128 + 128·256 + 256·512 weights, and two trainable numbers for each of 128 + 256 + 512 channels
    projections = 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512)
    for depth in (18, 34):
        assert PARAMETERS[f"resnet{depth}"][0] - PARAMETERS[f"plain{depth}"][0] == projections
