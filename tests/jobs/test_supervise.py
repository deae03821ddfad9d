"""What happens to a final state that the store does not take at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from threading import Timer

import pytest
from mlflow.exceptions import MlflowException

from core.jobs.supervise import TRIES, persist
from core.tracking import schema
from core.tracking.errors import Refused
from core.tracking.store import RunStore
from tests.support.homes import SMALL

pytestmark = pytest.mark.engine


def test_a_state_is_offered_until_the_store_takes_it(store: RunStore) -> None:
    run_id = store.create(SMALL)

    def rename(name: str, to: str) -> None:
        with closing(sqlite3.connect(store.settings.database, timeout=30)) as connection, connection:
            connection.execute(f"ALTER TABLE {name} RENAME TO {to}")

    rename("latest_metrics", "away")
    rename("tags", "gone")
    healing = Timer(4, lambda: (rename("gone", "tags"), rename("away", "latest_metrics")))
    healing.start()
    persist(store, run_id, lambda: store.fail(run_id, "It broke."))
    healing.join()
    assert store.state(run_id).status == schema.FAILED
    assert store.state(run_id).tags[schema.FAILURE] == "It broke."


def test_a_run_that_was_deleted_is_not_waited_for(store: RunStore) -> None:
    run_id = store.create(SMALL)
    store.client.delete_run(run_id)
    with pytest.raises(MlflowException, match="deleted"):
        persist(store, run_id, lambda: store.fail(run_id, "It broke."))


@pytest.mark.parametrize(
    ("error", "raised", "tries"),
    [(ZeroDivisionError, ZeroDivisionError, 1), (ConnectionError, Refused, TRIES)],
)
def test_what_fails_although_the_store_takes_other_writes_is_raised(
    store: RunStore, error: type[Exception], raised: type[Exception], tries: int
) -> None:
    run_id, made = store.create(SMALL), []

    def fails() -> None:
        made.append(1)
        raise error

    with pytest.raises(raised):
        persist(store, run_id, fails)
    assert len(made) == tries
