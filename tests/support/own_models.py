"""Files for `ARCHLAB_ARCHITECTURES`: models of a user's own."""

from __future__ import annotations

from pathlib import Path

DOING = """
from core.architectures import Architecture, Card, architectures
from core.lazy import LazyModule

keras = LazyModule("keras")


def NAME(input_shape, num_classes):
    import os, signal, subprocess, threading

    if os.environ.get('ARCHLAB_RUN'): DOES
    images = keras.Input(input_shape)
    x = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(num_classes, activation="softmax")(x), name="NAME")


architectures.register(
    Architecture(
        name="NAME", family="Mine", build=NAME, input_shape=(28, 28, 1), num_classes=10, min_size=3,
        card=Card(title="A net", authors="me", year=2026, paper="none", summary="One layer."),
    )
)
"""


def write_net(folder: Path, name: str, does: str) -> None:
    """A file for `ARCHLAB_ARCHITECTURES`. does: one statement, for a training alone."""
    (folder / f"{name}.py").write_text(DOING.replace("NAME", name).replace("DOES", does))


NET = """
from core.architectures import Architecture, Card, architectures
from core.lazy import LazyModule

keras = LazyModule("keras")


def tiny(input_shape, num_classes):
    from . import _doubling

    images = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=3, activation="relu")(images)
    x = keras.layers.Flatten()(_doubling.Doubling()(x))
    return keras.Model(images, keras.layers.Dense(num_classes, activation="softmax")(x), name="NAME")


architectures.register(
    Architecture(
        name="NAME", family="Mine", build=tiny, input_shape=(28, 28, 1), num_classes=10, min_size=3,
        card=Card(title="A tiny net", authors="me", year=2026, paper="none", summary="One convolution."),
    )
)
"""
