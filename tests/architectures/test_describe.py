"""Descriptions: their keys, how they count, and memory against what a training process takes on Linux."""

import json
import subprocess
import sys

import keras
import pytest

from core.architectures import build_model
from core.architectures.describe import describe, describe_built, describe_model

pytestmark = pytest.mark.slow

KEYS = {
    "name",
    "input_shape",
    "classes",
    "total_parameters",
    "trainable_parameters",
    "non_trainable_parameters",
    "macs",
    "receptive_field",
    "depth",
    "layers",
    "memory",
}


def test_to_dict_is_json_with_the_documented_keys(described):
    plain = json.loads(json.dumps(described("lenet5").to_dict()))
    assert set(plain) == KEYS
    assert plain["layers"][0] == {
        "name": "c1",
        "type": "Conv2D",
        "output_shape": [24, 24, 6],
        "parameters": 156,
        "trainable_parameters": 156,
        "macs": 24 * 24 * 6 * 25,
        "connections": 24 * 24 * 6 * 26,
        "activation_bytes": 4 * 24 * 24 * 6,
        "inputs": [],
        "window": [5, 5],
        "strides": [1, 1],
    }
    assert [layer["inputs"] for layer in plain["layers"][1:3]] == [[0], [1]]
    assert plain["macs"] == sum(layer["macs"] for layer in plain["layers"])
    parts = ("weights", "gradients", "optimizer", "activations", "workspace", "graph")
    assert plain["memory"]["total"] == sum(plain["memory"][part] for part in parts)


def test_input_classes_and_options_are_those_asked_for():
    description = describe("resnet_cifar", (28, 28, 1), 5, depth=8)
    assert (description.input_shape, description.classes, description.depth) == ((28, 28, 1), 5, 8)


def test_memory_grows_with_batch_and_optimizer():
    small = describe("conv3", batch_size=1, state_per_weight=0).memory
    large = describe("conv3", batch_size=10, state_per_weight=2).memory
    assert small.optimizer == 0
    assert large.optimizer == 2 * large.gradients == 2 * 4 * 912_642
    assert large.activations == 10 * small.activations
    assert large.weights == small.weights


@pytest.mark.parametrize(
    ("layer", "macs", "parameters"),
    [
        # on 8×8×4 inputs
        (keras.layers.Conv2D(6, 3, padding="same"), 8 * 8 * 6 * 9 * 4, 6 * 9 * 4 + 6),
        (keras.layers.Conv2D(6, 3, groups=2, padding="same"), 8 * 8 * 6 * 9 * 2, 6 * 9 * 2 + 6),
        (keras.layers.Conv2D(6, 3, strides=2, padding="same"), 4 * 4 * 6 * 9 * 4, 6 * 9 * 4 + 6),
        (keras.layers.DepthwiseConv2D(3, padding="same"), 8 * 8 * 4 * 9, 4 * 9 + 4),
        (
            keras.layers.SeparableConv2D(6, 3, padding="same", depth_multiplier=2),
            8 * 8 * (8 * 9 + 8 * 6),
            8 * 9 + 8 * 6 + 6,
        ),
        (keras.layers.Conv2DTranspose(6, 2, strides=2), 8 * 8 * 4 * 6 * 4, 4 * 6 * 4 + 6),
        (keras.layers.BatchNormalization(), 0, 16),
    ],
)
def test_multiply_accumulates_of_each_kind_of_layer(layer, macs, parameters):
    images = keras.Input((8, 8, 4))
    outputs = keras.layers.GlobalAveragePooling2D()(layer(images))
    row = describe_model(keras.Model(images, outputs)).layers[0]
    assert (row.macs, row.parameters) == (macs, parameters)


