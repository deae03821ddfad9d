"""The box that proves itself: a model in one zip, with images and the answers that are expected for them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from core.exporting import onnx_file
from core.exporting.card import card_of
from core.exporting.original import Original, Refused, Samples
from core.exporting.threshold import Threshold, threshold
from core.images.pixels import to_png
from core.inference.messages import ModelImages
from core.onnx_form.check import TOLERANCE
from core.onnx_form.session import Session
from core.tracking.store import RunStore

IMAGES = 20
PROGRAMS = Path(__file__).with_name("box_files")
CHECK_S = 600.0


def write(
    store: RunStore, original: Original, found: Samples, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Write the box of a run, unpack it, and run its own check."""
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "model.onnx"
        onnx_file.write(store, original, found, onnx)
        images, labels = found.some(IMAGES)
        write_box(
            path,
            onnx,
            original.images,
            threshold(store, original.run_id),
            images,
            labels,
            original.probabilities(images),
            card_of(store, original.run_id),
        )
        box = Path(folder) / "box"
        with zipfile.ZipFile(path) as archive:
            archive.extractall(box)
        done = subprocess.run(
            [sys.executable, "-B", "check.py"], cwd=box, capture_output=True, text=True, timeout=CHECK_S
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
            raise Refused(f"The box does not pass its own check: {said[-1][:300]}.")
        session = Session(box / "model.onnx")  # onnxruntime has read the file whole
    return session.probabilities


def write_box(
    path: Path,
    onnx: Path,
    taken: ModelImages,
    sure: Threshold,
    images: np.ndarray,
    labels: np.ndarray,
    expected: np.ndarray,
    card: str,
    tolerance: float = TOLERANCE,
) -> None:
    """Write a box.

    Args:
        path: Of the zip file.
        onnx: The model.
        taken: What images it takes, and its classes.
        sure: When it answers.
        images: uint8 `(N, H, W, C)`; labels: int64 `(N,)`, or empty where they are not known.
        expected: Probabilities by Keras, float32 `(N, classes)`.
        card: Markdown.
        tolerance: The largest difference of a probability that the check allows.
    """
    facts = {
        "classes": taken.classes,
        "shape": taken.shape,
        "policy": taken.policy,
        "images": taken.target.sentences,
        "answer_from": sure.answer_from,
        "answer_rule": sure.rule,
        "tolerance": tolerance,
    }
    answers = io.BytesIO()
    np.savez_compressed(answers, images=images, probabilities=expected.astype("float32"), labels=labels)
    needed = "".join(f"{name}=={version(name)}\n" for name in ("onnxruntime", "numpy", "pillow"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(onnx, "model.onnx", zipfile.ZIP_STORED)  # weights do not get smaller
        archive.writestr("facts.json", json.dumps(facts, indent=2, ensure_ascii=False))
        archive.writestr("expected.npz", answers.getvalue())
        archive.writestr("CARD.md", card)
        archive.writestr("requirements.txt", needed)
        for program in sorted(PROGRAMS.glob("*.py")):
            archive.writestr(program.name, program.read_text(encoding="utf-8"))
        for place, image in enumerate(images):
            archive.writestr(f"images/{_name(place, labels, taken.classes)}.png", to_png(image))


def _name(place: int, labels: np.ndarray, classes: tuple[str, ...]) -> str:
    if not len(labels):
        return f"{place:02d}"
    return f"{place:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', classes[labels[place]])[:40].strip('-') or 'class'}"
