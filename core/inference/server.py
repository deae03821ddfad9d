"""The server of the prediction process: it responds to one request per connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from threading import Lock, Thread
from typing import Any
from weakref import WeakValueDictionary

from core.images.decode import Decoded, Unreadable
from core.images.limited import Decoders, Gone
from core.inference.answers import Opened, predictions, shown_to_model, target_of
from core.inference.explaining import explained
from core.inference.handlers import handle
from core.inference.messages import (
    REQUESTS,
    CheckModel,
    Describe,
    DescribeTransfer,
    Explain,
    Explanation,
    Failure,
    Predict,
    PredictionResult,
    Preview,
    Request,
    from_message,
)
from core.inference.onnx_models import NeedsKeras
from core.inference.pending_connections import RETRY_S, PendingConnections
from core.inference.protocol import receive, send, send_at_once
from core.registry import UnknownName
from core.system.records import prepare_records, to_json_values
from core.system.redaction import redact
from core.tracking.store import RunStore, get_store

logger = logging.getLogger("core.inference")

SAY_S = 60.0  # between two lines of the log about connections that were refused
BUILDS = (CheckModel, Describe, DescribeTransfer, Preview)  # requests that build a model
TURN_S = 0.5  # how often a request that waits checks whether its caller is still connected


class Server:
    """Handles requests: predictions one at a time, and beside them requests that build models one at a time.

    Each visit builds one model at a time, and nothing is started for a caller that has disconnected. Keras
    keeps its state per thread, so a model that takes long to build does not delay predictions; only
    predictions use the models that predict.
    """

    def __init__(self, key: bytes, open_model: Callable[[RunStore, str], Opened], has_keras: bool) -> None:
        """Make a server.

        Args:
            key: that callers must know.
            open_model: opens the model of a run for predictions.
            has_keras: whether requests other than predictions are answered.
        """
        self.key = key
        self.open_model, self.has_keras = open_model, has_keras
        self.last_request = time.monotonic()
        self.waiting = PendingConnections()
        self.decoders = Decoders()
        self._working, self._building = Lock(), Lock()
        self._visits: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._naming = Lock()  # guards _visits
        self._refused, self._said_at = 0, -SAY_S
        self._counting = Lock()  # guards _refused and _said_at
        self._open: set[Thread] = set()
        self._closed = False
        prepare_records(Failure, *REQUESTS.values(), *(kind.response for kind in REQUESTS.values()))

    def serve(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError as error:  # as when no file descriptor is left
                if self._closed:
                    return
                self._refuse(error)
                time.sleep(RETRY_S)
                continue
            self.waiting.enter(connection)
            thread = Thread(target=self._respond_to, args=(connection,), daemon=True)
            self._open = {one for one in self._open if one.is_alive()} | {thread}
            thread.start()

    def close(self) -> None:
        """Accept no more connections: the listener is about to be closed."""
        self._closed = True

    def is_responding(self) -> bool:
        """Whether a connection is still open."""
        return any(thread.is_alive() for thread in list(self._open))

    def _respond_to(self, connection: Connection) -> None:
        """Respond to one request. A caller that sends nothing, or no request, blocks only its own thread."""
        with connection:
            try:
                deliver_challenge(connection, self.key)
                answer_challenge(connection, self.key)
                self.waiting.trust(connection)
                send_at_once(connection)
                header, blobs = receive(connection)
            except (AuthenticationError, EOFError, OSError, ValueError, KeyError) as error:
                self._refuse(error)
                return
            finally:
                self.waiting.leave(connection)
            self.last_request = time.monotonic()
            seen: list[bytes] = []
            try:
                visit = str(header.pop("visit", ""))
                value, seen = self._handle(from_message(header), visit, blobs, lambda: connection.poll(0))
                message = {"value": value}
            except Gone:
                return
            except NeedsKeras as error:
                message = to_json_values(Failure, Failure(str(error), needs_keras=True))
            except Exception as error:  # the client shows it
                logger.exception("A request failed.")
                reason = redact(str(error)) or type(error).__name__
                message = to_json_values(Failure, Failure(reason, isinstance(error, UnknownName)))
            self.last_request = time.monotonic()
            with suppress(OSError):  # the client has gone
                send(connection, message, tuple(seen))

    def _handle(
        self, request: Request, visit: str, blobs: list[bytes], gone: Callable[[], bool]
    ) -> tuple[Any, list[bytes]]:
        """Return the response as JSON values, and the blobs that go with it.

        gone: whether the caller has disconnected; it sends nothing after its request. Raises Gone then.
        """
        response: Any
        seen: list[bytes] = []
        if isinstance(request, Predict):
            response, seen = self._predict(request, blobs, gone)
        elif isinstance(request, Explain):
            response, seen = self._explain(request, blobs, gone)
        elif not self.has_keras:
            raise NeedsKeras(f"The request '{request.do}' needs Keras.")
        elif isinstance(request, BUILDS):
            with self._turn(self._of_visit(visit), gone), self._turn(self._building, gone):
                response = handle(request)
        else:
            with self._turn(self._working, gone):
                response = handle(request)
        return to_json_values(request.response, response), seen

    def _of_visit(self, visit: str) -> Lock:
        """Return the lock of a visit, kept while it is in use; a new one for a request without a visit."""
        with self._naming:
            return self._visits.setdefault(visit, Lock()) if visit else Lock()

    def _predict(
        self, request: Predict, blobs: list[bytes], gone: Callable[[], bool]
    ) -> tuple[tuple[PredictionResult, ...], list[bytes]]:
        """Return the predictions, and the pixels that the model got of each image.

        The images are decoded before the request's turn, so that a slow one delays nobody else.
        """
        with self._turn(self._working, gone):
            opened = self.open_model(get_store(), request.run_id)
        target = target_of(opened.images, request.changes)
        decoded: list[Decoded] = []
        unreadable: dict[int, str] = {}
        for number, blob in enumerate(blobs, start=1):
            try:
                decoded.append(self.decoders.decode(blob, target, gone))
            except Unreadable as error:
                name = f"Image {number}" if len(blobs) > 1 and not request.skip_unreadable else "The image"
                if not request.skip_unreadable:
                    raise ValueError(f"{name} {error}.") from error
                unreadable[number] = f"{name} {error}."
        with self._turn(self._working, gone):
            results = iter(predictions(opened, decoded, request.top_k, request.changes))
        pixels = iter(shown_to_model(opened.images, decoded, request.changes) if decoded else ())
        found, seen = [], []
        for number in range(1, len(blobs) + 1):
            reason = unreadable.get(number)
            found.append(PredictionResult((), (), (0, 0, 0), error=reason) if reason else next(results))
            seen.append(b"" if reason else next(pixels).tobytes())
        return tuple(found), seen

    def _explain(
        self, request: Explain, blobs: list[bytes], gone: Callable[[], bool]
    ) -> tuple[Explanation, list[bytes]]:
        """Return where a model looks in the one image, with the map and the pixels that the model got."""
        (blob,) = blobs
        with self._turn(self._working, gone):
            opened = self.open_model(get_store(), request.run_id)
        try:
            decoded = self.decoders.decode(blob, target_of(opened.images, request.changes), gone)
        except Unreadable as error:
            raise ValueError(f"The image {error}.") from error
        return explained(opened, decoded, request, lambda: self._turn(self._working, gone))

    @contextmanager
    def _turn(self, lock: Lock, gone: Callable[[], bool]) -> Iterator[None]:
        """Hold a lock. Raises Gone when the caller disconnects before the lock is free."""
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
        """Count a connection without a valid request; the log mentions them at most once a minute."""
        with self._counting:
            self._refused += 1
            now = time.monotonic()
            if now - self._said_at >= SAY_S:
                logger.warning("%d connections were refused, the last one: %s", self._refused, error)
                self._refused, self._said_at = 0, now
