"""Asks the prediction process where a model looks in an image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from core.inference.client import ANYBODY, Caller, NeedsKeras, exchange
from core.inference.messages import UNCHANGED, Changes, Explain, Explanation, Method
from core.inference.process import inference_of, onnx_inference_of
from core.system.settings import Settings


@dataclass(frozen=True)
class Explained(Explanation):
    """Where a model looks: a float32 map `(H, W)`, and the pixels that the model got, uint8 `(H, W, C)`."""

    map: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), compare=False, repr=False)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), compare=False, repr=False)


def explain(
    settings: Settings,
    run_id: str,
    image: bytes,
    of: str,
    *,
    method: Method = "occlusion",
    changes: Changes = UNCHANGED,
    caller: Caller = ANYBODY,
) -> Explained:
    """Show where the model of a finished run looks for a class in an image file.

    Args:
        of: The name of the class.
        method: `occlusion`: the value of a pixel is how much of the class's probability is lost where it is
            covered; with the ONNX file of the run, or with Keras without one. `gradcam`: how much the last
            feature maps speak for the class there, from 0 on; always with Keras.
        changes: What is done to the image first.

    Raises InferenceError when the image cannot be read, or what is wrong with the model or the class.
    """
    request = Explain(run_id, method, of, changes)
    keras, onnx = inference_of(settings), onnx_inference_of(settings)
    try:
        found, blobs = exchange(keras if method == "gradcam" else onnx, request, [image], caller)
    except NeedsKeras as reason:
        found, blobs = exchange(keras, request, [image], caller)
        found = replace(found, engine=str(reason))
    height, width = found.shape
    return Explained(
        **vars(found),
        map=np.frombuffer(blobs[0], np.float32).reshape(height, width),
        pixels=np.frombuffer(blobs[1], np.uint8).reshape(height, width, -1),
    )
