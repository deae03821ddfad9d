"""A store that does not answer for a while costs no training its result; one that says no is believed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from threading import Timer

import keras
import pytest
from mlflow.exceptions import MlflowException

from core.system.settings import SettingsError
from core.tracking import patience
from core.tracking.errors import Refused
from core.tracking.patience import IMPATIENT, RETRIES, be_impatient, patiently, without_impatience
from core.tracking.store import RunStore
from tests.support.homes import SMALL

pytestmark = pytest.mark.slow


def rename(store: RunStore, name: str, to: str) -> None:
    with closing(sqlite3.connect(store.settings.database, timeout=30)) as connection, connection:
        connection.execute(f"ALTER TABLE {name} RENAME TO {to}")


def test_a_model_is_saved_when_the_store_is_back(store: RunStore) -> None:
    run_id = store.create(SMALL)
    rename(store, "logged_models", "away")
    back = Timer(1.5, lambda: rename(store, "away", "logged_models"))
    back.start()
    size = store.models.log(run_id, keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    back.join()
    assert store.models.file(run_id).stat().st_size == size


def test_a_store_that_says_no_is_not_asked_again(store: RunStore) -> None:
    run_id, tries = store.create(SMALL), []
    store.client.delete_run(run_id)

    def write() -> None:
        tries.append(1)
        store.log_metrics(run_id, {"loss": 1.0}, 1)

    with pytest.raises(MlflowException, match="deleted"):
        patiently(write)
    assert len(tries) == 1


def test_a_store_that_is_away_is_not_said_to_have_no_such_run(store: RunStore) -> None:
    run_id = store.create(SMALL)
    rename(store, "runs", "away")
    with pytest.raises(SettingsError, match="cannot be used"):
        store.run(run_id)


def test_a_request_that_alone_fails_is_given_up(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "PATIENCE_S", 0.0)
    run_id, tries = store.create(SMALL), []

    def write() -> None:
        tries.append(1)
        raise ConnectionError("503")

    with pytest.raises(Refused, match=r"^503$"):
        patiently(write, others=lambda: store.touch(run_id))
    assert len(tries) == patience.TRIES


def test_a_request_that_alone_fails_is_tried_for_as_long_as_a_restart_takes(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a server keeps its artifacts may restart while the server itself answers."""
    monkeypatch.setattr(patience, "PAUSE_S", 0.01)
    run_id, tries = store.create(SMALL), []

    def write() -> int:
        tries.append(1)
        if len(tries) < 2 * patience.TRIES:
            raise ConnectionError("503")
        return 7

    assert patiently(write, others=lambda: store.touch(run_id)) == 7


def test_a_training_waits_for_answers_as_long_as_mlflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*RETRIES, *IMPATIENT):
        monkeypatch.setenv(name, "")  # so that it is as before after the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "90")  # what a user has set stays
    be_impatient()
    assert os.environ["PGCONNECT_TIMEOUT"] == "4"
    left = without_impatience(dict(os.environ))
    assert "PGCONNECT_TIMEOUT" not in left
    assert left["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "90"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in left
