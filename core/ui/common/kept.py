"""Results that pages keep for all visitors, by the hash of what they depend on.

Streamlit hashes the arguments of a cached function value by value, which for a hundred ids takes longer than
what is cached here. Python's own hash of tuples and texts is as good inside one process.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import streamlit as st

from core.system.settings import Settings, get_settings

BY_HASH: dict[str | type[Any], Callable[[Any], Any]] = {Settings: hash, tuple: hash}  # for `hash_funcs`
Result = TypeVar("Result")


def kept(make: Callable[[], Result], *key: Hashable) -> Result:
    """Return what `make` returned for this key before, or makes now.

    Nobody may change the result: others have the same.

    Args:
        key: All that the result depends on beside the settings of the installation; first what it is.
    """
    return cast(Result, _kept(hash((get_settings(), *key)), make))


@st.cache_resource(max_entries=64, show_spinner=False)
def _kept(key: int, _make: Callable[[], Any]) -> Any:
    return _make()
