"""The model of this box. Needs onnxruntime and numpy, and Pillow to read image files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

FOLDER = Path(__file__).resolve().parent
AT_ONCE = 16  # images
MOST_PIXELS = 64_000_000  # of an image file


class Model:
    """Answers images.

    Attributes:
        facts: What `facts.json` says: classes, shape, how images are fitted, and when an answer is sure.
        shape: `(height, width, channels)` of its images.
    """

    def __init__(self) -> None:
        self.facts: dict[str, Any] = json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))
        self.shape: tuple[int, ...] = tuple(self.facts["shape"])
        self._session = onnxruntime.InferenceSession(
            str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"]
        )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 `(N, classes)` of images, uint8 `(N, height, width, channels)`."""
        parts = [
            self._session.run(["probabilities"], {"images": images[start : start + AT_ONCE]})[0]
            for start in range(0, len(images), AT_ONCE)
        ]
        return np.concatenate(parts)

    def answer(self, probabilities: np.ndarray, most: int = 3) -> dict[str, Any]:
        """Put the probabilities of one image in words: the likely classes, and whether the first is given.

        `decision` is "answered" where its probability reaches the threshold of its class, "not sure" where
        the two or three classes of `among`, never all that there are, together do, else "ask a person"; None
        where this box has no threshold.
        """
        order = np.argsort(-probabilities, kind="stable")[:most]
        likely = [(self.facts["classes"][place], float(probabilities[place])) for place in order]
        found: dict[str, Any] = {"class": likely[0][0], "decision": None, "among": [], "likely": likely}
        if self.facts["answer_from"] is None:
            return found
        threshold = self.facts["answer_from"][order[0]]
        few = likely[: max(1, len(probabilities) - 1)]
        totals = np.cumsum([value for _, value in few])
        found["decision"] = "ask a person"
        if threshold is not None and totals[-1] >= threshold:
            count = int((totals < threshold).sum()) + 1
            found["decision"] = "answered" if count == 1 else "not sure"
            found["among"] = [name for name, _ in likely[:count]]
        return found

    def read(self, source: Any) -> np.ndarray:
        """Read an image as the training images were: uint8 `(height, width, channels)`.

        source: a path or an open file. An image with more than 8 bits a channel is refused.
        """
        from PIL import Image, ImageOps

        with Image.open(source) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"The image has more than {MOST_PIXELS:,} pixels.")
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"The image has more than 8 bits a channel (mode {image.mode}).")
            upright = ImageOps.exif_transpose(image)
        height, width, channels = self.shape
        grey = upright.mode in ("1", "L", "LA", "La")
        if upright.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in upright.info:
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        shown = upright.convert("L" if grey else "RGB")
        if shown.size != (width, height):
            fit = {"pad": ImageOps.pad, "crop": ImageOps.fit}.get(self.facts["policy"])
            bicubic = Image.Resampling.BICUBIC
            shown = fit(shown, (width, height), bicubic) if fit else shown.resize((width, height), bicubic)
        return np.asarray(shown.convert("L" if channels == 1 else "RGB")).reshape(self.shape)
