"""Older versions logged the objective as the loss; what theirs includes is said."""

from __future__ import annotations

from typing import Any

import pytest

from core.analysis import losses
from core.tracking import schema
from tests.support.runs import OURS, as_run
from tests.support.runs import run as untrained

BOTH = ["label smoothing", "the focal factor"]


def run(name: str, validation: float, **settings: Any) -> dict[str, Any]:
    return {**untrained(name, validation, **settings), "metrics.loss": 0.3}


def included(row: dict[str, Any]) -> list[str]:
    return losses.included(as_run(row))


def sentence(row: dict[str, Any]) -> str | None:
    return losses.sentence(as_run(row))


def test_of_a_run_that_has_not_trained_yet_nothing_is_said() -> None:
    waits = untrained("waits", 0.9, **{"regularization.l2_dense": 0.01})
    assert included(waits) == []
    assert sentence(waits) is None


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({}, []),
        ({"regularization.l2_dense": 0.01}, ["L2 penalties"]),
        (
            {"training.label_smoothing": 0.1, "training.loss": "focal"},
            ["label smoothing", "the focal factor"],
        ),
        ({"model.options.layers": "- dense: {units: 8, l2: 0.1}"}, ["L2 penalties"]),
    ],
)
def test_an_old_loss_includes_what_its_settings_say(settings: dict, parts: list[str]) -> None:
    old = run("old", 0.9, **settings)
    assert included(old) == parts
    assert (sentence(old) is None) == (not parts)
    assert included({**old, f"tags.{schema.LOSS}": schema.CROSS_ENTROPY}) == []
    assert included({**old, OURS: None}) == []


def test_settings_that_a_run_of_an_older_version_lacks_add_nothing() -> None:
    kinds = ("params.regularization.", "params.training.label_smoothing")
    older = {name: value for name, value in run("old", 0.9).items() if not name.startswith(kinds)}
    assert included(older) == []


def test_of_a_run_that_was_resumed_since_only_the_older_epochs_are_said() -> None:
    resumed = run("r", 0.9, **{"regularization.l2_dense": 0.01, f"tags.{schema.LOSS_FROM}": "4"})
    assert sentence(resumed) == (
        "An older version logged epochs 1 to 3 of this run: their training and validation loss include L2 "
        "penalties, so they are not the cross-entropy that other runs log. From epoch 4 on they are."
    )
    assert "logged epoch 1 of this run: its training" in str(
        sentence({**resumed, f"tags.{schema.LOSS_FROM}": "2"})
    )
    for nonsense in ("best", "nan", "inf", ""):
        assert "An older version logged this run:" in str(
            sentence({**resumed, f"tags.{schema.LOSS_FROM}": nonsense})
        )


def test_the_sentence_lists_all_of_it() -> None:
    old = run("old", 0.9, **{"regularization.l2_rest": 0.1, "training.label_smoothing": 0.1})
    assert sentence(old) == (
        "An older version logged this run: its training and validation loss include L2 penalties and label "
        "smoothing, so they are not the cross-entropy that other runs log."
    )
