"""Opens the ONNX files of finished runs; imports no Keras, and MLflow only where the store is no database."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from core.inference.answers import Opened
from core.inference.logged_images import logged_images
from core.onnx_form.session import NotAnswering, Session
from core.tracking import schema
from core.tracking.store import RunStore

KEPT_MODELS, KEPT_BYTES = 10, 400 << 20  # in memory at once; the least recently used one is dropped

_sessions: OrderedDict[Path, tuple[Session, int]] = OrderedDict()


class NeedsKeras(Exception):
    """Keras has to answer for a run; the message says why, in a sentence."""


def open_model(store: RunStore, run_id: str) -> Opened:
    """Return the model of a run, loaded unless it is in memory.

    Raises UnknownRun, NeedsKeras when the run has no ONNX file that can be used.
    """
    state = store.state(run_id)
    if schema.NUMBER not in state.tags:
        raise NeedsKeras("")  # of another program, which the prediction says anyway
    if refused := state.tags.get(schema.ONNX_REFUSED):
        raise NeedsKeras(f"Predicted by Keras. {refused}")
    if schema.ONNX_DIFFERENCE not in state.tags:
        raise NeedsKeras("Predicted by Keras: the run has no ONNX file, as those of older versions.")
    try:
        session = load(store.onnx_file(run_id))
        images = logged_images(store, run_id)
        assert images is not None
    except FileNotFoundError as error:
        raise NeedsKeras("Predicted by Keras: the ONNX file of the run is gone.") from error
    except NotAnswering as error:
        raise NeedsKeras(f"Predicted by Keras. {error}") from error
    return Opened(session.probabilities, images, session.facts.views, False)


def load(path: Path) -> Session:
    """Return a file's session, kept while it is among those used last. Raises NotAnswering."""
    if path in _sessions:
        _sessions.move_to_end(path)
        return _sessions[path][0]
    _sessions[path] = Session(path), path.stat().st_size
    while len(_sessions) > 1 and (len(_sessions) > KEPT_MODELS or _bytes() > KEPT_BYTES):
        _sessions.popitem(last=False)
    return _sessions[path][0]


def _bytes() -> int:
    return sum(size for _, size in _sessions.values())
