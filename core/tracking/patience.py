"""A store that is busy or away for a while must cost no training its result; one that refuses is believed."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from core.tracking.errors import Refused, is_away

logger = logging.getLogger(__name__)

PATIENCE_S, PAUSE_S = 300.0, 1.0
# A request that keeps failing while the store accepts others counts as refused after so many tries, and not
# before this time has passed: where a server keeps its artifacts may restart while the server answers.
TRIES, RESTART_S = 5, 120.0
# Of a training, which tries again by itself: MLflow's own seven tries of one request take four minutes.
RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
# MLflow waits two minutes for an answer, which suits the upload of a model. A page or a worker has other
# things to do meanwhile, and asks again by itself. MLflow's retries would repeat writes too, and a run that
# is created by a request whose answer is lost would be created twice.
IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "PGCONNECT_TIMEOUT": "4",
}

READS = (  # what this program asks of MLflow's client
    *("get_experiment_by_name", "get_metric_history", "get_run", "list_artifacts"),
    *("search_experiments", "search_logged_models", "search_model_versions", "search_runs"),
)
RESETS = ("ConnectionResetError", "RemoteDisconnected")  # of urllib3, as MLflow quotes it

T = TypeVar("T")
P = ParamSpec("P")


def repeating_reads(client: Any) -> Any:
    """Have an MLflow client repeat a read once whose connection was reset; writes are sent once.

    A server that closes an idle connection at the moment of its use, or replaces one of its processes, is not
    away: it answers on the next connection.
    """
    for name in READS:
        setattr(client, name, once_more(getattr(client, name)))
    return client


def once_more(read: Callable[P, T]) -> Callable[P, T]:
    """Wrap a function so that it is called again, once, where the server reset its connection."""

    @wraps(read)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except Exception as error:
            if not any(name in str(error) for name in RESETS):
                raise
        return read(*args, **kwargs)

    return repeated


def patiently(action: Callable[[], T], others: Callable[[], object] | None = None) -> T:
    """Return what `action` returns, retrying it for up to five minutes while the store is away.

    Args:
        action: asks the store or writes to it; idempotent.
        others: another write. If that succeeds while `action` fails until the end, the store is not away.

    Raises:
        Refused: in five minutes or more the store accepted `others` five times or more and `action` never.
        Exception: what `action` raised, at once when the store refused or is not to blame.
    """
    give_up, in_vain = time.monotonic() + PATIENCE_S, 0
    while True:
        try:
            return action()
        except Exception as error:
            if not is_away(error):
                raise
            accepted = others is not None and accepts(others)
            in_vain += accepted
            if time.monotonic() > give_up:
                if in_vain >= TRIES:
                    raise Refused(error) from error
                if not accepted:
                    raise
            logger.warning("The tracking store did not answer, trying again: %s", error)
            time.sleep(PAUSE_S)


def accepts(write: Callable[[], object]) -> bool:
    """Whether the store takes a write now."""
    try:
        write()
    except Exception as error:
        if not is_away(error):
            raise
        return False
    return True


def retry_here() -> None:
    """Have MLflow leave retries to this training; what the user has set counts."""
    for name, value in RETRIES.items():
        os.environ.setdefault(name, value)


def be_impatient() -> None:
    """Have this process wait seconds for a store that is away, not minutes; what the user has set counts."""
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)


def without_impatience(environment: dict[str, str]) -> dict[str, str]:
    """An environment as it was before `be_impatient`, for a training."""
    return {name: value for name, value in environment.items() if IMPATIENT.get(name) != value}
