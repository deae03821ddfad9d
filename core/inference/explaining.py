"""Answers where a model looks in an image, in the prediction process; imports no Keras."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

from core.analysis.occlusion import occlusion_map, places
from core.images.decode import Decoded
from core.inference.answers import Opened, shown_to_model
from core.inference.messages import Explain, Explanation
from core.inference.onnx_models import NeedsKeras

Turn = Callable[[], AbstractContextManager[None]]
MOST_S = 120.0  # that the passes of a map may take: ResNet-50 takes a minute on a busy machine


def explained(
    opened: Opened, decoded: Decoded, request: Explain, turn: Turn
) -> tuple[Explanation, list[bytes]]:
    """Return what is known of a map, and as blobs the map, float32 `(H, W)`, and the pixels of the image.

    Args:
        decoded: The image, by `target_of` the model's images.
        turn: Holds the model for as long as it answers a few images, so that other visitors wait no longer
            than that; raises where the caller has left.

    Raises ValueError for a class that the model does not know, for Grad-CAM of a model without feature maps,
    and for occlusion that takes too long; NeedsKeras for Grad-CAM in the process without Keras.
    """
    classes = opened.images.classes
    if request.of not in classes:
        raise ValueError(f"The class must be one of the model's {len(classes)}. Received: '{request.of}'.")
    index = classes.index(request.of)
    (pixels,) = shown_to_model(opened.images, [decoded], request.changes)
    explain = _grad_cam if request.method == "gradcam" else _occlusion
    found, values = explain(opened, pixels, index, turn)
    return found, [values.astype("<f4").tobytes(), pixels.tobytes()]


def _grad_cam(opened: Opened, pixels: np.ndarray, index: int, turn: Turn) -> tuple[Explanation, np.ndarray]:
    if opened.grad_cam is None:
        raise NeedsKeras("Gradients need Keras.")
    with turn():
        probability = float(opened.answer(pixels[None])[0, index])
        found = opened.grad_cam(pixels, index)
    height, width, _ = pixels.shape
    return Explanation((height, width), probability, found.grain, 1, layer=found.layer), found.values


def _occlusion(opened: Opened, pixels: np.ndarray, index: int, turn: Turn) -> tuple[Explanation, np.ndarray]:
    spent = 0.0  # without the turns of other visitors
    whole: list[float] = []

    def answer(images: np.ndarray) -> np.ndarray:
        nonlocal spent
        if spent > MOST_S:
            raise ValueError(f"The model is too slow for occlusion: it takes more than {MOST_S:.0f} s.")
        with turn():
            since = time.monotonic()
            given = opened.answer(images)
            spent += time.monotonic() - since
        whole.append(float(given[0, index]))  # the first time, of the image itself
        return given

    height, width, _ = pixels.shape
    where = places(height, width)
    values = occlusion_map(answer, pixels, index, where)
    tops = len({top for top, _ in where.corners})
    grain = tops, len(where.corners) // tops
    return Explanation((height, width), whole[0], grain, 1 + len(where.corners)), values
