"""`python -m core.inference`: answers one request a connection; ends after half an hour without any."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from threading import Lock, Thread
from typing import Any
from weakref import WeakValueDictionary

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the demo never takes memory from a training
if os.environ["CUDA_VISIBLE_DEVICES"] == "-1":
    os.environ["JAX_PLATFORMS"] = "cpu"  # JAX fails where it was promised a GPU that it does not see
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from core.datasets.decode import Unreadable
from core.datasets.limited import Decoders, Gone
from core.inference.client import inference_of
from core.inference.waiting_room import RETRY_S, SWEEP_S, WaitingRoom
from core.inference.wire import Address, receive, send, write_address
from core.registry import UnknownName
from core.system.daemon import DaemonExists
from core.system.fast_keras_import import import_keras
from core.system.output import print_whatever_happens
from core.system.redaction import redact, redact_output
from core.system.settings import get_settings
from core.tracking.store import get_store

logger = logging.getLogger("core.inference")

IDLE_S = 30 * 60.0
SAY_S = 60.0  # between two lines of the log about connections that were refused
BUILDS = frozenset(("check_model", "describe", "describe_transfer", "preview"))
TURN_S = 0.5  # how often a request that waits looks whether its caller is still there


class Server:
    """Carries requests out: predictions one at a time, and all that builds models one at a time beside them.

    Models are built in turn for each visit, and nothing is begun for a caller that has gone. Keras keeps its
    state by thread, so a model that takes long to build keeps no prediction waiting; the models that predict
    are touched by predictions alone.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.last_request = time.monotonic()
        self.waiting = WaitingRoom()
        self.decoders = Decoders()
        self._working, self._building = Lock(), Lock()
        self._visits: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._naming = Lock()  # of the locks of the visits
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
            answer: dict[str, Any]
            seen: list[bytes] = []
            try:
                value, seen = self._carry_out(header, blobs, lambda: connection.poll(0))
                answer = {"value": value}
            except Gone:
                return
            except Exception as error:  # told to the client, which tells the person
                logger.exception("A request failed.")
                answer = {
                    "error": redact(str(error)) or type(error).__name__,
                    "unknown": isinstance(error, UnknownName),
                }
            self.last_request = time.monotonic()
            with suppress(OSError):  # the client has gone
                send(connection, answer, tuple(seen))

    def _carry_out(
        self, header: dict[str, Any], blobs: list[bytes], gone: Callable[[], bool]
    ) -> tuple[Any, list[bytes]]:
        """The answer, and the blobs that go with it.

        gone: whether the caller has gone, who sends nothing more; Gone is raised then.
        """
        visit = header.pop("visit", "")
        if header["do"] == "predict":
            return self._predict(header, blobs, gone)
        if header["do"] not in BUILDS:
            with self._turn(self._working, gone):
                return self._do(header), []
        with self._turn(self._of_visit(visit), gone), self._turn(self._building, gone):
            return self._do(header), []

    def _of_visit(self, visit: str) -> Lock:
        """The lock of a visit, which lasts while somebody holds it; without a visit one of its own."""
        with self._naming:
            return self._visits.setdefault(visit, Lock()) if visit else Lock()

    def _predict(
        self, header: dict[str, Any], blobs: list[bytes], gone: Callable[[], bool]
    ) -> tuple[list[dict[str, Any]], list[bytes]]:
        """The answers, and the pixels that the model got of each image.

        The images are decoded before it is this request's turn: a slow one keeps nobody else waiting.
        """
        from core.inference.predictor import answers, open_model, shown_to_model

        with self._turn(self._working, gone):
            opened = open_model(get_store(), header["run_id"])
        decoded = []
        for number, blob in enumerate(blobs, start=1):
            try:
                decoded.append(self.decoders.decode(blob, opened.target, gone))
            except Unreadable as error:
                name = f"Image {number}" if len(blobs) > 1 else "The image"
                raise ValueError(f"{name} {error}.") from error
        with self._turn(self._working, gone):
            found = answers(opened, decoded, header["top_k"], header["invert"])
        pixels = shown_to_model(decoded, header["invert"])
        for answer in found:
            answer["shape"] = pixels.shape[1:]
        return found, [one.tobytes() for one in pixels]

    @contextmanager
    def _turn(self, lock: Lock, gone: Callable[[], bool]) -> Iterator[None]:
        """Hold a lock. Raises Gone when the caller has gone before it could be had."""
        while not (taken := lock.acquire(timeout=TURN_S)) and not gone():
            pass
        try:
            if not taken or gone():
                raise Gone
            yield
        finally:
            if taken:
                lock.release()

    def _refuse(self, error: Exception) -> None:
        """Count a connection that came to nothing; the log says it once a minute, however many there are."""
        self._refused += 1
        now = time.monotonic()
        if now - self._said_at >= SAY_S:
            logger.warning("%d connections were refused, the last one: %s", self._refused, error)
            self._refused, self._said_at = 0, now

    def _do(self, header: dict[str, Any]) -> Any:
        match header.pop("do"):
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
    print_whatever_happens()
    redact_output()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = get_settings()
    key = secrets.token_bytes(32)
    server = Server(key)
    try:
        with inference_of(settings).hold(), Listener(("127.0.0.1", 0), backlog=32) as listener:
            write_address(settings, Address(listener.address[1], key.hex()))
            Thread(target=server.serve, args=(listener,), daemon=True).start()
            server._do({"do": "warm"})  # the first person who asks should not wait for the import
            while time.monotonic() - server.last_request < IDLE_S:
                server.waiting.sweep()
                time.sleep(SWEEP_S)
    except DaemonExists:
        return


if __name__ == "__main__":
    main()
