"""The output layer of the 1998 LeNet: distances to fixed codes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

# The ten digits in seven columns and twelve rows; a # is +1, a dot -1.
DIGITS = (
    "..###.. .#...#. #.....# #.....# #.....# #.....# #.....# #.....# #.....# .#...#. ..###.. .......",
    "...#... ..##... .#.#... ...#... ...#... ...#... ...#... ...#... ...#... ...#... .#####. .......",
    "..###.. .#...#. #.....# ......# .....#. ....#.. ...#... ..#.... .#..... #...... ####### .......",
    ".#####. #.....# ......# ......# .....#. ..###.. .....#. ......# ......# #.....# .#####. .......",
    ".....#. ....##. ...#.#. ..#..#. .#...#. #....#. ####### .....#. .....#. .....#. .....#. .......",
    "####### #...... #...... #...... ######. .....## ......# ......# ......# #....## .#####. .......",
    "...###. ..#.... .#..... #...... #.###.. ##...#. #.....# #.....# #.....# .#...#. ..###.. .......",
    "####### ......# .....#. .....#. ....#.. ....#.. ...#... ...#... ..#.... ..#.... ..#.... .......",
    "..###.. .#...#. #.....# #.....# .#...#. ..###.. .#...#. #.....# #.....# .#...#. ..###.. .......",
    "..###.. .#...#. #.....# #.....# #.....# .#...## ..###.# ......# .....#. ....#.. .###... .......",
)


def target_codes(num_classes: int, width: int) -> np.ndarray:
    """The code of each class, +1 and -1 in `(num_classes, width)`: the digits' bitmaps if they fit.

    Any other number of classes or code width gets random codes, always the same ones: like the bitmaps they
    stand far apart, about half of their bits from one another.
    """
    if num_classes == len(DIGITS) and width == 84:
        return np.array([[1.0 if dot == "#" else -1.0 for dot in digit if dot != " "] for digit in DIGITS])
    return np.random.default_rng(1998).choice([-1.0, 1.0], size=(num_classes, width))


@keras.saving.register_keras_serializable(package="archlab")
class EuclideanRBF(keras.layers.Layer):
    """Logits from distances: minus the squared Euclidean distance to the fixed code of each class.

    The paper's units give the distance itself, so that small is near, and read it as the negative logarithm
    of a Gaussian likelihood. Its negative is therefore a logit: the softmax of it and the cross entropy are
    the paper's discriminative criterion, without that criterion's constant for images of no class.

    features: `(N, width)` to `(N, num_classes)`. The codes are weights that are never trained.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
    Proceedings of the IEEE 86(11), 1998, sections II.B and II.C.
    """

    def __init__(self, num_classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def build(self, input_shape: tuple[int, ...]) -> None:
        codes = target_codes(self.num_classes, input_shape[-1])

        def start(shape: tuple[int, ...], dtype: str | None = None) -> Any:
            return ops.cast(codes, dtype)

        self.codes = self.add_weight(shape=codes.shape, initializer=start, trainable=False, name="codes")

    def call(self, features: Any) -> Any:
        differences = ops.expand_dims(features, 1) - self.codes
        return -ops.sum(ops.square(differences), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[0], self.num_classes

    def multiply_accumulates(self, output_shape: tuple[int, ...]) -> int:
        """Squared differences that are summed for one image."""
        return int(np.prod(self.codes.shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}
