"""What goes wrong with the store or by a refusal is one sentence on the page, and the rest of it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.config import ConfigError
from core.settings import NotAllowed
from core.tracking.patience import is_of_the_store
from core.tracking.states import UnknownRun
from core.ui import words


@contextmanager
def said() -> Iterator[None]:
    """Shows an error that a person can do something about, or wait for; others are bugs and go on."""
    try:
        yield
    except (ConfigError, FileNotFoundError, NotAllowed, UnknownRun) as error:
        st.error(words.plain(str(error)), icon=":material/block:")
    except Exception as error:
        if not is_of_the_store(error):
            raise
        reason = str(error).splitlines()[0]
        st.error(f"The tracking store does not answer. {words.plain(reason)}", icon=":material/cloud_off:")
