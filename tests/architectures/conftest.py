"""The session of Keras is cleared after each test: all nets together would not fit into memory."""

from collections.abc import Iterator

import keras
import pytest


@pytest.fixture(autouse=True)
def freed() -> Iterator[None]:
    yield
    keras.backend.clear_session()


@pytest.fixture
def values_of_our_own() -> Iterator[None]:
    """Nets hold what is assigned to them here: first values of Keras' own would take most of the time."""
    with keras.StatelessScope(initialize_variables=False):
        yield
