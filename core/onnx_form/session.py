"""Answers of an ONNX model, computed by onnxruntime; imports neither Keras nor TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.lazy import LazyModule
from core.system.records import from_json_values, to_json_values

onnxruntime = LazyModule("onnxruntime")

METADATA = "archlab"  # the key of the file's metadata that holds the JSON of `Facts`
INPUT, OUTPUT = "images", "probabilities"
MOST_PIXELS = 8 * 224 * 224  # of all images that are answered at once, which bounds the memory that it takes
MOST_IMAGES = 64


class NotAnswering(ValueError):
    """A file is no model that can answer here; the message says why."""


@dataclass(frozen=True)
class Facts:
    """What the file of a model says of itself.

    classes: their names in the order of the probabilities. images: sentences on how its images are made.
    views: what its probabilities are averaged over, as in `core.experiment.views`.
    """

    classes: tuple[str, ...] = ()
    images: str = ""
    views: str = "none"

    def metadata(self) -> dict[str, str]:
        """Return the texts that the file holds."""
        return {METADATA: json.dumps(to_json_values(Facts, self), ensure_ascii=False)}


class Session:
    """A model that is loaded.

    Attributes:
        facts: what the file says of itself.
        shape: `(H, W, C)` of its images.
    """

    def __init__(self, path: Path):
        """Load a file. Raises NotAnswering for one that is damaged or was not made by this program."""
        try:
            options = onnxruntime.SessionOptions()
            options.enable_cpu_mem_arena = False  # else the memory of the largest batch would be kept
            options.log_severity_level = 3
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # for other processes
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            (images,) = self._session.get_inputs()
            self.shape: tuple[int, int, int] = tuple(images.shape[1:])
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.facts = from_json_values(Facts, json.loads(metadata[METADATA]))
        except Exception as error:  # onnxruntime has a class of its own for each kind of damage
            reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            raise NotAnswering(f"The ONNX file {path.name} cannot be loaded: {reason}.") from error

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 `(N, classes)` of images, uint8 `(N, H, W, C)`."""
        height, width, _ = self.shape
        step = min(max(MOST_PIXELS // (height * width), 1), MOST_IMAGES)
        found: Sequence[np.ndarray] = [
            self._session.run([OUTPUT], {INPUT: images[start : start + step]})[0]
            for start in range(0, len(images), step)
        ]
        return np.concatenate(found)
