"""Every kind of chart of Compare is drawn on the page, and its choices stand in the address."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.analysis.importance import MIN_RUNS
from core.tracking import schema
from core.tracking.store import RunStore
from core.ui.compare.charts import VIEWS
from tests.support.homes import SMALL
from tests.support.pages import opened

pytestmark = pytest.mark.slow
PAGE = "pages/3_Compare.py"
CHOICES = {
    "Learning curves": {"x": "time", "smoothing": "0.5", "training": "true", "log_y": "true"},
    "Accuracy and cost": {"against": "training time (seconds)"},
    "Parallel coordinates": {"axes": "training.batch_size"},
    "Importance": {},
    "Heat map": {"across": "training.batch_size", "down": "seed"},
}
SAID = {
    "Learning curves": "No validation loss of",
    "Accuracy and cost": "Test accuracy on 2 images with its 95% interval.",
    "Parallel coordinates": "Drag along an axis",
    "Importance": "fANOVA, by Optuna",
    "Heat map": "Mean validation accuracy, and the number of runs",
}


def test_every_chart_is_drawn_with_the_choices_of_its_address(store: RunStore, tmp_path: Path) -> None:
    made = []
    for number in range(MIN_RUNS):
        settings = {"name": f"run {number}", "seed": number % 3, "training.batch_size": 16 * (1 + number % 2)}
        run_id = store.create(SMALL.with_values(settings))
        store.log_params(run_id, {schema.FINGERPRINT: "v1", schema.SPLIT: "s", schema.EVALUATION: "e"})
        accuracy = 0.5 + number / 50
        values = {"val_accuracy": accuracy, "best_val_accuracy": accuracy, "epoch_seconds": 1.0}
        store.log_metrics(run_id, {**values, "train_seconds": 1.0 + number, "parameters": 10.0}, 1)
        if number < 2:
            right = [0.9, 0.9] if number else [0.9, 0.2]
            table = pd.DataFrame({"index": [0, 1], "label": 0, "source_name": "", "p0": right, "p1": 0.5})
            table.to_parquet(tmp_path / "predictions.parquet")
            store.log_file(run_id, tmp_path / "predictions.parquet", "evaluation")
        store.set_status(run_id, schema.FINISHED)
        made.append(run_id)
    assert {*VIEWS} == {*CHOICES} == {*SAID}
    for view, choices in CHOICES.items():
        app = opened(PAGE, runs=made[:2], chart=view, **choices)
        assert not app.exception, view
        told = "\n".join(one.value for one in app.caption)
        assert SAID[view] in told, told
        assert not app.warning, "every choice of the address is known"
        for name, value in choices.items():
            assert app.query_params[name] in (value, [value]), name
