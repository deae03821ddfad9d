"""Where pixels come from: crops, and rotation, shift, shear and zoom in one sampling."""

from __future__ import annotations

import math

import keras
from keras import ops

from core.experiment.augmentation.layer import RandomChange

OUTSIDE = 1 << 29  # further than any pixel of a batch


class PadAndCrop(RandomChange):
    """Zero padding on every side, then a crop at a place drawn for each image; in evaluation the centre.

    padding: pixels a side, He et al. 2015, arXiv:1512.03385, section 4.2. size: side of the crop in pixels,
    which the model then gets (Krizhevsky 2012); 0: the image's own.
    """

    def __init__(self, padding: int, size: int, seed: int):
        super().__init__(seed)
        self.padding = padding
        self.size = size

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        return self.change(images) if training else centre(images, self.size)

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        _, height, width, channels = images.shape
        tall, wide = self.size or height, self.size or width
        top = self.whole(images, 0, height + 2 * self.padding - tall + 1) - self.padding
        left = self.whole(images, 0, width + 2 * self.padding - wide + 1) - self.padding
        y, x = top[:, None] + ops.arange(tall), left[:, None] + ops.arange(wide)
        count = ops.shape(images)[0]
        first = ops.arange(count)[:, None] * height
        # Out of one list of all rows, or of all pixels; what lies outside is the zero at its end.
        rows = ops.where((y >= 0) & (y < height), first + y, count * height)
        if channels == 1:  # nothing but numbers: columns are chosen by a product, in half the time
            taken = ops.take(_with_zero(images, width), rows, axis=0)
            columns = ops.cast(x[:, None, :] == ops.arange(width)[:, None], taken.dtype)
            return ops.matmul(taken, columns)[..., None]
        columns = ops.where((x >= 0) & (x < width), x, OUTSIDE)
        pixels = ops.minimum(rows[:, :, None] * width + columns[:, None, :], count * height * width)
        return ops.take(_with_zero(images, channels), pixels, axis=0)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        count, height, width, channels = input_shape
        return count, self.size or height, self.size or width, channels


def _with_zero(images: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """All values of the images as a list of vectors of one size, with a vector of zeros at its end."""
    return ops.concatenate([ops.reshape(images, (-1, size)), ops.zeros((1, size), images.dtype)], axis=0)


def centre(images: keras.KerasTensor, size: int) -> keras.KerasTensor:
    """The middle `size` × `size` pixels; 0: the whole image."""
    if not size:
        return images
    top, left = (images.shape[1] - size) // 2, (images.shape[2] - size) // 2
    return images[:, top : top + size, left : left + size]


class Affine(RandomChange):
    """Rotation, shear, zoom and shift about the centre, each drawn for each image, sampled once.

    rotation, shear: degrees to either side. shift: of height and width, to either side. zoom: 0.2 gives 0.8
    to 1.2 times the size. fill: pixels from outside the image, `nearest`
    (border pixels, repeated) or `black`.
    """

    def __init__(self, rotation: float, shift: float, shear: float, zoom: float, fill: str, seed: int):
        super().__init__(seed)
        self.rotation = math.radians(rotation)
        self.shift = shift
        self.shear = math.tan(math.radians(shear))
        self.zoom = zoom
        self.fill = fill

    def change(self, images: keras.KerasTensor) -> keras.KerasTensor:
        angle, shear, scale, down, right = (
            self.draw(images, -bound, bound)
            for bound in (self.rotation, self.shear, self.zoom, self.shift, self.shift)
        )
        return warp(
            images,
            angle,
            shear,
            0 * shear,
            1 + scale,
            down * images.shape[1],
            right * images.shape[2],
            self.fill,
        )


def warp(
    images: keras.KerasTensor,
    angle: keras.KerasTensor,
    shear_x: keras.KerasTensor,
    shear_y: keras.KerasTensor,
    scale: keras.KerasTensor,
    down: keras.KerasTensor,
    right: keras.KerasTensor,
    fill: str,
) -> keras.KerasTensor:
    """Turn, shear, scale and shift each image about its centre, with bilinear interpolation.

    images: `(N, H, W, C)`. All others `(N,)`: angle in radians, counter-clockwise; shears as slopes; down,
    right in pixels.
    """
    height, width = images.shape[1], images.shape[2]
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    # Every target pixel asks where it comes from, so all steps are undone in the opposite order.
    y = ops.reshape(ops.arange(height, dtype="float32") - middle_y, (1, -1, 1))
    x = ops.reshape(ops.arange(width, dtype="float32") - middle_x, (1, 1, -1))
    angle, shear_x, shear_y, scale, down, right = (
        ops.reshape(ops.cast(value, "float32"), (-1, 1, 1))
        for value in (angle, shear_x, shear_y, scale, down, right)
    )
    y, x = (y - down) / scale, (x - right) / scale
    y, x = ops.cos(angle) * y + ops.sin(angle) * x, ops.cos(angle) * x - ops.sin(angle) * y
    y, x = y - shear_y * x, x - shear_x * y
    return _bilinear(images, y + middle_y, x + middle_x, fill)


def _bilinear(
    images: keras.KerasTensor, y: keras.KerasTensor, x: keras.KerasTensor, fill: str
) -> keras.KerasTensor:
    """Values at places `(N, H, W)` between the pixels."""
    height, width, channels = images.shape[1:]
    if fill == "nearest":
        y, x = ops.clip(y, 0, height - 1), ops.clip(x, 0, width - 1)
    count = ops.shape(images)[0]
    pixels = ops.reshape(images, (-1, channels))
    first = ops.reshape(ops.arange(count) * (height * width), (-1, 1, 1))
    top, left = ops.floor(y), ops.floor(x)
    total = 0.0
    for row, row_weight in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, column_weight in ((left, 1 - (x - left)), (left + 1, x - left)):
            weight = row_weight * column_weight
            if fill == "black":
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                weight = weight * ops.cast(inside, weight.dtype)
            place = ops.cast(
                ops.clip(row, 0, height - 1) * width + ops.clip(column, 0, width - 1), first.dtype
            )
            values = ops.take(pixels, first + place, axis=0)  # (N, H, W, C)
            total = total + values * ops.cast(weight, values.dtype)[..., None]
    return total
