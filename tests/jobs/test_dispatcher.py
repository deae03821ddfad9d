"""What the worker begins, and when it begins nothing."""

from __future__ import annotations

import pytest

from core.jobs import dispatcher
from core.jobs.dispatcher import Dispatcher
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.homes import SMALL


def test_on_a_disk_that_is_nearly_full_no_training_begins(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create(SMALL)
    begun: list[str] = []
    monkeypatch.setattr(Dispatcher, "_begin", lambda self, run_id, taken, action: begun.append(run_id))
    for least, expected in ((1 << 60, []), (1, [run_id])):  # more than any disk has free, and less
        monkeypatch.setattr(dispatcher, "LOW_DISK", least)
        Dispatcher(store).step()
        assert begun == expected
    assert store.state(run_id).status == schema.SCHEDULED
