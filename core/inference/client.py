"""Asks the prediction process; starts it where none runs."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Client
from typing import Any

from filelock import FileLock

from core.config import ModelConfig
from core.inference.wire import owner_file, read_address, receive, send
from core.jobs.worker import spawn
from core.settings import Settings
from core.tracking.store import is_alive, process_name

START_S = 60.0  # importing Keras takes some seconds, on a busy machine many


class InferenceError(RuntimeError):
    """The prediction process refused, or could not be reached; the message says which and why."""


@dataclass(frozen=True)
class Prediction:
    """What one net says of one image: the most probable classes first."""

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


def predict(
    settings: Settings, run_id: str, images: list[bytes], *, top_k: int = 5, invert: bool = False
) -> list[Prediction]:
    """Classify image files with the model of a finished run.

    images: the files' bytes, of any format that an import reads. invert: exchange dark and light first.
    Raises InferenceError naming the first image that cannot be read, or what is wrong with the model.
    """
    answer = _ask(settings, {"do": "predict", "run_id": run_id, "top_k": top_k, "invert": invert}, images)
    return [Prediction(tuple(one["classes"]), tuple(one["probabilities"])) for one in answer]


def describe(
    settings: Settings,
    name: str,
    input_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    options: dict[str, Any],
    batch_size: int = 32,
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
    )


def describe_transfer(
    settings: Settings,
    model: ModelConfig,
    image_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    batch_size: int = 32,
) -> dict[str, Any]:
    """Layers and counts of a config's net with its head, and what is frozen; keys as for `describe`."""
    header = {
        "do": "describe_transfer",
        "model": model.model_dump(),
        "image_shape": image_shape,
        "num_classes": num_classes,
        "batch_size": batch_size,
    }
    return _ask(settings, header)


def ensure_inference(settings: Settings) -> None:
    """Start the prediction process where none runs, without waiting for it."""
    if inference_is_running(settings):
        return
    settings.check_writable()
    with FileLock(settings.home / "inference-start.lock"):
        if inference_is_running(settings):
            return
        process = spawn(settings, ["-m", "core.inference"], settings.home / "inference.log")
        owner_file(settings).write_text(process_name(process.pid))


def inference_is_running(settings: Settings) -> bool:
    """Whether the prediction process lives, though it may still be starting."""
    try:
        return is_alive(owner_file(settings).read_text())
    except FileNotFoundError:
        return False


def stop_inference(settings: Settings) -> bool:
    """End the prediction process; false when none runs."""
    if not inference_is_running(settings):
        return False
    os.kill(int(owner_file(settings).read_text().rsplit(":", 2)[1]), signal.SIGTERM)
    return True


def _ask(settings: Settings, header: dict[str, Any], blobs: list[bytes] | None = None) -> Any:
    with _connect(settings) as connection:
        try:
            send(connection, header, tuple(blobs or ()))
            answer, _ = receive(connection)
        except (EOFError, OSError) as error:
            raise InferenceError("The prediction process ended while it was asked. Try again.") from error
    if "error" in answer:
        raise InferenceError(answer["error"])
    return answer["value"]


def _connect(settings: Settings) -> Any:
    give_up = time.monotonic() + START_S
    while True:
        address = read_address(settings)
        if address is not None and is_alive(address.owner):
            try:
                return Client(("127.0.0.1", address.port), authkey=bytes.fromhex(address.key))
            except (ConnectionError, EOFError):
                pass  # it ends, or only just began
        ensure_inference(settings)
        if time.monotonic() > give_up:
            raise InferenceError(
                f"The prediction process did not start within {START_S:.0f} s; its last words are in "
                f"{settings.home / 'inference.log'}."
            )
        time.sleep(0.1)
