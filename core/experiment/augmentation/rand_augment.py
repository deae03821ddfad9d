"""RandAugment: some changes drawn from a list for each image, all of one magnitude."""

from __future__ import annotations

import math

import keras
from keras import ops

from core.experiment.augmentation.geometry import warp
from core.experiment.augmentation.layer import RandomChange, an_image

LEVELS = 256
GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
OTHERS = (
    *("identity", "auto_contrast", "equalize", "solarize", "posterize"),
    *("colour", "contrast", "brightness", "sharpness"),
)
CHANGES = GEOMETRIC + OTHERS
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class RandAugment(RandomChange):
    """`count` of the fourteen changes one after another, drawn anew for each image.

    magnitude: 0 to 10; at 10 an image turns by 30°, shears by 0.3, shifts by 0.45 of its size, and colour,
    contrast, brightness and sharpness change by 0.9. Values are clipped to 0-255, which these changes need.

    Source: "RandAugment", arXiv:1909.13719; ranges of AutoAugment, arXiv:1805.09501.
    """

    def __init__(self, count: int, magnitude: float, seed: int):
        super().__init__(seed)
        self.count = count
        self.level = magnitude / 10

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        images = ops.clip(ops.cast(images, "float32"), 0, 255)
        for _ in range(self.count):
            images = self._once(images)
        return images

    def _once(self, images: keras.KerasTensor) -> keras.KerasTensor:
        number = self.whole(images, 0, len(CHANGES))
        sign = ops.where(self.draw(images, 0, 1) < 0.5, -1.0, 1.0)
        changed = {
            "auto_contrast": auto_contrast(images),
            "equalize": equalize(images),
            "solarize": solarize(images, 256 * (1 - self.level)),
            "posterize": posterize(images, 8 - round(4 * self.level)),
        }
        flat = {
            "colour": luminance(images),
            "contrast": ops.mean(luminance(images), axis=(1, 2), keepdims=True),
            "brightness": 0.0,
            "sharpness": smooth(images),
        }
        factor = an_image(1 + sign * 0.9 * self.level)
        for name, without in flat.items():  # away from, or towards, the image without that quality
            changed[name] = ops.clip(without + (images - without) * factor, 0, 255)
        result = self._geometric(images, number, sign)
        for name, after in changed.items():
            result = ops.where(an_image(number == CHANGES.index(name)), after, result)
        return result

    def _geometric(
        self, images: keras.KerasTensor, number: keras.KerasTensor, sign: keras.KerasTensor
    ) -> keras.KerasTensor:
        """One sampling for all five, which does nothing to images that drew another change."""
        height, width = images.shape[1], images.shape[2]
        bounds = (math.radians(30), 0.3, 0.3, 0.45 * width, 0.45 * height)
        angle, shear_x, shear_y, right, down = (
            ops.where(number == position, sign * bound * self.level, 0.0)
            for position, bound in enumerate(bounds)
        )
        return warp(images, angle, shear_x, shear_y, ops.ones_like(sign), down, right, "black")


def auto_contrast(images: keras.KerasTensor) -> keras.KerasTensor:
    """The darkest value of each channel at 0, the brightest at 255; a flat channel stays."""
    low = ops.min(images, axis=(1, 2), keepdims=True)
    high = ops.max(images, axis=(1, 2), keepdims=True)
    flat = high <= low
    return ops.where(flat, images, (images - low) * 255 / ops.where(flat, 1.0, high - low))


def equalize(images: keras.KerasTensor) -> keras.KerasTensor:
    """Spread the values of each channel evenly over 0-255, as `PIL.ImageOps.equalize` does.

    A value becomes the number of darker pixels, divided by a step: 1/255 of all pixels that are not of the
    brightest value. The darkest value therefore stays at 0, whatever its share of the image. A channel that
    is flat, or too small to fill a step, is returned unchanged.

    The histogram is a product of two one-hot matrices of sixteen columns each: that needs no scattering,
    which is slow or missing on accelerators.
    """
    height, width, channels = images.shape[1:]
    planes = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, channels, height * width))
    values = ops.cast(ops.round(planes), "int32")
    coarse = ops.one_hot(values // 16, 16, dtype="float32")
    fine = ops.one_hot(values % 16, 16, dtype="float32")
    histogram = ops.reshape(ops.matmul(ops.transpose(coarse, (0, 1, 3, 2)), fine), (-1, channels, LEVELS))
    darker = ops.take_along_axis(ops.cumsum(histogram, axis=2) - histogram, values, axis=2)
    brightest = values == ops.max(values, axis=2, keepdims=True)
    others = height * width - ops.sum(ops.cast(brightest, "float32"), axis=2, keepdims=True)
    step = ops.floor(others / (LEVELS - 1))
    divisor = ops.maximum(step, 1.0)
    spread = ops.minimum(ops.floor((ops.floor(step / 2) + darker) / divisor), LEVELS - 1.0)
    equalized = ops.where(step > 0, spread, planes)
    return ops.transpose(ops.reshape(equalized, (-1, channels, height, width)), (0, 2, 3, 1))


def solarize(images: keras.KerasTensor, threshold: float) -> keras.KerasTensor:
    """Values from the threshold on inverted."""
    return ops.where(images >= threshold, 255 - images, images)


def posterize(images: keras.KerasTensor, bits: int) -> keras.KerasTensor:
    """Only the highest bits of every value kept."""
    step = 2 ** (8 - bits)
    return ops.floor(images / step) * step


def luminance(images: keras.KerasTensor) -> keras.KerasTensor:
    """Grey values `(N, H, W, 1)`."""
    if images.shape[-1] == 1:
        return images
    return ops.sum(images * ops.convert_to_tensor(LUMA, dtype="float32"), axis=-1, keepdims=True)


def smooth(images: keras.KerasTensor) -> keras.KerasTensor:
    """Average each value with its eight neighbours, itself counting five times.

    Pixels of the border keep their values, as in `PIL.ImageFilter.SMOOTH`.
    """
    height, width = images.shape[1], images.shape[2]
    if min(height, width) < 3:
        return images
    total = 4 * images[:, 1:-1, 1:-1]
    for down in range(3):
        for right in range(3):
            total = total + images[:, down : height - 2 + down, right : width - 2 + right]
    rows = ops.concatenate([images[:, 1:-1, :1], total / 13, images[:, 1:-1, -1:]], axis=2)
    return ops.concatenate([images[:, :1], rows, images[:, -1:]], axis=1)