def test_nested_and_sequential_models_are_unfolded():
    images = keras.Input((16, 16, 3))
    backbone = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, name="inner"), keras.layers.MaxPooling2D(2)]
    )
    x = backbone(keras.layers.UpSampling2D(2)(images))
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    description = describe_model(keras.Model(images, outputs))
    rows = {layer.name: layer for layer in description.layers}
    assert rows["inner"].macs == 30 * 30 * 4 * 27
    assert description.depth == 2
    assert description.receptive_field == 3  # 3×3, then 2×2, on pixels of half the size: 1 + 1 + 0.5
    assert sum(row.parameters for row in description.layers) == description.total_parameters


def test_shared_layers_count_parameters_once_and_work_twice():
    images = keras.Input((8, 8, 3))
    shared = keras.layers.Conv2D(3, 3, padding="same")
    outputs = keras.layers.GlobalAveragePooling2D()(shared(shared(images)))
    description = describe_model(keras.Model(images, outputs))
    assert [row.parameters for row in description.layers[:2]] == [84, 0]
    assert description.macs == 2 * 8 * 8 * 3 * 27


def test_half_precision_halves_the_activations():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = describe_model(build_model("conv3"))
    finally:
        keras.config.set_dtype_policy("float32")
    whole = describe_model(build_model("conv3"))
    assert 2 * half.layers[0].activation_bytes == whole.layers[0].activation_bytes
    assert half.memory.weights == whole.memory.weights


TRAIN = """
import json, os, sys, keras, numpy as np
from core.architectures import build_model

def train(model, size, batch):
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    images, labels = np.zeros((batch, size, size, 3), "float32"), np.zeros(batch)
    model.fit(images, labels, batch_size=batch, verbose=0)

def resident(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

def measure(name, size, batch, options):
    train(build_model("conv3", (22, 22, 3), 10), 22, 4)  # what any training process takes
    before = resident("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
    train(build_model(name, (size, size, 3), 10, **options), size, batch)
    print(name, resident("VmHWM") - before, flush=True)

for case in json.loads(sys.argv[1]):
    if os.fork() == 0:  # a process of its own for each net, without importing everything again
        measure(*case)
        os._exit(0)
    os.wait()
"""

CASES = [
    ("alexnet", 115, 16, {}),
    ("conv6", 96, 32, {}),
    ("conv9", 96, 32, {}),
    ("mnist_cnn", 32, 256, {}),
    ("resnet_cifar", 32, 128, {"depth": 8}),  # tracing a deeper one is what would take the time
    ("vgg11", 32, 32, {}),
]


def test_memory_estimate_is_within_30_percent_oftraining_processes():
    run = [sys.executable, "-c", TRAIN, json.dumps(CASES)]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, timeout=300).stdout
    measured = {name: int(taken) for name, taken in map(str.split, printed.splitlines())}
    estimated = {
        name: describe(name, (size, size, 3), 10, batch_size=batch, **options).memory.total
        for name, size, batch, options in CASES
    }
    # Products with the large dense matrices: how many copies of them live at once is up to the processor's
    # library. Without AVX-512 0.65 to 0.7 of the estimate was measured, which is on the safe side.
    dense = {"alexnet", "vgg11"}
    for name in dense:
        assert 0.7 <= estimated[name] / measured[name] <= 1.7, (name, estimated[name], measured[name])
    others = {name: taken for name, taken in measured.items() if name not in dense}
    assert {name: estimated[name] for name in others} == pytest.approx(others, rel=0.3)


def test_a_model_that_looks_at_its_weights_while_it_is_built_is_described_too():
    def build():
        images = keras.Input((8, 8, 1))
        layer = keras.layers.Conv2D(2, 3)
        outputs = layer(images)
        layer.kernel.assign(keras.ops.ones_like(layer.kernel) * float(keras.ops.sum(layer.kernel)))
        return keras.Model(images, keras.layers.Flatten()(outputs))

    assert describe_built(build).total_parameters == 20


def test_building_for_a_description_fills_no_weights(monkeypatch):
    def filled(*_, **__):
        raise AssertionError("a weight was filled")

    monkeypatch.setattr("keras.initializers.GlorotUniform.__call__", filled)
    assert describe("conv3").total_parameters > 0
