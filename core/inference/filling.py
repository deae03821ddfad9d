"""Describes many nets in the background: one thread a set of requests, so that no page waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread

from core.inference.client import InferenceError
from core.inference.descriptions import NetRequest, describe
from core.settings import Settings


@dataclass
class Filling:
    """How far a thread is; `problems` has a sentence for each net that could not be described."""

    total: int
    done: int = 0
    current: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    running: bool = True


_lock = Lock()
_fillings: dict[tuple[Settings, str], Filling] = {}


def fill(settings: Settings, requests: Sequence[NetRequest], purpose: str) -> Filling:
    """Describe nets one after another; while a thread of this purpose is at it, that one is returned."""
    with _lock:
        filling = _fillings.get((settings, purpose))
        if filling is not None and filling.running:
            return filling
        filling = _fillings[settings, purpose] = Filling(len(requests))
        Thread(target=_work, args=(settings, tuple(requests), filling), daemon=True).start()
        return filling


def state(settings: Settings, purpose: str) -> Filling | None:
    """The latest thread of this process for a purpose; None when there was none."""
    return _fillings.get((settings, purpose))


def _work(settings: Settings, requests: Sequence[NetRequest], filling: Filling) -> None:
    try:
        for request in requests:
            filling.current = request.name
            try:
                describe(settings, request)
            except (InferenceError, ValueError) as error:
                filling.problems[request.name] = str(error)
            filling.done += 1
    finally:
        filling.running = False
