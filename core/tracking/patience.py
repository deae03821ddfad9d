"""A store that is busy or away for a while must cost no training its result."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import TypeVar

from core.settings import SettingsError
from core.tracking.states import UNUSABLE

logger = logging.getLogger(__name__)

PATIENCE_S, PAUSE_S = 300.0, 1.0
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "PERMISSION_DENIED")
# MLflow's own patience with a server, minutes a question, is for trainings; a page or a worker has other
# things to do meanwhile, and asks again by itself.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}

T = TypeVar("T")


def patiently(action: Callable[[], T]) -> T:
    """What an action returns that asks the store or writes to it, tried again for five minutes.

    It must bear being tried again. Raises what it raises, at once where the store is not to blame.
    """
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return action()
        except Exception as error:
            if not is_of_the_store(error) or time.monotonic() > give_up:
                raise
            logger.warning("The tracking store did not answer, trying again: %s", error)
            time.sleep(PAUSE_S)


def is_of_the_store(error: BaseException) -> bool:
    """Whether it is the store that failed, and did not just say no.

    Its classes are named, because asking for them imports MLflow.
    """
    if getattr(error, "error_code", "") in REFUSALS:
        return False
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, SettingsError | ConnectionError) or bool(names & {*UNUSABLE, "SQLAlchemyError"})


def be_impatient() -> None:
    """Have this process wait seconds for a server that is away, not minutes; what the user has set counts."""
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)


def without_impatience(environment: dict[str, str]) -> dict[str, str]:
    """An environment as it was before `be_impatient`, for a training."""
    return {name: value for name, value in environment.items() if IMPATIENT.get(name) != value}
