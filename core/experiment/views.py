"""Test-time augmentation: probabilities averaged over several views of an image."""

from __future__ import annotations

import keras
from keras import ops


def averaged(model: keras.Model, views: str) -> keras.Model:
    """A model that averages over views; it takes the same images and has the same weights.

    views: `none`; `flip`: the image and its mirror image; `ten_crops`: the four corners and the middle, and
    their mirror images (Krizhevsky 2012), for a model that cuts the middle out of its images.
    """
    if views == "none":
        return model
    images = keras.Input(model.input_shape[1:])
    seen = [images, ops.flip(images, axis=2)]
    if views == "ten_crops":
        seen = [crop for view in seen for crop in _crops(model, view)]
    return keras.Model(images, ops.mean(ops.stack([model(view) for view in seen]), axis=0))


def _crops(model: keras.Model, images: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The images, and the images rolled so that each corner lies where the model cuts out its middle."""
    centre = [layer for layer in model.layers if layer.name == "centre"]
    if not centre:  # the crops are as large as the images: there is one place for them
        return [images]
    (top, bottom), (left, right) = centre[0].cropping
    places = [(top, left), (top, -right), (-bottom, left), (-bottom, -right)]
    return [images, *(ops.roll(images, place, axis=(1, 2)) for place in places)]
