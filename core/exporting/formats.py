"""The formats that the model of a run is exported in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A format.

    name: on the command line. file: what is written into the folder, a file or a folder. tells: sentences on
    what it is for and what it takes.
    """

    name: str
    label: str
    file: str
    tells: str


PIXELS = "It takes float32 images of 0 to 255, (N, height, width, channels)."
FORMATS = {
    one.name: one
    for one in (
        Format(
            "keras",
            "Keras",
            "keras",
            "A folder with model.keras, its README, and the layers that Keras lacks where it has some. "
            + PIXELS,
        ),
        Format(
            "savedmodel", "TensorFlow SavedModel", "savedmodel", "For TensorFlow and its server. " + PIXELS
        ),
        Format(
            "onnx",
            "ONNX",
            "model.onnx",
            "For onnxruntime and others. It takes `images`, uint8 (N, height, width, channels), and answers "
            "`probabilities`.",
        ),
        Format("litert", "LiteRT", "model.tflite", "For phones and small boards, in float32. " + PIXELS),
        Format(
            "litert-int8",
            "LiteRT in 8 bits",
            "model-int8.tflite",
            "A quarter of the size: weights and activations in 8 bits. It takes uint8 images of 0 to 255.",
        ),
        Format(
            "box",
            "Box that proves itself",
            "box.zip",
            "One zip for people without this program: the ONNX file, test images with the expected answers, "
            "check.py that compares them, app.py to try the model in a browser, and its card.",
        ),
        Format(
            "script",
            "Script that repeats the run",
            "script",
            "A folder with train.py, which needs keras and numpy alone, and the images as data.npz. It "
            "starts from the weights that this version draws for the run's seed, and takes the images in the "
            "same order.",
        ),
    )
}
