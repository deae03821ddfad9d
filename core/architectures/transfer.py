"""Transfer learning: a net as backbone and head, which head it has, and which of its layers learn."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from core.architectures import Shape, architectures, build_model, inference_model
from core.architectures.describe import Description, describe_built
from core.config import ModelConfig
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")

HIDDEN_UNITS = 256


def net_shape(model: ModelConfig, image_shape: Shape) -> Shape:
    """What the net itself takes: images resized, and of three channels where ImageNet's weights want them."""
    height, width, channels = image_shape
    side = model.resize
    return side or height, side or width, 3 if model.weights == "imagenet" else channels


def assemble(model: ModelConfig, image_shape: Shape | None, num_classes: int | None) -> keras.Model:
    """Build the net of a config with its head and freeze its layers; weights are fresh.

    image_shape: of the dataset, `(H, W, C)`; None: the net's own, as with `num_classes`.
    Raises what `build_model` raises, and ValueError for a freeze policy that the net cannot have.
    """
    shape = None if image_shape is None else net_shape(model, image_shape)
    net = build_model(model.name, shape, num_classes, **model.options)
    if model.head != "own":
        net = with_head(net, model.head, num_classes or architectures.get(model.name).num_classes)
    freeze(net, model)
    return net


def describe_transfer(
    model: ModelConfig, image_shape: Shape | None = None, num_classes: int | None = None, batch_size: int = 32
) -> Description:
    """Build the net of a config, describe it as it is frozen at first, and free it again.

    Raises what `assemble` raises. Clears Keras' global state: call it in a process that trains nothing.
    """
    return describe_built(lambda: assemble(model, image_shape, num_classes), batch_size)


def with_head(net: keras.Model, head: str, num_classes: int) -> keras.Model:
    """The backbone of a net under another head; auxiliary classifiers stay behind."""
    # A copy of its own: in the old graph the backbone would hold on to the old head and its weights.
    backbone = keras.models.clone_model(backbone_of(net))
    outputs = HEAD_BUILDERS[head](backbone.outputs[0], num_classes)
    return keras.Model(backbone.inputs[0], outputs, name=net.name)


def flatten_dense(maps: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    """Flatten, a normalised hidden layer, softmax. maps: `(N, H, W, C)`."""
    return classified(hidden(layers.Flatten(name="head_flatten")(maps)), num_classes)


def gap(maps: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    """Global average pooling, softmax. maps: `(N, H, W, C)`."""
    return classified(layers.GlobalAveragePooling2D(name="head_average")(maps), num_classes)


def gap_dense(maps: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    """Global average pooling, a normalised hidden layer, softmax. maps: `(N, H, W, C)`."""
    return classified(hidden(layers.GlobalAveragePooling2D(name="head_average")(maps)), num_classes)


def hidden(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Dense(HIDDEN_UNITS, use_bias=False, name="head_dense")(x)
    x = layers.BatchNormalization(name="head_bn")(x)
    x = layers.Activation("relu", name="head_relu")(x)
    return layers.Dropout(0.5, name="head_dropout")(x)


def classified(x: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    return layers.Dense(num_classes, activation="softmax", dtype="float32", name="head_predictions")(x)


HEAD_BUILDERS: dict[str, Callable[[keras.KerasTensor, int], keras.KerasTensor]] = {
    "flatten_dense": flatten_dense,
    "gap": gap,
    "gap_dense": gap_dense,
}


def last_maps(net: keras.Model) -> keras.KerasTensor:
    """Where the head begins: the last maps `(N, H, W, C)` on the way to the answer."""
    for layer in reversed(net.layers):
        if len(layer.output.shape) == 2 and len(getattr(layer.input, "shape", ())) == 4:
            return layer.input
    raise ValueError(f"{net.name} has no maps that a head could stand on.")


def backbone_of(net: keras.Model) -> keras.Model:
    """From the image to the last maps; shares layers and weights with the net."""
    answering = inference_model(net)
    return keras.Model(answering.inputs[0], last_maps(answering), name=f"{net.name}_backbone")


def head_of(net: keras.Model) -> keras.Model:
    """From the last maps to the answer; shares layers and weights with the net."""
    answering = inference_model(net)
    return keras.Model(last_maps(answering), answering.outputs[0], name=f"{net.name}_head")


def backbone_layers(net: keras.Model) -> list[keras.Layer]:
    """The backbone's layers from the image onwards; the input itself is none."""
    return [layer for layer in backbone_of(net).layers if not isinstance(layer, layers.InputLayer)]


def freeze(net: keras.Model, model: ModelConfig) -> None:
    """Let only those layers learn that the policy leaves; the head always learns.

    A frozen BatchNormalization works with its stored statistics and leaves them, in training too.
    Layers that the architecture itself fixed are not marked, so that `unfreeze` leaves them fixed.
    Raises ValueError when the net has fewer layers than the policy counts, or none of a name.
    """
    for layer in frozen_layers(net, model):
        if layer.trainable:
            layer.trainable, layer.frozen_by_policy = False, True


def unfreeze(net: keras.Model) -> None:
    """Train every layer of the backbone that `freeze` froze."""
    for layer in backbone_layers(net):
        if getattr(layer, "frozen_by_policy", False):
            layer.trainable = True


def freeze_alike(net: keras.Model, copy: keras.Model) -> None:
    """Freeze the layers of a copy whose namesakes in the original are frozen, for the same reason."""
    originals = {layer.name: layer for layer in net.layers}
    for layer in copy.layers:
        if original := originals.get(layer.name):
            layer.trainable = original.trainable
            layer.frozen_by_policy = getattr(original, "frozen_by_policy", False)


def frozen_layers(net: keras.Model, model: ModelConfig) -> list[keras.Layer]:
    """The layers of the backbone that the policy freezes."""
    if model.freeze == "none":
        return []
    backbone = backbone_layers(net)
    count = model.freeze_layers
    if count > len(backbone):
        raise ValueError(
            f"model.freeze_layers must be at most {len(backbone)}, the layers of {model.name}'s backbone. "
            f"Received: {count}."
        )
    match model.freeze:
        case "all":
            return backbone
        case "all_but_batchnorm":
            return [layer for layer in backbone if not isinstance(layer, layers.BatchNormalization)]
        case "first_n":
            return backbone[:count]
        case "last_n":
            return backbone[: len(backbone) - count]
        case _:
            return named_layers(backbone, model.freeze_names, "model.freeze_names", model.name)


def named_layers(chosen_from: list[keras.Layer], names: str, setting: str, net: str) -> list[keras.Layer]:
    """The layers that comma-separated names or patterns mean, in the net's order.

    Raises ValueError naming the first pattern that means none.
    """
    patterns = [name.strip() for name in names.split(",") if name.strip()]
    for pattern in patterns:
        if not any(fnmatchcase(layer.name, pattern) for layer in chosen_from):
            raise ValueError(f"{setting} must name layers of {net}. Received: {pattern!r}, which is none.")
    return [layer for layer in chosen_from if any(fnmatchcase(layer.name, pattern) for pattern in patterns)]
