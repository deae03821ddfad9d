"""The Overview leads on: each sentence with a link that keeps what was chosen."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from core.config import ExperimentConfig
from core.datasets import load
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.store import RunStore
from tests.support.pages import opened

pytestmark = pytest.mark.slow

PAGE = "streamlit_app.py"


def links(app: AppTest) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Page and query of every link by its label."""
    found = [one.proto for one in app.get("page_link")]
    return {one.label: (one.page, parse_qs(one.query_string)) for one in found}


def finish(store: RunStore, config: ExperimentConfig, accuracy: float) -> str:
    """A run as the training logs it, without a training."""
    run_id = store.create(config)
    store.log_params(run_id, {schema.FINGERPRINT: load("digits").info.fingerprint, schema.SPLIT: "fold 0"})
    store.log_metrics(run_id, {"best_val_accuracy": accuracy, "test_accuracy": accuracy}, 1)
    store.set_status(run_id, schema.FINISHED)
    return run_id


def test_an_empty_store_leads_to_data_and_to_models(settings: Settings) -> None:
    labels = links(opened(PAGE))
    assert labels["Import images"][0].endswith("Data")
    assert labels["Choose models"][0].endswith("Train")


def test_after_one_run_another_model_is_proposed_with_the_same_settings(store: RunStore) -> None:
    finish(store, ExperimentConfig().with_values({"training.epochs": 9}), 0.9)
    _, query = links(opened(PAGE))["Train another model"]
    assert (query["architectures"], query["epochs"], query["dataset"]) == (["conv3"], ["9"], ["digits"])


def test_another_model_is_not_called_by_the_name_of_the_first(store: RunStore) -> None:
    finish(store, ExperimentConfig().with_values({"name": "lenet5 as in 1998"}), 0.9)
    assert "name" not in links(opened(PAGE))["Train another model"][1]


def test_after_two_the_best_is_to_be_repeated_and_tried(store: RunStore) -> None:
    best = finish(store, ExperimentConfig().with_values({"optimizer.name": "sgd"}), 0.9)
    finish(store, ExperimentConfig(), 0.8)
    found = links(opened(PAGE))
    _, query = found["Repeat it over 3 seeds"]
    assert (query["optimizer"], query["seeds"]) == (["sgd"], ["3"])
    assert found["Predict with it"][1] == {"run": [best]}
    assert "Import images of your own" in found
    (config,) = (file for file in store.settings.artifacts.rglob(schema.CONFIG) if best in file.parts)
    config.unlink()
    found = links(opened(PAGE))
    assert "Repeat it over 3 seeds" not in found  # of other settings than those of the best
    assert "Predict with it" in found


def test_a_failed_run_is_explained(store: RunStore) -> None:
    run_id = store.create(ExperimentConfig())
    store.fail(run_id, "It ran out of memory.")
    assert links(opened(PAGE))["See why"][1] == {"run": [run_id]}
