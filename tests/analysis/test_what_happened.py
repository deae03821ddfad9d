"""Faults that were put into runs are named, and healthy runs raise no alarm."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.analysis import health
from core.analysis.health import set_metrics
from core.analysis.mistakes import probabilities
from core.analysis.run_story import Story
from core.analysis.what_happened import RULES, what_happened
from core.tracking import schema
from tests.support.runs import as_run, run

CLASSES = [str(one) for one in range(10)]
SETS = set_metrics({"validation": [50] * 10, "test": [100] * 10}) | {"test_predicted_classes": 10.0}
TAGS = {f"tags.{schema.LOSS}": schema.CROSS_ENTROPY}
BASE = as_run(run("it", 0.9, **{f"metrics.{name}": value for name, value in SETS.items()}, **TAGS))


def history(**curves: Any) -> pd.DataFrame:
    """Rows as `frames.histories` has them, of curves that begin at epoch 1."""
    rows = [
        (metric, step, value)
        for metric, values in curves.items()
        for step, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows, columns=["metric", "step", "value"])


def healthy(generator: np.random.Generator) -> dict[str, Any]:
    """The curves of a run that learns: losses fall to a floor, with noise; validation a little above."""
    epochs = np.arange(int(generator.integers(3, 40)))
    end = generator.uniform(0.02, 0.25)
    fall = generator.uniform(0.3, 0.9)
    shape = np.exp(-epochs * fall)
    noise = generator.uniform(0.005, 0.04)

    def loss(floor: float) -> np.ndarray:
        return (floor + 2.2 * shape) * (1 + noise * generator.standard_normal(len(epochs)))

    training, validation = loss(end), loss(end * generator.uniform(1.0, 2.5))
    wobble = 0.008 * generator.standard_normal((2, len(epochs)))
    accuracy = np.clip(0.99 - 0.28 * np.stack([training, validation]) + wobble, 0.02, 1)
    speed = generator.uniform(200, 5000) * (1 + 0.1 * generator.standard_normal(len(epochs)))
    return {
        "loss": training,
        "val_loss": validation,
        "accuracy": accuracy[0],
        "val_accuracy": accuracy[1],
        "images_per_second": np.abs(speed) + 50,
        "learning_rate": np.full(len(epochs), 1e-3),
    }


def predictions(accuracy: float, generator: np.random.Generator, never: int | None = None) -> pd.DataFrame:
    """1,000 test images of ten classes, of which none is predicted to be of the class `never`."""
    labels = np.arange(1000) % 10
    said = np.where(generator.random(1000) < accuracy, labels, generator.integers(0, 10, 1000))
    if never is not None:
        said = np.where(said == never, (never + 1) % 10, said)
    given = np.eye(10)[said] * 0.8 + 0.02
    table = pd.DataFrame({"index": np.arange(1000), "label": labels, "source_name": ""})
    return table.join(pd.DataFrame(given, columns=[f"p{one}" for one in range(10)]))


def accuracy_of(table: pd.DataFrame) -> float:
    return float((probabilities(table).argmax(axis=1) == table["label"]).mean())


def story(curves: dict[str, Any], table: pd.DataFrame | None = None, likes: int = 0, **more: Any) -> Story:
    """The story of a run with these curves, as the training logs it. likes: how many, of 900 images/s."""
    test = 0.95 if table is None else accuracy_of(table)
    logged = {f"metrics.{name}": float(values[-1]) for name, values in curves.items()}
    logged |= {"metrics.best_val_accuracy": float(np.max(curves["val_accuracy"]))}
    logged |= {"metrics.test_accuracy": test, "metrics.test_balanced_accuracy": test} | more
    kinds = {
        kind: {
            name.removeprefix(f"{kind}."): value for name, value in logged.items() if name.startswith(kind)
        }
        for kind in ("params", "metrics")
    }
    epochs = len(curves["loss"])
    metrics = {
        name: value for name, value in (BASE.metrics | kinds["metrics"]).items() if not math.isnan(value)
    }
    params = {**BASE.params, "training.epochs": str(epochs), **kinds["params"]}
    it = replace(BASE, last_epoch=epochs, metrics=metrics, params=params)
    others = [
        as_run(run(f"like {place}", 0.9, **{"metrics.images_per_second": 900.0 + place}))
        for place in range(likes)
    ]
    return Story(it, history(**curves), others, table, CLASSES)


def test_no_alarm_on_sixty_healthy_runs() -> None:
    generator = np.random.default_rng(0)
    for _ in range(60):
        curves = healthy(generator)
        kept = float(curves["val_accuracy"].max())
        table = predictions(kept, generator)
        more = {"metrics.best_val_accuracy": generator.binomial(500, accuracy_of(table)) / 500}
        likes = {"metrics.images_per_second": 1.0} if generator.random() < 0.5 else {}
        found = what_happened(story(curves, table, **more, **likes))
        assert [one.sentence for one in found if one.alarm] == [], curves


EPOCHS = np.arange(12)
GOOD = {
    "loss": 0.1 + 2.2 * np.exp(-0.6 * EPOCHS),
    "val_loss": 0.15 + 2.2 * np.exp(-0.6 * EPOCHS),
    "accuracy": 0.97 - 0.8 * np.exp(-0.6 * EPOCHS),
    "val_accuracy": 0.95 - 0.8 * np.exp(-0.6 * EPOCHS),
    "images_per_second": np.full(12, 900.0),
    "learning_rate": np.full(12, 1e-3),
}
RATE = {"params.optimizer.learning_rate": "0.3"}


def test_the_run_that_faults_are_put_into_is_healthy() -> None:
    assert what_happened(story(GOOD, likes=20)) == []


def changed(metric: str, values: Any, start: int = 0) -> dict[str, Any]:
    """The good curves with one of them changed from a place on."""
    return GOOD | {metric: np.concatenate([GOOD[metric][:start], values])}


GENERATOR = np.random.default_rng(1)
FAULTS: dict[str, tuple[Story, str, str, dict[str, Any]]] = {
    "loss is no number": (
        story(changed("loss", [math.nan] * 8, 4), **RATE, **{"metrics.loss": math.nan}),
        health.EXPLODED,
        "Training diverged in epoch 5: the loss had been 0.464 and is no number in epoch 12, at a "
        "learning rate "
        "of 0.3.",
        {"optimizer.learning_rate": 0.03},
    ),
    "loss exploded at once": (
        story(changed("loss", np.full(12, 4e13)), **RATE),
        health.EXPLODED,
        "Training diverged in epoch 1: the loss is 4e+13 in epoch 12, at a learning rate of 0.3.",
        {"optimizer.learning_rate": 0.03},
    ),
    "loss rose above guessing": (
        story(changed("loss", [7.5, 9.0], 10), likes=1, **RATE),
        health.EXPLODED,
        "Training diverged in epoch 11: the loss had been 0.11 and is 9 in epoch 12, at a learning rate "
        "of 0.3.",
        {"optimizer.learning_rate": 0.001},  # of the run like it
    ),
    "unstable": (
        story(changed("loss", 0.8 + 0.4 * (EPOCHS % 2)), **RATE),
        "unstable",
        "The training loss rose in 6 of 12 epochs, by up to 0.4: the learning rate is too high, or "
        "batches are "
        "too small.",
        {"optimizer.learning_rate": 0.1},
    ),
    "learned nothing": (
        story(
            GOOD | {"loss": np.full(12, 2.303), "accuracy": np.full(12, 0.1)},
            **{"metrics.test_accuracy": 0.1, "metrics.test_balanced_accuracy": 0.1},
        ),
        health.CHANCE,
        "Its test accuracy, 10.0%, is no better than chance: always answering the most frequent class gives "
        "10.0%.",
        {"optimizer.learning_rate": 0.0001},
    ),
    "one class only": (
        story(
            GOOD,
            **{"metrics.test_accuracy": 0.1, "metrics.test_predicted_classes": 1.0},
        ),
        health.CONSTANT,
        "It predicts the same class for every test image (10.0% correct).",
        {"optimizer.learning_rate": 0.0001},
    ),
    "a class is never predicted": (
        story(GOOD, predictions(1.0, GENERATOR, never=3), **{"metrics.best_val_accuracy": 0.9}),
        "a class is never predicted",
        "It never predicts the class 3 (100 test images).",
        {"training.epochs": 24},
    ),
    "memorised": (
        story(changed("val_loss", 0.3 + 0.05 * np.arange(6), 6)),
        "memorised",
        "It memorised the training set from epoch 7 on: the validation loss rose from 0.26 to 0.55 while the "
        "training loss fell from 0.21 to 0.103.",
        {"training.early_stopping": 3, "training.early_stopping_watches": "val_loss"},
    ),
    "plateau": (
        story(
            GOOD
            | {
                "loss": 1.2 + np.exp(-1.5 * EPOCHS),
                "val_loss": 1.25 + np.exp(-1.5 * EPOCHS),
                "accuracy": 0.55 - 0.4 * np.exp(-1.5 * EPOCHS),
                "val_accuracy": 0.54 - 0.4 * np.exp(-1.5 * EPOCHS),
            },
            **{"metrics.test_accuracy": 0.54},
        ),
        "plateau",
        "It stopped improving about epoch 7 of 12: the training loss stays at 1.2, with 55.0% of the "
        "training "
        "images right.",
        {"schedule.plateau_patience": 3},
    ),
    "batch normalization lags": (
        story(GOOD | {"val_accuracy": np.where(EPOCHS == 2, 0.12, GOOD["val_accuracy"])}),
        "batch normalization lags",
        "In epoch 3 it recognised 72.9% of the training and 12.0% of the validation images, and later the "
        "two "
        "agree: the averages that batch normalization validates with lagged behind the weights.",
        {"training.batch_size": 32},
    ),
    "validation and test differ": (
        story(GOOD, **{"metrics.test_accuracy": 0.8}),
        "validation and test differ",
        "Validation accuracy is 94.9% of 500 images and test accuracy 80.0% of 1,000, which chance "
        "explains with "
        "p = 3e-14: the epoch was chosen by the validation set, or the two sets are of different kinds.",
        {"data.split_seed": 1},
    ),
    "slower than others": (
        story(changed("images_per_second", np.full(12, 300.0)), likes=20),
        "slow",
        "20 of 20 like runs trained faster: 300 images per second, and the median of theirs is 910.",
        {},
    ),
    "slowed down": (
        story(changed("images_per_second", np.full(6, 300.0), 6)),
        "slowed down",
        "From epoch 7 on it trained 300 images per second instead of 900: something else used the "
        "machine, or a "
        "device got hot.",
        {},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_alone_with_its_number_and_what_may_mend_it(fault: str) -> None:
    told, kind, sentence, changes = FAULTS[fault]
    found = [one for one in what_happened(told) if one.alarm]
    assert [(one.kind, one.sentence) for one in found] == [(kind, sentence)]
    assert dict(found[0].changes) == changes
    assert found[0].again


EXPLAINED: dict[str, tuple[Story, str]] = {
    "augmentation": (
        story(
            GOOD | {"accuracy": GOOD["val_accuracy"] - 0.06},
            **{"params.augmentation.horizontal_flip": "True"},
        ),
        "Validation accuracy is 6.0 points above training accuracy, which is no mistake: augmentation "
        "acts in "
        "training only.",
    ),
    "augmentation and dropout": (
        story(
            GOOD | {"accuracy": GOOD["val_accuracy"] - 0.06},
            **{"params.augmentation.shift": "0.1", "params.model.options.dropout": "0.5"},
        ),
        "Validation accuracy is 6.0 points above training accuracy, which is no mistake: augmentation and "
        "dropout "
        "act in training only.",
    ),
    "still improving": (
        story({name: values[:4] for name, values in GOOD.items()}, **{"metrics.test_accuracy": 0.82}),
        "It was still improving when it ended: the validation loss fell by 37% in the last epoch.",
    ),
    "stopped early": (
        story(
            GOOD,
            **{
                "params.training.epochs": "50",
                "params.training.early_stopping": "3",
                "metrics.best_epoch": 9.0,
            },
        ),
        "Early stopping ended it after epoch 12 of 50; the best was epoch 9.",
    ),
}


@pytest.mark.parametrize("what", EXPLAINED)
def test_what_looks_odd_and_is_no_fault_is_explained_without_alarm(what: str) -> None:
    told, sentence = EXPLAINED[what]
    assert [(one.sentence, one.alarm) for one in what_happened(told)] == [(sentence, False)]


def test_a_run_of_which_little_is_known_raises_no_error_and_no_alarm() -> None:
    for row in ({"status": schema.FAILED}, {"status": schema.FINISHED}, {"metrics.test_accuracy": 0.9}):
        assert what_happened(Story(as_run(row), history())) == []
    for length in (1, 2):
        short = {name: values[:length] for name, values in GOOD.items()}
        told = story(short, **{"metrics.test_accuracy": float(short["val_accuracy"][-1])})
        assert [one for one in what_happened(told) if one.alarm] == []


def test_every_rule_takes_curves_that_are_no_numbers() -> None:
    for value in (math.nan, math.inf, 0.0, -1.0):
        told = story({name: np.full(12, value) for name in GOOD}, predictions(0.9, GENERATOR))
        for rule in RULES:
            rule(told)
