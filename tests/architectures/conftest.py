"""One description a net for all tests: building the large ones is what takes the time."""

import gc
from collections.abc import Callable, Iterator
from functools import cache

import keras
import pytest

from core.architectures.describe import Description, describe

# Freeing a net collects garbage, which would look through everything TensorFlow imported each time: a third
# of a second for every test.
gc.freeze()


@pytest.fixture(scope="session")
def described() -> Callable[..., Description]:
    """`described(name, **options)`: the net at its native input and class count."""
    return cache(describe)


@pytest.fixture(autouse=True)
def freed() -> Iterator[None]:
    """Free the nets a test built: together they would not fit into memory."""
    yield
    keras.backend.clear_session()
