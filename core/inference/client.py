"""Sends requests to the prediction process, and starts it where none runs."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from typing import Any

import numpy as np

from core.architectures import Shape, architectures
from core.architectures.description import Description
from core.config import ExperimentConfig, ModelConfig
from core.inference.messages import (
    UNCHANGED,
    Changes,
    CheckModel,
    Describe,
    DescribeTransfer,
    Failure,
    ModelImages,
    Predict,
    PredictionResult,
    Preview,
    Request,
    Response,
    Takes,
    to_message,
)
from core.inference.process import ensure, inference_code, inference_of, onnx_inference_of
from core.inference.protocol import read_address, receive, send, send_at_once
from core.system.daemon import Daemon
from core.system.records import from_json_values
from core.system.settings import Settings

START_S = 60.0  # importing Keras takes seconds, on a busy machine many
ANSWER_S = 300.0  # the largest models take a while to describe
RETRY_S = 0.03  # between attempts to reach a process that is starting
LOOK_S = 1.0  # interval of checks whether the caller still waits


class InferenceError(RuntimeError):
    """The prediction process refused a request or could not be reached; the message says why."""


class NeedsKeras(InferenceError):
    """The process without Keras has no ONNX file of the run; the message says why."""


class Unreachable(InferenceError):
    """The prediction process did not start, or ended; the next one may answer the same request."""


@dataclass(frozen=True)
class Caller:
    """Who waits for a response.

    visit: names a visit of the dashboard, which has one model built at a time; empty for other callers.
    has_left: called every second; True cancels the request.
    """

    visit: str = ""
    has_left: Callable[[], bool] = lambda: False


ANYBODY = Caller()  # waits for as long as the connection lasts


@dataclass(frozen=True)
class Prediction(PredictionResult):
    """What a model predicts for one image. pixels: what the model got of it, uint8 `(H, W, C)`."""

    pixels: np.ndarray | None = field(default=None, compare=False, repr=False)


def predict(
    settings: Settings,
    run_id: str,
    images: list[bytes],
    *,
    top_k: int = 5,
    changes: Changes = UNCHANGED,
    skip_unreadable: bool = False,
    caller: Caller = ANYBODY,
) -> list[Prediction]:
    """Classify image files with the model of a finished run: with its ONNX file, or with Keras without one.

    images: the files' bytes, of any format that an import reads. changes: what is done to them first.
    Raises InferenceError naming the first image that cannot be read, unless `skip_unreadable`, or what is
    wrong with the model.
    """
    request, engine = Predict(run_id, top_k, changes, skip_unreadable), ""
    try:
        found, blobs = exchange(onnx_inference_of(settings), request, images, caller)
    except NeedsKeras as reason:
        engine = str(reason)
        found, blobs = exchange(inference_of(settings), request, images, caller)
    found = tuple(replace(one, engine=engine) for one in found)
    return [
        Prediction(**vars(one), pixels=np.frombuffer(pixels, np.uint8).reshape(one.shape))
        for one, pixels in zip(found, blobs, strict=True)
    ]


def takes(settings: Settings, run_id: str, caller: Caller = ANYBODY) -> ModelImages:
    """Return which images the model of another program's run takes.

    Raises InferenceError when the run has no Keras model of images.
    """
    return _ask(settings, Takes(run_id), caller)


def describe(
    settings: Settings,
    name: str,
    input_shape: Shape | None,
    num_classes: int | None,
    options: dict[str, Any],
    batch_size: int = 32,
    caller: Caller = ANYBODY,
) -> Description:
    """Describe an architecture. None: its own input shape or number of classes."""
    return _ask(settings, Describe(name, input_shape, num_classes, options, batch_size), caller)


def describe_transfer(
    settings: Settings,
    model: ModelConfig,
    image_shape: Shape | None,
    num_classes: int | None,
    batch_size: int = 32,
    caller: Caller = ANYBODY,
) -> Description:
    """Describe the model of a config with its head, and what is frozen."""
    return _ask(settings, DescribeTransfer(model, image_shape, num_classes, batch_size), caller)


def check_model(
    settings: Settings,
    model: ModelConfig,
    image_shape: Shape,
    num_classes: int,
    preprocessing: str,
) -> str:
    """Build a user's own model; return why it must not be trained, in a sentence, or an empty text."""
    return _ask(settings, CheckModel(model, image_shape, num_classes, preprocessing))


def preview(
    settings: Settings,
    config: ExperimentConfig,
    row: int,
    *,
    count: int = 8,
    seed: int = 0,
    caller: Caller = ANYBODY,
) -> list[bytes]:
    """Return one image of the config's dataset `count` times as the model gets it in training: PNG files.

    The same seed draws the same changes. Raises InferenceError when the config cannot be.
    """
    request = Preview(config.model_dump(), int(row), count, seed)
    return [base64.b64decode(image) for image in _ask(settings, request, caller)]


def _ask(settings: Settings, request: Request[Response], caller: Caller = ANYBODY) -> Response:
    return exchange(inference_of(settings), request, (), caller)[0]


def exchange(
    daemon: Daemon, request: Request[Response], blobs: Sequence[bytes], caller: Caller
) -> tuple[Response, list[bytes]]:
    """Send a request; return the response, and the blobs that came with it. Raises InferenceError."""
    give_up = time.monotonic() + ANSWER_S
    with _connect(daemon) as connection:
        try:
            send(connection, to_message(request, caller.visit), tuple(blobs))
            while not connection.poll(LOOK_S):
                if caller.has_left():
                    raise InferenceError("The request was cancelled.")
                if time.monotonic() > give_up:
                    raise InferenceError(f"The prediction process did not respond within {ANSWER_S:.0f} s.")
            message, received = receive(connection)
        except (EOFError, OSError) as error:
            raise Unreachable("The prediction process ended while it was asked. Try again.") from error
    if "error" in message:
        failure = from_json_values(Failure, message)
        if failure.needs_keras:
            raise NeedsKeras(failure.error)
        hint = OTHER_FOLDER if failure.unknown and _names_own_model(request) else ""
        raise InferenceError(failure.error + hint)
    try:
        return from_json_values(request.response, message.get("value")), received
    except ValueError as error:
        raise InferenceError(f"The response of the prediction process cannot be read: {error}") from error


OTHER_FOLDER = (
    " The prediction process may have been started with another ARCHLAB_ARCHITECTURES: end it with "
    "`python -m core worker --stop`."
)


def _names_own_model(request: Request) -> bool:
    """Whether a request is about an architecture that this process has from `ARCHLAB_ARCHITECTURES`."""
    match request:
        case Describe():
            name = request.name
        case DescribeTransfer() | CheckModel():
            name = request.model.name
        case Preview():
            name = request.tree["model"]["name"]
        case _:
            return False
    return name in architectures and architectures.origin(name) is not None


def _connect(daemon: Daemon) -> Any:
    give_up = time.monotonic() + START_S
    while True:
        ensure(daemon)
        address = read_address(daemon.settings, daemon.name)
        if address is not None and address.code == inference_code():
            try:
                connection = Client(("127.0.0.1", address.port), authkey=bytes.fromhex(address.key))
                send_at_once(connection)
                return connection
            except (OSError, EOFError, AuthenticationError):
                pass  # an outdated address, or the process is just starting
        if time.monotonic() > give_up:
            raise Unreachable(
                f"The prediction process did not start within {START_S:.0f} s; the end of its log is in "
                f"{daemon.settings.home / f'{daemon.name}.log'}."
            )
        time.sleep(RETRY_S)
