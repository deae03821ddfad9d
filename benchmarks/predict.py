"""What predicting with ONNX files costs, beside Keras: `python -m benchmarks.predict`, about three minutes.

Makes runs with fresh models in a folder of its own, asks the prediction process as the dashboard does, and
prints time and memory. It needs two idle cores; on a busy machine only the ratios to Keras mean something.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import psutil
from PIL import Image

from core.architectures import Shape, build_model
from core.config import ExperimentConfig
from core.inference import client
from core.inference.explain import explain
from core.inference.messages import Predict
from core.inference.process import inference_of, onnx_inference_of
from core.onnx_form.check import make
from core.onnx_form.session import Facts, Session
from core.system.settings import Settings, get_settings
from core.tracking import schema
from core.tracking.store import get_store
from core.training.portable import portable

SMALL, LARGE = (28, 28, 1), (224, 224, 3)
IMAGES = 1000


def deployable(name: str, shape: Shape, **options: object) -> keras.Model:
    """A fresh model with its preprocessing, as a run saves it."""
    images = keras.Input(shape)
    model = build_model(name, shape, 10, **options)
    return portable(keras.Model(images, model(keras.layers.Rescaling(1 / 255)(images)), name=name))


def logged(model: keras.Model, folder: Path) -> str:
    """Log a model as a finished run does; returns the id of the run, and prints what its ONNX file cost."""
    store, shape = get_store(), model.input_shape[1:]
    names = tuple(map(str, range(10)))
    start = time.perf_counter()
    made = make(model, Facts(names), np.zeros((0, *shape), "uint8"), folder / "model.onnx")
    print(
        f"{model.name}: its ONNX file was made and checked in {time.perf_counter() - start:.2f} s", flush=True
    )
    assert not made.refused, made.refused
    run_id = store.create(
        ExperimentConfig(name=model.name),
        {schema.HELD: "true", schema.ONNX_DIFFERENCE: str(made.difference)},
    )
    facts = {"shape": shape, "classes": names, "policy": "stretch", "brightness": {}}
    store.log_json(run_id, facts, schema.DATA)
    store.models.log(run_id, model, names, "", folder / "model.onnx")
    return run_id


def image_of(shape: Shape) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    file = BytesIO()
    Image.fromarray(pixels[:, :, 0] if shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """The median time of a call, after three calls that warm up."""
    found = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - start))
    return statistics.median(found[3:])


def resident_mb(settings: Settings) -> float:
    """The memory of the process that predicts without Keras; its decoders of images are others."""
    holder = (settings.home / f"{onnx_inference_of(settings).name}.pid").read_text()
    return psutil.Process(int(holder.rsplit(":", 2)[1])).memory_info().rss / 1e6


def compare_with_keras(model: keras.Model, path: Path, count: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, *model.input_shape[1:]), dtype="uint8")
    session = Session(path)
    ours = milliseconds(lambda: session.probabilities(images), 3)
    theirs = milliseconds(lambda: model.predict(images.astype("float32"), batch_size=64, verbose=0), 3)
    print(f"{model.name}: {count} images, onnxruntime {ours:.0f} ms, Keras' predict {theirs:.0f} ms, "
          f"ratio {ours / theirs:.2f}", flush=True)  # fmt: skip


def where_it_looks(settings: Settings, model: keras.Model, run_id: str, image: bytes, repeats: int) -> None:
    """Time Grad-CAM and occlusion through the process, beside predictions by the same process."""
    request, keras_process = Predict(run_id), inference_of(settings)
    plain = milliseconds(lambda: client.exchange(keras_process, request, [image], client.ANYBODY), repeats)
    onnx = milliseconds(lambda: client.predict(settings, run_id, [image]), repeats)
    cam = milliseconds(lambda: explain(settings, run_id, image, "3", method="gradcam"), repeats)
    covered = milliseconds(lambda: explain(settings, run_id, image, "3"), 1)
    print(f"{model.name}: Grad-CAM {cam:.0f} ms, {cam / plain:.2f} of a prediction by Keras, {plain:.0f} ms; "
          f"by onnxruntime {onnx:.0f} ms; occlusion {covered:.0f} ms", flush=True)  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHLAB_HOME"] = str(Path(folder) / "home")
        get_settings.cache_clear()
        settings = get_settings()
        small = deployable("lenet5", SMALL)
        files = [Path(folder) / name for name in ("small", "large")]
        for file in files:
            file.mkdir()
        runs = [logged(small, files[0]) for _ in range(10)]
        medium = deployable("resnet_cifar", (32, 32, 3), depth=20)
        large = deployable("resnet50", LARGE)
        medium_run, large_run = logged(medium, Path(folder)), logged(large, files[1])
        digit, photo = image_of(SMALL), image_of(LARGE)
        try:
            start = time.perf_counter()
            client.predict(settings, runs[0], [digit])
            print(f"first answer after a cold start: {time.perf_counter() - start:.2f} s", flush=True)
            print(f"one small model in memory: {resident_mb(settings):.0f} MB")
            one = milliseconds(lambda: client.predict(settings, runs[0], [digit]), 50)
            print(f"one warm image through the process, lenet5: {one:.1f} ms")
            one = milliseconds(lambda: client.predict(settings, medium_run, [image_of((32, 32, 3))]), 50)
            print(f"one warm image through the process, resnet_cifar (depth 20): {one:.1f} ms")
            for run_id in runs:
                client.predict(settings, run_id, [digit])
            print(f"ten small models in memory: {resident_mb(settings):.0f} MB")
            one = milliseconds(lambda: client.predict(settings, large_run, [photo]), 15)
            print(f"one warm image through the process, resnet50 at 224×224: {one:.0f} ms")
            print(f"with resnet50 beside them: {resident_mb(settings):.0f} MB", flush=True)
            where_it_looks(settings, small, runs[0], digit, 20)
            where_it_looks(settings, medium, medium_run, image_of((32, 32, 3)), 10)
            where_it_looks(settings, large, large_run, photo, 5)
        finally:
            onnx_inference_of(settings).stop()
            inference_of(settings).stop()
        compare_with_keras(small, files[0] / "model.onnx", IMAGES)
        compare_with_keras(medium, Path(folder) / "model.onnx", IMAGES)
        compare_with_keras(large, files[1] / "model.onnx", 32)


if __name__ == "__main__":
    main()
