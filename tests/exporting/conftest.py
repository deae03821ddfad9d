"""A copy of the trained run that a test may damage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.homes import Trained, copy_store, snapshot, stop_processes, using


@pytest.fixture
def own(trained: Trained, tmp_path: Path) -> Iterator[Trained]:
    """The trained run in a home of the test alone."""
    snapshot(trained.settings, tmp_path / "trained.db")
    ignored = shutil.ignore_patterns("mlflow.db*", "*.pid", "*.lock", "*.sock", "inference*")
    shutil.copytree(trained.settings.home, tmp_path / "home", ignore=ignored)
    with using(tmp_path / "home") as settings:
        copy_store(tmp_path / "trained.db", settings)
        yield Trained(settings, trained.run_id)
        stop_processes(settings)
