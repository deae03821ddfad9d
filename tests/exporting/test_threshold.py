"""A model that is handed over answers by the same promise as on the pages."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from core.analysis.automation import RISK, promise
from core.config import ExperimentConfig
from core.exporting.box import PROGRAMS
from core.exporting.card import card_of
from core.exporting.threshold import threshold
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.logged import log_predictions

pytestmark = pytest.mark.slow


def answers(rng: np.random.Generator, images: int) -> pd.DataFrame:
    """Predictions of a calibrated model of three classes: the label is drawn from its probabilities."""
    logits = rng.normal(scale=rng.uniform(0.5, 9.0, size=(images, 1)), size=(images, 3))
    given = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (given.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    columns = {f"p{index}": given[:, index] for index in range(3)}
    return pd.DataFrame({"index": np.arange(images), "label": labels, **columns})


def run_with(store: RunStore, validation: pd.DataFrame, test: pd.DataFrame) -> str:
    run_id = store.create(ExperimentConfig())
    log_predictions(store, run_id, test)
    log_predictions(store, run_id, validation, schema.VALIDATION_PREDICTIONS)
    return run_id


@pytest.fixture
def box_model() -> ModuleType:
    spec = importlib.util.spec_from_file_location("box_model", PROGRAMS / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_box_answers_as_the_promise_says_and_the_card_says_what_is_promised(
    store: RunStore, box_model: ModuleType
) -> None:
    rng = np.random.default_rng(4)
    validation, test = answers(rng, 4000), answers(rng, 2000)
    run_id = run_with(store, validation, test)
    found = threshold(store, run_id)
    probabilities = [f"p{index}" for index in range(3)]
    promised = promise(validation[probabilities].to_numpy(), validation["label"].to_numpy(), 0.01, RISK / 3)
    assert found.answer_from == tuple(promised.thresholds)
    assert found.rule.startswith("With at most 1 in 100 answers wrong, ")
    model = box_model.Model.__new__(box_model.Model)
    model.facts = {"classes": ["a", "b", "c"], "answer_from": found.answer_from}
    given = test[probabilities].to_numpy()
    told = [model.answer(one) for one in given]
    answered = np.array([one["decision"] == "answered" for one in told])
    assert answered.tolist() == promised.answers(given).tolist()
    assert {one["decision"] for one in told} == {"answered", "not sure", "ask a person"}
    assert {len(one["among"]) for one in told} == {0, 1, 2}  # never all three
    wrong = given.argmax(axis=1)[answered] != test["label"].to_numpy()[answered]
    assert f"{wrong.sum():,} of the {answered.sum():,} answers" in found.rule
    card = card_of(store, run_id)
    assert "## When it answers" in card
    assert f"{answered.sum():,} answers" in card


def test_of_too_few_validation_images_it_is_said_that_it_is_no_promise(store: RunStore) -> None:
    rng = np.random.default_rng(5)
    found = threshold(store, run_with(store, answers(rng, 60), answers(rng, 60)))
    assert found.answer_from is not None
    assert len(set(found.answer_from)) == 1
    assert "It is no promise for other images." in found.rule


def test_a_run_without_validation_predictions_has_no_threshold(
    store: RunStore, box_model: ModuleType
) -> None:
    run_id = store.create(ExperimentConfig())
    found = threshold(store, run_id)
    assert found.answer_from is None
    model = box_model.Model.__new__(box_model.Model)
    model.facts = {"classes": ["a", "b"], "answer_from": None}
    assert model.answer(np.array([0.9, 0.1]))["decision"] is None


def test_of_two_classes_both_are_no_answer(box_model: ModuleType) -> None:
    model = box_model.Model.__new__(box_model.Model)
    model.facts = {"classes": ["cat", "dog"], "answer_from": [0.9, 0.9]}
    found = model.answer(np.array([0.6, 0.4]))
    assert (found["decision"], found["among"]) == ("ask a person", [])
    assert model.answer(np.array([0.1, 0.9]))["decision"] == "answered"


def test_a_class_without_a_threshold_is_left_to_a_person(box_model: ModuleType) -> None:
    model = box_model.Model.__new__(box_model.Model)
    model.facts = {"classes": ["a", "b", "c", "d"], "answer_from": [0.9, None, 0.9, 0.9]}
    assert model.answer(np.array([0.0, 1.0, 0.0, 0.0]))["decision"] == "ask a person"
    assert model.answer(np.array([0.4, 0.2, 0.2, 0.2]))["decision"] == "ask a person"
    found = model.answer(np.array([0.6, 0.05, 0.35, 0.0]))
    assert (found["decision"], found["among"]) == ("not sure", ["a", "c"])
