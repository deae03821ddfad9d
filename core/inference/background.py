"""Describes models in threads, so that no page waits: many for all visitors, or those that one visitor
looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread

from core.inference.client import Caller, InferenceError, Unreachable
from core.inference.descriptions import ModelRequest, describe
from core.system.settings import Settings


@dataclass
class Progress:
    """How far a thread is. problems: a sentence by the name of each model that could not be described."""

    total: int
    done: int = 0
    current: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    running: bool = True


_lock = Lock()
_progress: dict[tuple[Settings, str], Progress] = {}


def describe_all(settings: Settings, requests: Sequence[ModelRequest], purpose: str) -> Progress:
    """Describe models one after another in a thread, unless one runs for this purpose already."""
    with _lock:
        progress = _progress.get((settings, purpose))
        if progress is not None and progress.running:
            return progress
        progress = _progress[settings, purpose] = Progress(len(requests))
        Thread(target=_work, args=(settings, tuple(requests), progress), daemon=True).start()
        return progress


def progress_of(settings: Settings, purpose: str) -> Progress | None:
    """Return the latest thread of this process for a purpose; None when there was none."""
    return _progress.get((settings, purpose))


def _work(settings: Settings, requests: Sequence[ModelRequest], progress: Progress) -> None:
    try:
        for request in requests:
            progress.current = request.name
            try:
                describe(settings, request)
            except (InferenceError, ValueError) as error:
                progress.problems[request.name] = str(error)
            progress.done += 1
    finally:
        progress.running = False


class Latest:
    """Describes the models that one visitor looks at, one after another in a thread.

    Each request has a place, such as a section of a form. A later request for a place replaces the earlier
    one, which is cancelled even while the prediction process works on it. Thread-safe.
    """

    def __init__(self, settings: Settings, caller: Caller) -> None:
        self._settings, self._caller = settings, caller
        self._lock = Lock()
        self._waiting: dict[str, ModelRequest] = {}
        self._current: tuple[str, ModelRequest] | None = None
        self._problems: dict[str, tuple[ModelRequest, str]] = {}

    def ask(self, place: str, request: ModelRequest) -> str:
        """Request a description. Returns why the model cannot be described; empty while not known."""
        with self._lock:
            failed, problem = self._problems.get(place, (None, ""))
            if failed == request:
                return problem
            if self._current is None:
                self._current = place, request
                Thread(target=self._work, daemon=True).start()
            elif place in self._waiting or self._current != (place, request):
                self._waiting[place] = request
        return ""

    def _work(self) -> None:
        try:
            while self._current is not None:
                self._describe(*self._current)
                if not self._next():
                    return
        except BaseException:
            with self._lock:
                self._current = None
            raise

    def _describe(self, place: str, request: ModelRequest) -> None:
        def is_given_up() -> bool:
            return place in self._waiting or self._caller.has_left()

        try:
            describe(self._settings, request, Caller(self._caller.visit, is_given_up))
        except (InferenceError, ValueError) as error:
            if not isinstance(error, Unreachable) and not is_given_up():
                with self._lock:
                    self._problems[place] = request, str(error)

    def _next(self) -> bool:
        """Take the next request, if any; requests of a visitor who has left are dropped."""
        has_left = self._caller.has_left()
        with self._lock:
            if has_left:
                self._waiting.clear()
            place = next(iter(self._waiting), None)
            self._current = None if place is None else (place, self._waiting.pop(place))
            return place is not None
