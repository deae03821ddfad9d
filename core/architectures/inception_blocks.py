"""Inception modules as data: convolutions, pools and parallel branches, and functions that build them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Union

from core.lazy import LazyModule

if TYPE_CHECKING:
    from keras import KerasTensor, layers
else:
    layers = LazyModule("keras.layers")


@dataclass(frozen=True)
class Conv:
    """A convolution with its ReLU. size: the side of a square kernel, or `(height, width)`."""

    filters: int
    size: int | tuple[int, int] = 1
    strides: int = 1
    padding: str = "same"


@dataclass(frozen=True)
class Pool:
    """A 3×3 pool, `"max"` or `"average"`."""

    kind: str
    strides: int = 1
    padding: str = "same"


# One after another; a tuple among the steps is a fork, whose branches are concatenated in their order.
Steps = tuple[Union[Conv, Pool, "Branches"], ...]
Branches = tuple[Steps, ...]
Convolve = Callable[["KerasTensor", Conv, str], "KerasTensor"]


def down(filters: int) -> Conv:
    """The usual end of a branch that halves the map: a valid 3×3 convolution of stride 2."""
    return Conv(filters, 3, strides=2, padding="valid")


MAX_DOWN = Pool("max", strides=2, padding="valid")


def with_normalization(x: KerasTensor, step: Conv, name: str, *, scale: bool) -> KerasTensor:
    """Convolution without bias, batch normalisation (with a learned factor if `scale`), ReLU."""
    x = layers.Conv2D(
        step.filters, step.size, strides=step.strides, padding=step.padding, use_bias=False, name=name
    )(x)
    x = layers.BatchNormalization(scale=scale, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


scaled = partial(with_normalization, scale=True)
unscaled = partial(with_normalization, scale=False)


def with_bias(x: KerasTensor, step: Conv, name: str) -> KerasTensor:
    """Convolution with bias and ReLU."""
    return layers.Conv2D(
        step.filters,
        step.size,
        strides=step.strides,
        padding=step.padding,
        activation="relu",
        name=name,
    )(x)


def pool(x: KerasTensor, step: Pool, name: str) -> KerasTensor:
    kind = layers.MaxPooling2D if step.kind == "max" else layers.AveragePooling2D
    return kind(3, strides=step.strides, padding=step.padding, name=name)(x)


def wire(x: KerasTensor, steps: Steps, name: str, convolve: Convolve) -> KerasTensor:
    """Apply the steps one after another. x: maps `(N, H, W, C)`.

    Layers are named `name` and their position: `mixed0_b_1` is the first step of the second branch of mixed0.
    """
    for number, step in enumerate(steps, start=1):
        here = f"{name}_{number}"
        if isinstance(step, Conv):
            x = convolve(x, step, here)
        elif isinstance(step, Pool):
            x = pool(x, step, here)
        else:
            x = fork(x, step, here, convolve)
    return x


def fork(x: KerasTensor, branches: Branches, name: str, convolve: Convolve) -> KerasTensor:
    """Apply each branch to `x` and concatenate their outputs."""
    ends = [
        wire(x, branch, f"{name}_{letter}", convolve)
        for branch, letter in zip(branches, "abcdef", strict=False)
    ]
    return layers.Concatenate(name=name)(ends)
