"""ImageNet weights of keras.applications, copied into the program's own models layer by layer.

Both have the same layers and connections, as `tests/architectures/test_keras_applications.py` proves. One
difference is compensated here: the first ResNets of keras.applications have a bias before each normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications"
FILE = "{}_weights_tf_dim_ordering_tf_kernels_notop.h5"

NamedWeights = dict[str, list[np.ndarray]]


def vgg_name(name: str) -> str:
    """Rename `block1_conv2` to our `conv1_2`."""
    block, _, convolution = name.partition("_conv")
    return f"conv{block.removeprefix('block')}_{convolution}"


def resnet_name(name: str) -> str:
    """Rename `conv2_block1_0_bn` to our `conv2_block1_conv0_bn`, `conv1_conv` to our `conv1`."""
    stem, _, kind = name.rpartition("_")
    block, _, number = stem.rpartition("_")
    ours = f"{block}_conv{number}" if block else stem
    return ours if kind == "conv" else f"{ours}_bn"


def resnet_v2_name(name: str) -> str:
    """Rename as for v1; `conv2_block1_preact_bn` stays and `post_bn` becomes our `last_bn`."""
    if name == "post_bn":
        return "last_bn"
    return name if name.endswith("preact_bn") else resnet_name(name)


@dataclass(frozen=True)
class KerasApplication:
    """A model of keras.applications with the layers and connections of one of ours.

    builder: its function. folder, stem: of the file of its weights without classifier. preprocessing: that
    these expect, as in `data.preprocessing`. rename: from its layer names to ours; None: in both, layers with
    weights come in the same order.
    """

    builder: str
    folder: str
    stem: str
    preprocessing: str
    rename: Callable[[str], str] | None

    @property
    def file(self) -> str:
        """The name of the file in the folder `models` of Keras' cache."""
        return FILE.format(self.stem)

    @property
    def address(self) -> str:
        return f"{STORAGE}/{self.folder}/{self.file}"


KERAS_APPLICATIONS: dict[str, KerasApplication] = {
    "vgg16": KerasApplication("VGG16", "vgg16", "vgg16", "caffe", vgg_name),
    "vgg19": KerasApplication("VGG19", "vgg19", "vgg19", "caffe", vgg_name),
    **{
        f"resnet{depth}": KerasApplication(f"ResNet{depth}", "resnet", f"resnet{depth}", "caffe", resnet_name)
        for depth in (50, 101, 152)
    },
    **{
        f"resnet{depth}_v2": KerasApplication(
            f"ResNet{depth}V2", "resnet", f"resnet{depth}v2", "tf", resnet_v2_name
        )
        for depth in (50, 101, 152)
    },
    "inception_v3": KerasApplication("InceptionV3", "inception_v3", "inception_v3", "tf", None),
    "inception_resnet_v2": KerasApplication(
        "InceptionResNetV2", "inception_resnet_v2", "inception_resnet_v2", "tf", None
    ),
}


def imagenet_weights(name: str, ours: keras.Model) -> NamedWeights:
    """Return the weights that keras.applications has for a backbone, by our layers' names.

    name: of the architecture. ours: its backbone. Raises what Keras raises when it cannot load its file.
    """
    twin = KERAS_APPLICATIONS[name]
    theirs = getattr(keras.applications, twin.builder)(weights="imagenet", include_top=False)
    return carried_over(theirs, ours, twin)


def carried_over(theirs: keras.Model, ours: keras.Model, twin: KerasApplication) -> NamedWeights:
    """Return the weights of `theirs` in the shape and order of the layers of `ours`."""
    if twin.rename is not None:
        names = [twin.rename(layer.name) for layer in weighted(theirs)]
    else:
        names = [layer.name for layer in weighted(ours)]
    found: NamedWeights = {}
    biases: dict[str, np.ndarray] = {}
    for name, layer in zip(names, weighted(theirs), strict=True):
        target = ours.get_layer(name)
        values = {variable.name: keras.ops.convert_to_numpy(variable) for variable in layer.weights}
        if isinstance(layer, layers.Conv2D):
            if "bias" in values and target.bias is None:
                biases[f"{name}_bn"] = values.pop("bias")
        elif isinstance(layer, layers.BatchNormalization):
            if layer.gamma is None and target.gamma is not None:
                values["gamma"] = np.ones_like(values["beta"])
            if name in biases:
                values["moving_mean"] = values["moving_mean"] - biases[name]
        found[name] = [values[variable.name] for variable in target.weights]
    return found


def weighted(model: keras.Model) -> Iterator[keras.Layer]:
    """Return the layers with weights, from the image on."""
    return (layer for layer in model.layers if layer.weights)
