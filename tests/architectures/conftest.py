"""The session of Keras is cleared after each test: all nets together would not fit into memory."""

from collections.abc import Iterator

import keras
import pytest


@pytest.fixture(autouse=True)
def freed() -> Iterator[None]:
    yield
    keras.backend.clear_session()
