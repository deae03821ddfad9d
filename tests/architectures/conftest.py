"""The session of Keras is cleared after each test: all models together would not fit into memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def freed() -> Iterator[None]:
    """Clear the session, where the test has imported Keras."""
    yield
    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()


@pytest.fixture
def values_of_our_own() -> Iterator[None]:
    """Models hold what is assigned to them here: initial values of Keras' own would take most of the time."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        yield
