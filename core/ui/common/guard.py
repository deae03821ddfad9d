"""Shows errors of the store, of the disk and of refused actions as sentences; the rest of the page stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from core.config import ConfigError
from core.datasets import DatasetError
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


def _show(error: Exception) -> bool:
    """Show an error as a sentence; false when it is a bug."""
    if is_of_the_disk(error):
        st.error(words.plain(disk_words(error)), icon=":material/hard_drive:")
        return True
    fault = fault_of(error)
    reason = words.plain(error.reason if isinstance(error, StoreError) else first_line(error))
    if fault is Fault.AWAY:
        st.error(
            f"The tracking store does not answer. {reason} What is missing here appears when it does.",
            icon=":material/cloud_off:",
        )
    elif fault is Fault.REFUSED:
        st.error(f"The tracking store refused. {reason}", icon=":material/block:")
    elif isinstance(error, IN_WORDS):
        st.error(words.plain(str(error)), icon=":material/block:")
    else:
        return False
    return True


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
