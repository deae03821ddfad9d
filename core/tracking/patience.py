"""Retries requests while the store is busy or away, so that no training loses its result; refusals count."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from core.tracking.errors import Fault, Refused, fault_of, is_away

logger = logging.getLogger(__name__)

PATIENCE_S, PAUSE_S = 300.0, 1.0
# A request that keeps failing while the store accepts others counts as refused after `TRIES`, and not
# before `RESTART_S` have passed: where a server keeps its artifacts may restart while the server answers.
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
    "search_registered_models",
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


@dataclass
class Attempts:
    """Counts the failures of one request while the store accepts others: after enough it counts as refused.

    Args:
        limit: failures after which the request counts as refused.
        least_s: seconds since the first of them, before which it does not.
    """

    limit: int = TRIES
    least_s: float = 0.0
    failed: int = 0
    first_at: float = 0.0  # on the monotonic clock

    def fail(self) -> None:
        """Count one more failure."""
        if not self.failed:
            self.first_at = time.monotonic()
        self.failed += 1

    @property
    def are_refused(self) -> bool:
        return self.failed >= self.limit and time.monotonic() - self.first_at >= self.least_s


def patiently(
    action: Callable[[], T],
    others: Callable[[], object] | None = None,
    *,
    attempts: Attempts | None = None,
    give_up: Callable[[], bool] | None = None,
    repeat_refused: bool = False,
    longest_pause_s: float = 0.0,
) -> T:
    """Return what `action` returns, retrying it while the store is away: by default for up to five minutes.

    Args:
        action: asks the store or writes to it; idempotent.
        others: another write. If that succeeds while `action` fails until the end, the store is not away.
        attempts: when a request that fails while `others` succeeds counts as refused; by default after five
            tries in five minutes or more.
        give_up: whether to stop retrying although the store is away; by default once five minutes are over.
        repeat_refused: count an answer that the store refuses as a failed attempt, instead of raising it.
        longest_pause_s: pauses grow by half from one second up to this length.

    Raises:
        Refused: the store was accepting `others` and never `action`, for as long as `attempts` allow.
        Exception: what `action` raised: at once when the store refused or is not to blame, else once
            `give_up` or `attempts` say so.
    """
    if attempts is None:
        attempts = Attempts(least_s=PATIENCE_S)
    over = give_up or _after(PATIENCE_S)
    pause = PAUSE_S
    while True:
        try:
            return action()
        except Exception as error:
            fault = fault_of(error)
            if fault is None or (fault is Fault.REFUSED and not repeat_refused):
                raise
            accepted = fault is Fault.AWAY and others is not None and accepts(others)
            if accepted or fault is Fault.REFUSED:
                attempts.fail()
            if attempts.are_refused:
                if fault is Fault.REFUSED:
                    raise
                raise Refused(error) from error
            if over() and not accepted:
                raise
            logger.warning("The tracking store did not answer, trying again: %s", error)
            time.sleep(pause)
            pause = max(pause, min(1.5 * pause, longest_pause_s))


def _after(seconds: float) -> Callable[[], bool]:
    """Return a function that tells whether a time is over."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


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
    """Make MLflow leave retries to this process; settings of the user have precedence."""
    for name, value in RETRIES.items():
        os.environ.setdefault(name, value)


def be_impatient() -> None:
    """Let this process wait seconds for a store that is away, not minutes; settings of the user win."""
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)


def without_impatience(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment as it was before `be_impatient`, for a training."""
    return {name: value for name, value in environment.items() if IMPATIENT.get(name) != value}
