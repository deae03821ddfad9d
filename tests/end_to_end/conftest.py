"""Dashboards to look at: on a new home, and on one with a trained run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.system.settings import Settings
from tests.support.dashboards import dashboard
from tests.support.homes import Trained, using


@pytest.fixture
def address(empty_home: Settings) -> Iterator[str]:
    """A dashboard on a home that does not exist yet."""
    with dashboard() as url:
        yield url


@pytest.fixture(scope="module")
def _trained_address(_trained: Trained) -> Iterator[str]:
    with using(_trained.settings.home), dashboard() as url:
        yield url


@pytest.fixture
def trained_address(trained: Trained, _trained_address: str) -> str:
    """A dashboard on the home with one finished run, the same for all tests."""
    return _trained_address


@pytest.fixture
def own_address(own: Trained) -> Iterator[str]:
    """A dashboard on a home with one finished run that is of the test alone."""
    with dashboard() as url:
        yield url
