"""Settings that runs tried are those of runs on the same images, and what decides the score is told."""

from __future__ import annotations

import pandas as pd
import pytest

from core.analysis.importance import FANOVA, PED_ANOVA, importance, missing_runs
from core.analysis.settings_tried import Tried, steps, tried
from core.tracking import schema
from tests.support.runs import FINGERPRINT, OURS, run

SEARCH = [
    run("a", 0.9, **{"optimizer.learning_rate": 0.1}),
    run("b", 0.8, **{"optimizer.learning_rate": 0.01, "params.optimizer.learning_rate": "1e-2"}),
    run("c", 0.7, **{"model.name": "resnet_cifar", "model.options": {"depth": 20}, "seed": 1}),
]
OTHERS = [
    run("other images", 0.6, **{FINGERPRINT: "v2", "training.epochs": 99}),
    run("failed", 0.6, status=schema.FAILED, **{"training.epochs": 98}),
    run("percent", 95.0, **{"training.epochs": 97}),
    run("foreign", 0.6, **{OURS: None, "training.epochs": 96}),
]


def test_only_comparable_runs_and_settings_with_several_values_count() -> None:
    found = tried(pd.DataFrame([*SEARCH, *OTHERS]), ["a"])
    assert found.score.to_dict() == {"a": 0.9, "b": 0.8, "c": 0.7}
    assert found.settings["optimizer.learning_rate"].to_dict() == {"a": "0.1", "b": "0.01", "c": "0.001"}
    assert found.settings["seed"].tolist() == ["0", "0", "1"]
    assert found.settings["model.options.depth"].tolist() == ["–", "–", "20"]
    assert not {"name", "training.epochs", schema.FINGERPRINT, schema.SPLIT} & {*found.settings.columns}


def test_runs_without_images_are_compared_with_none() -> None:
    assert tried(pd.DataFrame(OTHERS[3:]), ["foreign"]).score.empty


def test_many_numbers_become_ranges_and_few_stay_in_order() -> None:
    assert list(steps(pd.Series(["10", "9", "10"])).cat.categories) == ["9", "10"]
    many = steps(pd.Series([str(one) for one in range(80)]))
    assert list(many.cat.categories)[::7] == ["0 to 9", "70 to 79"]
    assert many.value_counts().tolist() == [10] * 8


@pytest.mark.parametrize(("runs", "method"), [(16, FANOVA), (208, PED_ANOVA)])
def test_the_setting_that_decides_the_score_is_the_most_important(runs: int, method: str) -> None:
    settings = pd.DataFrame(
        {
            "optimizer.learning_rate": [str(10.0 ** -(place % 4)) for place in range(runs)],
            "optimizer.name": ["sgd" if place // 4 % 2 else "adam" for place in range(runs)],
        }
    )
    shares, by = importance(Tried(settings, pd.Series([0.5 + 0.1 * (place % 4) for place in range(runs)])))
    assert by == method
    assert next(iter(shares)) == "optimizer.learning_rate"
    assert shares["optimizer.learning_rate"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_too_few_runs_are_said_with_how_many_are_missing() -> None:
    few = Tried(pd.DataFrame({"seed": ["1", "2"]}), pd.Series([0.1, 0.2]))
    assert missing_runs(few).endswith("10 more are needed.")
    same = Tried(pd.DataFrame({"seed": [str(one) for one in range(12)]}), pd.Series([0.1] * 12))
    assert missing_runs(same) == "All of these runs have the same score."
