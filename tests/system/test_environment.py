"""Every process of the program uses the home and the store of the one that started it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.jobs.executors.environment import training_environment
from core.system.environment import process_environment
from core.system.settings import Settings
from core.tracking.patience import IMPATIENT


def test_a_process_uses_the_same_home_and_store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_HOME", "/elsewhere")
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    other = replace(settings, tracking_uri="http://127.0.0.1:1")
    found = process_environment(other, {"PYTHONUNBUFFERED": "", "ONE": "more"})
    assert found["ARCHLAB_HOME"] == str(settings.home)
    assert found["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:1"
    assert found["ARCHLAB_ROLE"] == "viewer"
    assert (found["PYTHONUNBUFFERED"], found["ONE"]) == ("", "more")
    assert "ARCHLAB_ROLE" not in process_environment(other, inherited={})


def test_a_training_waits_for_the_store_as_long_as_the_user_set(settings: Settings) -> None:
    name, short = "MLFLOW_HTTP_REQUEST_TIMEOUT", IMPATIENT["MLFLOW_HTTP_REQUEST_TIMEOUT"]
    assert name not in training_environment(settings, {}, inherited={name: short})
    assert training_environment(settings, {}, inherited={name: "77"})[name] == "77"
