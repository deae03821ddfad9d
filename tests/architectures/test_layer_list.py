"""A list of layers builds the model that it says, or is refused with line, layer, rule and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.architectures import checked_choice
from core.architectures.declarative import EXAMPLE
from core.architectures.describe import describe
from core.architectures.layer_list import LAYERS, output_shape, parameter_count, read_layers
from core.config import ConfigError, ExperimentConfig, from_yaml

if TYPE_CHECKING:
    import keras

CATS_DOGS = """\
- conv: {filters: 32, activation: relu}
- pool: 2
- conv: {filters: 64, activation: relu}
- pool: 2
- conv: {filters: 128, activation: relu}
- pool: 2
- conv: {filters: 128, activation: relu}
- pool: 2
- flatten
- dropout: 0.5
- dense: {units: 512, activation: relu}
- sigmoid
"""
MNIST = """\
- conv: {filters: 16, size: 5, padding: same, activation: relu}
- pool: 2
- conv: {filters: 36, size: 5, padding: same, activation: relu}
- pool: 2
- dropout: 0.25
- flatten
- dense: {units: 128, activation: relu}
- dropout: 0.5
- softmax
"""
CIFAR = """\
- conv: {filters: 32, padding: same, activation: relu}
- dropout: 0.25
- pool: 2
- conv: {filters: 64, padding: same, activation: relu}
- dropout: 0.25
- pool: 2
- flatten
- dropout: 0.25
- dense: {units: 1024, activation: relu}
- dropout: 0.5
- softmax
"""
CUDA = """\
- conv: {filters: 64, size: 5, padding: same, activation: relu, initializer: truncated_normal, stddev: 0.05}
- pool: {size: 3, strides: 2, padding: same}
- lrn: {radius: 4, bias: 1, alpha: 0.00011111111111111112, beta: 0.75}
- conv: {filters: 64, size: 5, padding: same, activation: relu, bias_start: .1, initializer: truncated_normal}
- lrn: {radius: 4, bias: 1, alpha: 0.00011111111111111112, beta: 0.75}
- pool: {size: 3, strides: 2, padding: same}
- flatten
- dense: {units: 384, activation: relu, initializer: truncated_normal, stddev: 0.04, bias_start: .1, l2: 2e-3}
- dense: {units: 192, activation: relu, initializer: truncated_normal, stddev: 0.04, bias_start: .1, l2: 2e-3}
- softmax: {initializer: truncated_normal, stddev: 0.005208333333333333}
"""
CONV3_GAP = """\
- conv: {filters: 32, bias: false}
- batch_norm
- activation: relu
- pool: 2
- dropout: 0.3
- conv: {filters: 64, bias: false}
- batch_norm
- activation: relu
- pool: 2
- dropout: 0.3
- conv: {filters: 128, bias: false}
- batch_norm
- activation: relu
- pool: 2
- dropout: 0.3
- global_average_pool
- dense: {units: 64, bias: false}
- batch_norm
- activation: relu
- dropout: 0.3
- softmax
"""
SMALL_CNNS: dict[str, tuple[str, dict[str, Any]]] = {
    "mnist_cnn": (MNIST, {}),
    "cifar_cnn": (CIFAR, {}),
    "cuda_convnet": (CUDA, {}),
    "cats_dogs_cnn": (CATS_DOGS, {}),
    "conv3": (CONV3_GAP, {"head": "gap", "batch_normalization": True}),
}


def settings_of(model: keras.Model) -> list[dict[str, Any]]:
    """What the layers are told, but for their names."""
    return [
        {key: value for key, value in layer.get_config().items() if key != "name"} | {"class": type(layer)}
        for layer in model.layers
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL_CNNS)
def test_the_small_cnns_can_be_written_as_lists(name: str) -> None:
    """The same layers with the same settings: initialisers, penalties, paddings and all."""
    from core.architectures import architectures, build_model

    text, options = SMALL_CNNS[name]
    entry = architectures.get(name)
    written = build_model("declarative", entry.input_shape, entry.num_classes, layers=text)
    known = build_model(name, **options)
    assert [type(layer) for layer in written.layers] == [type(layer) for layer in known.layers]
    assert written.count_params() == known.count_params()
    for mine, theirs in zip(settings_of(written), settings_of(known), strict=True):
        for config in (mine, theirs):  # two ways of saying the same
            if config.get("bias_initializer", {}).get("class_name") == "Constant":
                value = config["bias_initializer"]["config"]["value"]
                config["bias_initializer"] = "zeros" if value == 0 else value
            elif "bias_initializer" in config:
                config["bias_initializer"] = "zeros"
        assert mine == theirs


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The layers must be a YAML list, one `- layer` a line, the last one softmax. Received: ''."),
        ("conv: 3", "The layers must be a YAML list"),
        ("- conv: {filters: 3", "Line 1: the layers must be a YAML list. Received: expected ',' or '}'"),
        ("- conv: 8\n- convolution: 8", "Line 2, layer 2: unknown layer 'convolution'. Known: conv, pool,"),
        ("- conv: 8\n\n- conv: {size: 3}", "Line 3, layer 2 (conv): give it filters, as in"),
        ("- conv: {filters: 0}", "Line 1, layer 1 (conv): 'filters' must be in 1 to 8192. Received: 0."),
        ("- conv: {filters: 8, pad: 1}", "Line 1, layer 1 (conv): it has no setting 'pad'. Known: filters,"),
        ("- conv: {filters: [8]}", "Line 1, layer 1 (conv): 'filters' must be one number or word."),
        ("- conv: {filters: 8, filters: 9}", "Line 1, layer 1 (conv): 'filters' is given twice."),
        (
            "- conv: {filters: 1.5}",
            "Line 1, layer 1 (conv): 'filters' must be a whole number. Received: 1.5.",
        ),
        ("- dropout: 2", "Line 1, layer 1 (dropout): 'rate' must be in 0.0 to 0.99. Received: 2."),
        ("- activation: magic", "Line 1, layer 1 (activation): 'activation' must be one of linear, relu,"),
        ("- [conv]", "Line 1, layer 1: a layer is `- name` or `- name: {setting: value}`."),
        ("- !!python/object/apply:os.getcwd []", "Line 1, layer 1: a layer is `- name`"),
        (
            "- conv: !!python/name:os.getcwd 3",
            "Line 1, layer 1 (conv): 'filters' must be one number or word.",
        ),
        ("- flatten", "Line 1, layer 1 (flatten): the last layer must be softmax or sigmoid."),
        ("- flatten\n- softmax\n- softmax", "Line 2, layer 2 (softmax): only the last layer may be softmax."),
        (
            "- flatten\n- sigmoid",
            "Line 2, layer 2 (sigmoid): one sigmoid unit tells 2 classes apart. Received",
        ),
        ("- softmax", "Line 1, layer 1 (softmax): put flatten or global_average_pool before it. Received"),
        (
            "- flatten\n- conv: 3\n- softmax",
            "Line 2, layer 2 (conv): it needs maps. Received: a vector of 784",
        ),
        (
            "- pool: 14\n- conv: {filters: 8, size: 5}\n- flatten\n- softmax",
            "Line 2, layer 2 (conv): its window must fit into the map, or padding be same. "
            "Received: 5×5 on 2×2.",
        ),
        (
            "- flatten\n- dense: 65536\n- dense: 65536\n- softmax",
            "Line 3, layer 3 (dense): a model may have at most 500,000,000 parameters. Received: 4,346,",
        ),
        ("- flatten\n" * 201, "A model may have at most 200 layers. Received: 201."),
        ("#" * 6001, "Option 'layers' must have at most 6000 characters. Received: 6001."),
        (3, "Option 'layers' must be text. Received: 3."),
    ],
)
def test_a_bad_list_is_refused_in_one_sentence(text: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as error:
        checked_choice("declarative", (28, 28, 1), 10, {"layers": text})
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_aliases_cannot_make_a_short_text_long() -> None:
    bomb = "- &a {conv: 1}\n" + "- *a\n" * 300
    with pytest.raises(ValueError, match="at most 200 layers"):
        read_layers(bomb)


@pytest.mark.slow
def test_what_is_checked_without_keras_is_what_keras_builds() -> None:
    """Strides, both paddings and both pools at a size that none of them divides."""
    text = """\
