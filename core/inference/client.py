"""Asks the prediction process; starts it where none runs."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from typing import Any

import numpy as np

from core.architectures import architectures
from core.config import ExperimentConfig, ModelConfig
from core.inference.wire import read_address, receive, send
from core.system.daemon import Daemon
from core.system.settings import Settings

START_S = 60.0  # importing Keras takes some seconds, on a busy machine many
ANSWER_S = 300.0  # the largest nets take a while to describe
LOOK_S = 1.0  # how often it is asked whether somebody still waits for an answer


class InferenceError(RuntimeError):
    """The prediction process refused, or could not be reached; the message says which and why."""


class Unreachable(InferenceError):
    """The prediction process did not start, or ended: the same request may be answered by the next one."""


@dataclass(frozen=True)
class Caller:
    """Who waits for an answer.

    visit: names a visit of the dashboard, for which one model is built at a time; empty where there is none.
    has_left: asked every second whether nobody waits any more; the work then stops, or does not begin.
    """

    visit: str = ""
    has_left: Callable[[], bool] = lambda: False


ANYBODY = Caller()  # who waits for as long as the connection lasts


@dataclass(frozen=True)
class Prediction:
    """What one net says of one image: the most probable classes first.

    notes: sentences about how the image was read, where a person should know. inversion: a sentence where the
    image looks like a negative of the training images. views: what the answer is averaged over.
    preprocessing: a sentence where it is not known how the model's images were preprocessed. pixels: what the
    model got of the image, uint8 `(H, W, C)`.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    notes: tuple[str, ...] = ()
    inversion: str = ""
    views: str = ""
    preprocessing: str = ""
    pixels: np.ndarray | None = field(default=None, compare=False, repr=False)


def predict(
    settings: Settings,
    run_id: str,
    images: list[bytes],
    *,
    top_k: int = 5,
    invert: bool = False,
    caller: Caller = ANYBODY,
) -> list[Prediction]:
    """Classify image files with the model of a finished run.

    images: the files' bytes, of any format that an import reads. invert: exchange dark and light first.
    Raises InferenceError naming the first image that cannot be read, or what is wrong with the model.
    """
    header = {"do": "predict", "run_id": run_id, "top_k": top_k, "invert": invert}
    answers, blobs = _exchange(settings, header, images, caller)
    return [
        Prediction(
            classes=tuple(one["classes"]),
            probabilities=tuple(one["probabilities"]),
            notes=tuple(one["notes"]),
            inversion=one["inversion"],
            views=one["views"],
            preprocessing=one["preprocessing"],
            pixels=np.frombuffer(pixels, np.uint8).reshape(one["shape"]),
        )
        for one, pixels in zip(answers, blobs, strict=True)
    ]


def takes(settings: Settings, run_id: str, caller: Caller = ANYBODY) -> dict[str, Any]:
    """What the model of a run of another program takes: its `shape` (height, width, channels), and `classes`.

    `note` says what is not known. Raises InferenceError when the run has no Keras model of images.
    """
    return _ask(settings, {"do": "takes", "run_id": run_id}, caller)


def describe(
    settings: Settings,
    name: str,
    input_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    options: dict[str, Any],
    batch_size: int = 32,
    caller: Caller = ANYBODY,
) -> dict[str, Any]:
    """Layers and counts of an architecture; keys as `core.architectures.describe` gives them."""
    return _ask(
        settings,
        {
            "do": "describe",
            "name": name,
            "input_shape": input_shape,
            "num_classes": num_classes,
            "options": options,
            "batch_size": batch_size,
        },
        caller,
    )


def describe_transfer(
    settings: Settings,
    model: ModelConfig,
    image_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    batch_size: int = 32,
    caller: Caller = ANYBODY,
) -> dict[str, Any]:
    """Layers and counts of a config's net with its head, and what is frozen; keys as for `describe`."""
    header = {
        "do": "describe_transfer",
        "model": model.model_dump(),
        "image_shape": image_shape,
        "num_classes": num_classes,
        "batch_size": batch_size,
    }
    return _ask(settings, header, caller)


def check_model(
    settings: Settings,
    model: ModelConfig,
    image_shape: tuple[int, int, int],
    num_classes: int,
    preprocessing: str,
) -> str:
    """Build a model of somebody's own and say in a sentence why it must not be trained; empty: it may."""
    header = {
        "do": "check_model",
        "model": model.model_dump(),
        "image_shape": image_shape,
        "num_classes": num_classes,
        "preprocessing": preprocessing,
    }
    return _ask(settings, header)


def preview(
    settings: Settings,
    config: ExperimentConfig,
    row: int,
    *,
    count: int = 8,
    seed: int = 0,
    caller: Caller = ANYBODY,
) -> list[bytes]:
    """One image of the config's dataset `count` times as the net will get it in training: PNG files.

    The same seed draws the same changes. Raises InferenceError when the config cannot be.
    """
    header = {"do": "preview", "tree": config.model_dump(), "row": int(row), "count": count, "seed": seed}
    return [base64.b64decode(image) for image in _ask(settings, header, caller)]


def inference_of(settings: Settings) -> Daemon:
    """The prediction process of an installation."""
    return Daemon(settings, "inference", ("-m", "core.inference"))


def _ask(settings: Settings, header: dict[str, Any], caller: Caller = ANYBODY) -> Any:
    return _exchange(settings, header, [], caller)[0]


def _exchange(
    settings: Settings,
    header: dict[str, Any],
    blobs: Sequence[bytes],
    caller: Caller,
) -> tuple[Any, list[bytes]]:
    """Send a request; returns what is answered, and the blobs of the answer."""
    give_up = time.monotonic() + ANSWER_S
    with _connect(settings) as connection:
        try:
            send(connection, {**header, "visit": caller.visit}, tuple(blobs))
            while not connection.poll(LOOK_S):
                if caller.has_left():
                    raise InferenceError("The request was cancelled.")
                if time.monotonic() > give_up:
                    raise InferenceError(f"The prediction process gave no answer within {ANSWER_S:.0f} s.")
            answer, received = receive(connection)
        except (EOFError, OSError) as error:
            raise Unreachable("The prediction process ended while it was asked. Try again.") from error
    if "error" in answer:
        hint = OTHER_FOLDER if answer.get("unknown") and _names_own_model(header) else ""
        raise InferenceError(answer["error"] + hint)
    return answer["value"], received


OTHER_FOLDER = (
    " The prediction process may have been started with another ARCHLAB_ARCHITECTURES: end it with "
    "`python -m core worker --stop`."
)


def _names_own_model(header: Mapping[str, Any]) -> bool:
    """Whether a request is about an architecture that this process has from `ARCHLAB_ARCHITECTURES`."""
    model = header.get("model") or header.get("tree", {}).get("model") or header
    name = model.get("name", "")
    return name in architectures and architectures.origin(name) is not None


def _connect(settings: Settings) -> Any:
    give_up = time.monotonic() + START_S
    while True:
        inference_of(settings).ensure()
        address = read_address(settings)
        if address is not None:
            try:
                return Client(("127.0.0.1", address.port), authkey=bytes.fromhex(address.key))
            except (OSError, EOFError, AuthenticationError):
                pass  # an address from before, or the process only just began
        if time.monotonic() > give_up:
            raise Unreachable(
                f"The prediction process did not start within {START_S:.0f} s; its last words are in "
                f"{settings.home / 'inference.log'}."
            )
        time.sleep(0.1)
