"""Transfer learning: a model as backbone and head, its choice of heads, and which layers are trained."""

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


def model_input_shape(config: ModelConfig, image_shape: Shape) -> Shape:
    """Return the model's input `(H, W, C)`: resized, and of three channels for ImageNet weights."""
    height, width, channels = image_shape
    side = config.resize
    return side or height, side or width, 3 if config.weights == "imagenet" else channels


def assemble(config: ModelConfig, image_shape: Shape | None, num_classes: int | None) -> keras.Model:
    """Build the model of a config with its head and freeze its layers; weights are newly initialized.

    Args:
        config: of the model.
        image_shape: of the dataset, `(H, W, C)`; None: the architecture's native input.
        num_classes: None: the architecture's native number.

    Raises what `build_model` raises, and ValueError for a freeze policy that does not fit the model.
    """
    shape = None if image_shape is None else model_input_shape(config, image_shape)
    model = build_model(config.name, shape, num_classes, **config.options)
    if config.head != "own":
        model = with_head(model, config.head, num_classes or architectures.get(config.name).num_classes)
    freeze(model, config)
    return model


def describe_transfer(
    config: ModelConfig,
    image_shape: Shape | None = None,
    num_classes: int | None = None,
    batch_size: int = 32,
) -> Description:
    """Build the model of a config, describe it as it is frozen at first, and free it again.

    Raises what `assemble` raises. Clears Keras' global state: call it only in a process that does not train.
    """
    return describe_built(lambda: assemble(config, image_shape, num_classes), batch_size)


def with_head(model: keras.Model, head: str, num_classes: int) -> keras.Model:
    """Return the backbone of a model with another head, without auxiliary classifiers."""
    # A copy: in the old graph the backbone would keep a reference to the old head and its weights.
    backbone = keras.models.clone_model(backbone_of(model))
    outputs = HEAD_BUILDERS[head](backbone.outputs[0], num_classes)
    return keras.Model(backbone.inputs[0], outputs, name=model.name)


def flatten_dense(maps: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    """Flatten, a normalised hidden layer, softmax. maps: `(N, H, W, C)`."""
    return classifier(hidden_layers(layers.Flatten(name="head_flatten")(maps)), num_classes)


def gap(maps: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    """Global average pooling, softmax. maps: `(N, H, W, C)`."""
    return classifier(layers.GlobalAveragePooling2D(name="head_average")(maps), num_classes)


def gap_dense(maps: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    """Global average pooling, a normalised hidden layer, softmax. maps: `(N, H, W, C)`."""
    return classifier(hidden_layers(layers.GlobalAveragePooling2D(name="head_average")(maps)), num_classes)


def hidden_layers(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.Dense(HIDDEN_UNITS, use_bias=False, name="head_dense")(x)
    x = layers.BatchNormalization(name="head_bn")(x)
    x = layers.Activation("relu", name="head_relu")(x)
    return layers.Dropout(0.5, name="head_dropout")(x)


def classifier(x: keras.KerasTensor, num_classes: int) -> keras.KerasTensor:
    return layers.Dense(num_classes, activation="softmax", dtype="float32", name="head_predictions")(x)


HEAD_BUILDERS: dict[str, Callable[[keras.KerasTensor, int], keras.KerasTensor]] = {
    "flatten_dense": flatten_dense,
    "gap": gap,
    "gap_dense": gap_dense,
}


def last_maps(model: keras.Model) -> keras.KerasTensor:
    """Return the input of the head: the last maps `(N, H, W, C)` before the output."""
    for layer in reversed(model.layers):
        if len(layer.output.shape) == 2 and len(getattr(layer.input, "shape", ())) == 4:
            return layer.input
    raise ValueError(f"{model.name} has no feature maps for a head.")


def backbone_of(model: keras.Model) -> keras.Model:
    """Return the part from the image to the last maps; shares layers and weights with the model."""
    inference = inference_model(model)
    return keras.Model(inference.inputs[0], last_maps(inference), name=f"{model.name}_backbone")


def head_of(model: keras.Model) -> keras.Model:
    """Return the part from the last maps to the output; shares layers and weights with the model."""
    inference = inference_model(model)
    return keras.Model(last_maps(inference), inference.outputs[0], name=f"{model.name}_head")


def backbone_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the backbone's layers from the image on, without the input layer."""
    return [layer for layer in backbone_of(model).layers if not isinstance(layer, layers.InputLayer)]


def freeze(model: keras.Model, config: ModelConfig) -> None:
    """Freeze the layers that the config's policy names; the head is always trained.

    A frozen BatchNormalization uses its stored statistics and does not update them, in training too. Layers
    that the architecture itself froze are not marked, so that `unfreeze` leaves them frozen. Raises
    ValueError when the model has fewer layers than the policy counts, or no layer of a name.
    """
    for layer in frozen_layers(model, config):
        if layer.trainable:
            layer.trainable, layer.frozen_by_policy = False, True


def unfreeze(model: keras.Model) -> None:
    """Make every layer of the backbone that `freeze` froze trainable."""
    for layer in backbone_layers(model):
        if getattr(layer, "frozen_by_policy", False):
            layer.trainable = True


def freeze_alike(model: keras.Model, copy: keras.Model) -> None:
    """Freeze the layers of a copy as the layers of the same names in the original are frozen."""
    originals = {layer.name: layer for layer in model.layers}
    for layer in copy.layers:
        if original := originals.get(layer.name):
            layer.trainable = original.trainable
            layer.frozen_by_policy = getattr(original, "frozen_by_policy", False)


def frozen_layers(model: keras.Model, config: ModelConfig) -> list[keras.Layer]:
    """Return the layers of the backbone that the policy freezes."""
    if config.freeze == "none":
        return []
    backbone = backbone_layers(model)
    count = config.freeze_layers
    if count > len(backbone):
        raise ValueError(
            f"model.freeze_layers must be at most {len(backbone)}, the layers of {config.name}'s backbone. "
            f"Received: {count}."
        )
    match config.freeze:
        case "all":
            return backbone
        case "all_but_batchnorm":
            return [layer for layer in backbone if not isinstance(layer, layers.BatchNormalization)]
        case "first_n":
            return backbone[:count]
        case "last_n":
            return backbone[: len(backbone) - count]
        case _:
            return named_layers(backbone, config.freeze_names, "model.freeze_names", config.name)


def named_layers(chosen_from: list[keras.Layer], names: str, setting: str, model: str) -> list[keras.Layer]:
    """Return the layers that comma-separated names or patterns match, in the model's order.

    Raises ValueError naming the first pattern that matches none.
    """
    patterns = [name.strip() for name in names.split(",") if name.strip()]
    for pattern in patterns:
        if not any(fnmatchcase(layer.name, pattern) for layer in chosen_from):
            raise ValueError(
                f"{setting} must name layers of {model}. Received: {pattern!r}, which matches none."
            )
    return [layer for layer in chosen_from if any(fnmatchcase(layer.name, pattern) for pattern in patterns)]
