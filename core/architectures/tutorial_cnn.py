"""Small CNNs of well-known tutorials and courses, layer by layer as those teach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.architectures import Architecture, Card, Option, Shape, architectures
from core.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    from keras import layers

    from core.architectures import layers as own_layers
else:
    keras = LazyModule("keras")
    layers = LazyModule("keras.layers")
    own_layers = LazyModule("core.architectures.layers")


def head_option(default: str) -> Option:
    return Option(
        "head",
        default,
        "For two classes: a softmax over two units, or one sigmoid unit. More classes always take softmax.",
        choices=("softmax", "sigmoid"),
    )


def dropout_option(name: str, default: float, where: str) -> Option:
    return Option(name, default, f"Share of values dropped {where}.", 0.0, 0.9)


def predictions(
    x: keras.KerasTensor, num_classes: int, head: str, kernel_initializer: object = "glorot_uniform"
) -> keras.KerasTensor:
    """`(N, num_classes)` by softmax, or `(N, 1)` by one sigmoid unit: the probability of the second class."""
    units, activation = (1, "sigmoid") if head == "sigmoid" and num_classes == 2 else (num_classes, "softmax")
    return layers.Dense(
        units,
        activation=activation,
        kernel_initializer=kernel_initializer,
        dtype="float32",
        name="predictions",
    )(x)


def mnist_cnn(
    input_shape: Shape,
    num_classes: int,
    *,
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
    head: str = "softmax",
) -> keras.Model:
    """Two 5×5 convolutions of 16 and 36 filters, each pooled, then Dense 128. images: `(N, H, W, C)`."""
    images = keras.Input(input_shape)
    x = layers.Conv2D(16, 5, padding="same", activation="relu", name="conv1")(images)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(36, 5, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu", name="hidden")(x)
    x = layers.Dropout(dense_dropout, name="hidden_dropout")(x)
    return keras.Model(images, predictions(x, num_classes, head), name="mnist_cnn")


def cifar_cnn(
    input_shape: Shape,
    num_classes: int,
    *,
    dropout: float = 0.25,
    dense_dropout: float = 0.5,
    head: str = "softmax",
) -> keras.Model:
    """Two 3×3 convolutions of 32 and 64 filters, each dropped out and pooled, then Dense 1024.

    images: `(N, H, W, C)`.
    """
    x = images = keras.Input(input_shape)
    for stage, filters in enumerate((32, 64), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{stage}")(x)
        x = layers.Dropout(dropout, name=f"dropout{stage}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout, name="flat_dropout")(x)
    x = layers.Dense(1024, activation="relu", name="hidden")(x)
    x = layers.Dropout(dense_dropout, name="hidden_dropout")(x)
    return keras.Model(images, predictions(x, num_classes, head), name="cifar_cnn")


def cuda_convnet(
    input_shape: Shape, num_classes: int, *, weight_decay: float = 0.004, head: str = "softmax"
) -> keras.Model:
    """Two 5×5 convolutions with overlapping pooling and local response normalisation, Dense 384 and 192.

    weight_decay: L2 of the two hidden dense layers only; `weight_decay / 2 * sum(w ** 2)` joins the loss.
    images: `(N, H, W, C)`.
    """

    def start(deviation: float) -> keras.initializers.Initializer:
        return keras.initializers.TruncatedNormal(stddev=deviation)

    def convolution(x: keras.KerasTensor, bias: float, name: str) -> keras.KerasTensor:
        return layers.Conv2D(
            64,
            5,
            padding="same",
            activation="relu",
            kernel_initializer=start(0.05),
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
        )(x)

    def normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return own_layers.LocalResponseNormalization(4, bias=1.0, alpha=0.001 / 9, beta=0.75, name=name)(x)

    def dense(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
        return layers.Dense(
            units,
            activation="relu",
            kernel_initializer=start(0.04),
            bias_initializer=keras.initializers.Constant(0.1),
            kernel_regularizer=keras.regularizers.L2(weight_decay / 2),
            name=name,
        )(x)

    images = keras.Input(input_shape)
    x = convolution(images, 0.0, "conv1")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    x = normalized(x, "norm1")
    x = convolution(x, 0.1, "conv2")
    x = normalized(x, "norm2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool2")(x)
    x = layers.Flatten()(x)
    x = dense(x, 384, "hidden1")
    x = dense(x, 192, "hidden2")
    return keras.Model(images, predictions(x, num_classes, head, start(1 / 192)), name="cuda_convnet")


def cats_dogs_cnn(
    input_shape: Shape, num_classes: int, *, dropout: float = 0.5, head: str = "sigmoid"
) -> keras.Model:
    """Four 3×3 valid convolutions of 32, 64, 128 and 128 filters, each pooled, then Dense 512.

    images: `(N, H, W, C)`.
    """
    x = images = keras.Input(input_shape)
    for stage, filters in enumerate((32, 64, 128, 128), start=1):
        x = layers.Conv2D(filters, 3, activation="relu", name=f"conv{stage}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(512, activation="relu", name="hidden")(x)
    return keras.Model(images, predictions(x, num_classes, head), name="cats_dogs_cnn")


architectures.register(
    Architecture(
        name="mnist_cnn",
        family="Small CNN",
        build=mnist_cnn,
        input_shape=(28, 28, 1),
        num_classes=10,
        min_size=4,
        card=Card(
            title="Gradient-Based Learning Applied to Document Recognition (the data set)",
            authors="Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner",
            year=1998,
            paper="doi:10.1109/5.726791",
            summary="The model of many first lessons on digits: two convolutions, one hidden layer.",
            departures="A tutorial model for the paper's data, not a model of the paper.",
        ),
        options=(
            dropout_option("dropout", 0.25, "before the hidden layer"),
            dropout_option("dense_dropout", 0.5, "after the hidden layer"),
            head_option("softmax"),
        ),
    )
)

architectures.register(
    Architecture(
        name="cifar_cnn",
        family="Small CNN",
        build=cifar_cnn,
        input_shape=(32, 32, 3),
        num_classes=10,
        min_size=4,
        card=Card(
            title="Learning Multiple Layers of Features from Tiny Images (the data set)",
            authors="Alex Krizhevsky",
            year=2009,
            paper="https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
            summary="The model of many first lessons on colour images: as simple, but wider.",
            departures="A tutorial model for the report's data, not a model of the report.",
        ),
        options=(
            dropout_option("dropout", 0.25, "in each stage and before the hidden layer"),
            dropout_option("dense_dropout", 0.5, "after the hidden layer"),
            head_option("softmax"),
        ),
    )
)

architectures.register(
    Architecture(
        name="cuda_convnet",
        family="Small CNN",
        build=cuda_convnet,
        input_shape=(24, 24, 3),
        num_classes=10,
        min_size=3,
        card=Card(
            title="cuda-convnet: Convolutional Neural Networks on GPUs",
            authors="Alex Krizhevsky",
            year=2012,
            paper="https://code.google.com/archive/p/cuda-convnet",
            summary="Overlapping pooling and local response normalisation on 24×24 crops of CIFAR-10.",
            departures="Layers, decay and initial weights are those of the well-known tutorial on it.",
        ),
        options=(
            Option("weight_decay", 0.004, "L2 of the two hidden dense layers.", 0.0, 0.1),
            head_option("softmax"),
        ),
    )
)

architectures.register(
    Architecture(
        name="cats_dogs_cnn",
        family="Small CNN",
        build=cats_dogs_cnn,
        input_shape=(150, 150, 3),
        num_classes=2,
        min_size=46,
        card=Card(
            title="Deep Learning with Python, chapter 5",
            authors="François Chollet",
            year=2017,
            paper="ISBN 978-1-61729-443-3",
            summary="Four pooled convolutions that tell cats from dogs on a few thousand images.",
        ),
        options=(
            dropout_option("dropout", 0.5, "before the hidden layer"),
            head_option("sigmoid"),
        ),
    )
)
