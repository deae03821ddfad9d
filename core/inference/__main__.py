"""`python -m core.inference`: answers one request a connection; ends after half an hour without any."""

from __future__ import annotations

import logging
import os
import secrets
import time
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from threading import Lock, Thread
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the demo never takes memory from a training
if os.environ["CUDA_VISIBLE_DEVICES"] == "-1":
    os.environ["JAX_PLATFORMS"] = "cpu"  # JAX fails where it was promised a GPU that it does not see
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from core.inference.client import inference_of
from core.inference.waiting_room import RETRY_S, SWEEP_S, WaitingRoom
from core.inference.wire import Address, receive, send, write_address
from core.jobs.daemon import DaemonExists
from core.quick_start import import_keras
from core.redaction import redact, redact_output
from core.settings import get_settings
from core.tracking.store import get_store

logger = logging.getLogger("core.inference")

IDLE_S = 30 * 60.0
SAY_S = 60.0  # between two lines of the log about connections that were refused


class Server:
    """Requests are carried out one at a time: Keras shares its state between threads."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.last_request = time.monotonic()
        self.waiting = WaitingRoom()
        self._working = Lock()
        self._refused, self._said_at = 0, -SAY_S

    def serve(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError as error:  # no file descriptor is left, say
                self._refuse(error)
                time.sleep(RETRY_S)
                continue
            self.waiting.enter(connection)
            Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        """One request. A caller that says nothing or something else blocks its own thread alone."""
        with connection:
            try:
                deliver_challenge(connection, self.key)
                answer_challenge(connection, self.key)
                self.waiting.trust(connection)
                header, blobs = receive(connection)
            except (AuthenticationError, EOFError, OSError, ValueError, KeyError) as error:
                self._refuse(error)
                return
            finally:
                self.waiting.leave(connection)
            self.last_request = time.monotonic()
            try:
                with self._working:
                    answer = {"value": self._do(header, blobs)}
            except Exception as error:  # told to the client, which tells the person
                logger.exception("A request failed.")
                answer = {"error": redact(str(error)) or type(error).__name__}
            self.last_request = time.monotonic()
            with suppress(OSError):  # the client has gone
                send(connection, answer)

    def _refuse(self, error: Exception) -> None:
        """Count a connection that came to nothing; the log says it once a minute, however many there are."""
        self._refused += 1
        now = time.monotonic()
        if now - self._said_at >= SAY_S:
            logger.warning("%d connections were refused, the last one: %s", self._refused, error)
            self._refused, self._said_at = 0, now

    def _do(self, header: dict[str, Any], blobs: list[bytes]) -> Any:
        match header.pop("do"):
            case "predict":
                from core.inference.predictor import predict

                return predict(get_store(), blobs=blobs, **header)
            case "takes":
                from core.inference.predictor import takes

                return takes(get_store(), **header)
            case "describe":
                from core.architectures import architectures, check_options
                from core.architectures.describe import describe

                shape, options = header.pop("input_shape"), header.pop("options")
                check_options(architectures.get(header["name"]), options)
                return describe(
                    header.pop("name"), tuple(shape) if shape else None, **header, **options
                ).to_dict()
            case "describe_transfer":
                from core.architectures.transfer import describe_transfer
                from core.config import ModelConfig

                model, size = ModelConfig(**header.pop("model")), header.pop("image_shape")
                return describe_transfer(model, tuple(size) if size else None, **header).to_dict()
            case "check_model":
                from core.inference.own_models import check

                return check(**header)
            case "preview":
                from core.inference.preview import preview

                return preview(get_store(), **header)
            case "warm":
                import_keras()
                import core.inference.predictor
                import core.inference.preview  # noqa: F401

                return True
            case unknown:
                raise ValueError(f"Unknown request '{unknown}'.")


def main() -> None:
    redact_output()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = get_settings()
    key = secrets.token_bytes(32)
    server = Server(key)
    try:
        with inference_of(settings).hold(), Listener(("127.0.0.1", 0), backlog=32) as listener:
            write_address(settings, Address(listener.address[1], key.hex()))
            Thread(target=server.serve, args=(listener,), daemon=True).start()
            server._do({"do": "warm"}, [])  # the first person who asks should not wait for the import
            while time.monotonic() - server.last_request < IDLE_S:
                server.waiting.sweep()
                time.sleep(SWEEP_S)
    except DaemonExists:
        return


if __name__ == "__main__":
    main()
