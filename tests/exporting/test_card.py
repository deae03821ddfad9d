"""The card of a model says what its run logged, and nothing of what it did not."""

from __future__ import annotations

import pytest

from core.config import ExperimentConfig
from core.exporting.card import card_of
from core.tracking.store import RunStore

pytestmark = pytest.mark.slow


def test_the_calibration_error_is_pointed_at_only_where_it_is_a_row(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    assert "calibration error" not in card_of(store, run_id)
    store.log_metrics(run_id, {"test_calibration_error": 0.02})
    card = card_of(store, run_id)
    assert "| calibration error | 0.0200 |" in card
    assert "the calibration error above says what they are worth" in card
