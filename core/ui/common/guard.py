"""Shows errors of the store, of the disk and of refused actions as sentences; the rest of the page stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from core.config import ConfigError
from core.datasets import DatasetError
from core.registry import UnknownName
from core.system.files import disk_words, is_of_the_disk
from core.system.settings import NotAllowed, SettingsError
from core.tracking.errors import DamagedArtifact, Fault, StoreError, fault_of, first_line
from core.tracking.run_state import UnknownRun
from core.tracking.store import get_store
from core.ui.common import words

# Errors whose message is a sentence for the user; every other one is a bug.
IN_WORDS = (
    ConfigError,
    DamagedArtifact,
    DatasetError,
    FileNotFoundError,
    NotAllowed,
    SettingsError,
    UnknownName,  # a dataset that was deleted, or a file of models that is gone, since the page was drawn
    UnknownRun,
)
RETRY_S = 3.0  # seconds between checks of a store that is away


@contextmanager
def show_errors(*, returns: bool = False) -> Iterator[None]:
    """Show errors that the user can mend or wait for as a sentence; others are bugs and are raised.

    Args:
        returns: Run the page again once the store answers: for code that only reads, outside fragments that
            renew themselves.
    """
    try:
        yield
    except Exception as error:
        if not _show(error):
            raise
        if returns and fault_of(error) is Fault.AWAY:
            _return_when(lambda: get_store().active(), lambda error: fault_of(error) is not None)


def fragment(run_every: float | None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`st.fragment` that shows errors as `show_errors` does: no context around a fragment catches them."""

    def decorate(draw: Callable[..., None]) -> Callable[..., None]:
        @wraps(draw)
        def guarded(*arguments: Any, **settings: Any) -> None:
            with show_errors(returns=run_every is None):
                draw(*arguments, **settings)

        return st.fragment(guarded, run_every=run_every)

    return decorate


def is_unusable(error: Exception) -> bool:
    """Whether an error means that the home cannot be used now: it is read-only, or its disk is full."""
    return isinstance(error, SettingsError) or is_of_the_disk(error)


def wait_for_disk(error: Exception, check: Callable[[], object]) -> None:
    """Show what is wrong with the home, and run the page again once `check` passes."""
    _show(error)
    _return_when(check, is_unusable)


def sentence(error: Exception) -> str | None:
    """Return an error as a sentence, not escaped; None when it is a bug."""
    said = _in_words(error)
    return said and said[0]


def _show(error: Exception) -> bool:
    """Show an error as a sentence; false when it is a bug."""
    if (said := _in_words(error)) is None:
        return False
    st.error(words.plain(said[0]), icon=f":material/{said[1]}:")
    return True


def _in_words(error: Exception) -> tuple[str, str] | None:
    """Return the sentence of an error and its icon."""
    if is_of_the_disk(error):
        return disk_words(error), "hard_drive"
    fault = fault_of(error)
    reason = error.reason if isinstance(error, StoreError) else first_line(error)
    if fault is Fault.AWAY:
        missing = "What is missing here appears when it does."
        return f"The tracking store does not answer. {reason} {missing}", "cloud_off"
    if fault is Fault.REFUSED:
        return f"The tracking store refused. {reason}", "block"
    return (str(error), "block") if isinstance(error, IN_WORDS) else None


def _return_when(check: Callable[[], object], expected: Callable[[Exception], bool]) -> None:
    """Run the page again once `check` passes, tried every few seconds.

    Args:
        expected: Whether an error of `check` is the one that is waited for; any other is a bug.
    """
    looked = False

    def look() -> None:
        nonlocal looked
        if not looked:  # drawn with the sentence; the next time is by the clock
            looked = True
            return
        try:
            check()
        except Exception as error:
            if not expected(error):
                raise
            return
        st.rerun()

    st.fragment(look, run_every=RETRY_S)()