- conv: {filters: 5, size: 4, strides: 3, padding: same}
- pool: {size: 3, strides: 2, kind: average}
- conv: {filters: 6, size: 2, strides: 2}
- lrn
- pool: {size: 2, padding: same}
- flatten
- dense: 7
- softmax
"""
    facts = describe("declarative", (61, 47, 3), 4, layers=text)
    shape: tuple[int, ...] = (61, 47, 3)
    for listed, built in zip(read_layers(text), facts.layers, strict=True):
        before, shape = shape, output_shape(listed, shape, 4)
        assert (shape, parameter_count(listed, before, shape)) == (built.output_shape, built.parameters)


def test_a_list_goes_to_yaml_and_back() -> None:
    config = ExperimentConfig().with_values({"model.name": "declarative", "model.options.layers": EXAMPLE})
    text = config.to_yaml()
    assert "    layers: |\n      - conv: {filters: 32" in text  # lines stay lines
    assert from_yaml(text) == config
    assert config.flat()["model.options.layers"] == EXAMPLE


def test_a_config_may_hold_the_list_itself() -> None:
    config = from_yaml(
        "model:\n  name: declarative\n  options:\n    layers:\n"
        "    - conv: {filters: 8, padding: same}\n    - flatten\n    - softmax\n"
    )
    text = config.model.options["layers"]
    assert isinstance(text, str)
    assert [layer.kind for layer in read_layers(text)] == ["conv", "flatten", "softmax"]
    assert from_yaml(config.to_yaml()) == config
    with pytest.raises(ConfigError, match=r"model.options"):
        from_yaml("model: {name: declarative, options: {layers: {conv: 3}}}")


def test_every_layer_of_the_list_has_helpful_settings() -> None:
    for options in LAYERS.values():
        for option in options:
            assert option.validated(option.default) == option.default
            assert option.help.endswith(".")
