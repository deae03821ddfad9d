"""Groups of runs: who belongs to which, their means and intervals, and what is marked and sorted."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from core.analysis import best_marks, grouping, order
from core.analysis.cells import Digits, digits_of
from core.analysis.entries import Entry
from core.analysis.table_columns import TableColumn, catalogue_of, values
from core.tracking import schema
from tests.support.runs import run

SCORE = TableColumn("test_accuracy", "metrics.test_accuracy")


def table(*rows: dict[str, object]) -> pd.DataFrame:
    started = pd.to_datetime(range(len(rows), 0, -1), unit="D", utc=True)
    return pd.DataFrame(rows).assign(started=started, last_epoch=3.0)


RUNS = table(
    run("lenet · seed 2", 0.9, 0.91, seed=2),
    run("lenet · seed 1", 0.8, 0.92, seed=1, status="FAILED"),
    run("other", 0.95, 0.9, **{"optimizer.learning_rate": 0.5}),
    run("lenet · seed 0", 0.7, 0.97, seed=0),
    run("folds · fold 1 of 2", 0.6, **{"data.folds": 2, "data.fold": 0}),
    run("folds · fold 2 of 2", 0.5, **{"data.folds": 2, "data.fold": 1}),
)
IDS, NAMES = RUNS["run_id"].to_numpy(dtype=object), RUNS["name"]


def test_a_sweep_has_repeats_only_where_its_settings_were_repeated() -> None:
    swept = table(run("a · rate 0.1", 0.9, 0.9), run("a · rate 0.2", 0.8, 0.9))
    tags = {f"tags.{schema.PARENT}": "p", f"tags.{schema.NUMBER}": "1"}
    swept = swept.assign(**tags)
    assert grouping.has_repeats(swept)
    swept = swept.assign(**{f"tags.{schema.SWEEP}": "rate"})
    assert not grouping.has_repeats(swept)
    assert grouping.has_repeats(swept.assign(name=["a · rate 0.1 · seed 0", "a · rate 0.1 · seed 1"]))


def groups(by: list[str]) -> list[set[str]]:
    codes = grouping.codes_of(RUNS, by, catalogue_of(RUNS))
    return [set(RUNS["run_id"][codes == code]) for code in dict.fromkeys(codes)]


def test_repeats_over_seeds_and_folds_are_found_by_their_settings() -> None:
    seeds = {f"lenet · seed {seed}" for seed in range(3)}
    folds = {f"folds · fold {fold} of 2" for fold in (1, 2)}
    assert groups([grouping.REPEATS]) == [seeds, {"other"}, folds]
    assert groups(["optimizer.learning_rate"]) == [seeds | folds, {"other"}]
    assert groups(["optimizer.learning_rate", "data.folds"]) == [seeds, {"other"}, folds]
    assert groups([]) == [{run_id} for run_id in RUNS["run_id"]]


def test_a_group_keeps_its_key_when_runs_come_and_has_the_name_of_its_experiment() -> None:
    places = np.array([0, 1, 3])
    group = grouping.entry_at(IDS, NAMES, places, [grouping.REPEATS])
    assert group.is_group
    assert (group.key, group.name) == ("group-lenet · seed 0", "lenet · 3 runs")
    assert grouping.entry_at(IDS, NAMES, places[1:], [grouping.REPEATS]).key == group.key
    assert grouping.entry_at(IDS, NAMES, places, ["seed"], ["0"]).name == "0 · 3 runs"
    alone = grouping.entry_at(IDS, NAMES, np.array([2]), [grouping.REPEATS])
    assert alone == Entry("other", "other", ("other",))


def test_means_are_of_the_finished_runs_with_students_interval() -> None:
    entries = [
        grouping.entry_at(IDS, NAMES, np.array([0, 1, 3]), [grouping.REPEATS]),
        grouping.entry_at(IDS, NAMES, np.array([1]), []),
        grouping.entry_at(IDS, NAMES, np.array([2]), []),
    ]
    columns = {name: values(RUNS, catalogue_of(RUNS)[name]) for name in ("test_accuracy", "seed", "state")}
    found = grouping.summarize(entries, RUNS, columns)
    scores = [0.91, 0.97]
    low, high = stats.t.interval(0.95, 1, fmean(scores), stats.sem(scores))
    assert found.means["test_accuracy"].tolist() == pytest.approx([fmean(scores), 0.92, 0.9])
    assert found.halves["test_accuracy"][0] == pytest.approx((high - low) / 2)
    assert found.halves["test_accuracy"][1:].isna().all()
    assert found.means["seed"].tolist() == ["3 values", "1", "0"]
    assert found.means["state"].tolist() == ["2 values", "failed", "finished"]
    assert found.counts.tolist() == [2, 0, 1]
    deviation = grouping.summarize(entries, RUNS, columns, "deviation").halves["test_accuracy"][0]
    assert deviation == pytest.approx(stdev(scores))


def test_the_best_come_first_and_what_has_no_value_last() -> None:
    def sorted_(found: list[float | str | None], one: TableColumn, reverse: bool = False) -> list[int]:
        return order.ordered(pd.Series(found), one, reverse).tolist()

    assert sorted_([0.5, math.nan, 0.9, 0.5], SCORE) == [2, 0, 3, 1]
    assert sorted_([0.5, math.nan, 0.9, 0.5], SCORE, reverse=True) == [0, 3, 2, 1]
    assert sorted_([3.0, 1.0, math.nan], TableColumn("train_seconds", "metrics.train_seconds")) == [1, 0, 2]
    rate = TableColumn("optimizer.learning_rate", "params.optimizer.learning_rate")
    assert sorted_(["1e-2", "0.1", None, "0.001"], rate) == [3, 0, 1, 2]
    assert sorted_(["vgg", "Alex", "lenet"], TableColumn("model.name", "params.model.name")) == [1, 2, 0]


def test_numbers_of_a_column_have_the_same_digits() -> None:
    assert digits_of(SCORE, pd.Series([0.5, 0.98765])).text(0.98765) == "98.77%"
    assert digits_of(SCORE, pd.Series([0.5])).signed(-0.005) == "-0.50 points"
    assert digits_of(SCORE, pd.Series([0.5])).interval(0.981234, 0.0034) == "98.12 ± 0.34%"
    loss = digits_of(TableColumn("loss", "metrics.loss"), pd.Series([0.0213, 2.31456, math.nan, math.inf]))
    assert [loss.text(number) for number in (0.0213, 2.31456, math.nan)] == ["0.021", "2.315", "–"]
    assert digits_of(TableColumn("parameters", "metrics.parameters"), pd.Series([44426.0])) == Digits(0)
    assert Digits(0).text(44426.0) == "44,426"


def stars(rows: pd.DataFrame, codes: list[int]) -> list[bool | None]:
    """Which rows are as good as the best of their images; None for those that are not compared."""
    found = best_marks.standings(rows, np.array(codes))["equal"]
    return [bool(found[code]) if code in found.index else None for code in dict.fromkeys(codes)]


def test_stars_stand_at_the_best_on_the_same_images_and_at_its_equals() -> None:
    images = {"metrics.validation_images": 1000.0}
    rows = table(
        run("best", 0.95, **images),
        run("equal", 0.935, **images),
        run("worse", 0.925, **images),
        run("failed", 0.99, status="FAILED", **images),
        run("elsewhere", 0.99, **images, **{"params.data.split_fingerprint": "another"}),
        run("leaked", 0.99, **images, **{"tags.archlab.leak": "It saw them."}),
    )
    assert stars(rows, [0, 1, 2, 3, 4, 5]) == [True, True, False, None, None, None]
    # as Newcombe's interval says, by statsmodels
    for score, equal in ((935, True), (925, False)):
        low, _ = confint_proportions_2indep(950, 1000, score, 1000, compare="diff", method="newcomb")
        assert (low <= 0) == equal
    unknown = table(run("best", 0.95), run("second", 0.94), run("third", 0.95))
    assert stars(unknown, [0, 1, 2]) == [True, False, True]


def test_a_group_has_a_star_where_its_seeds_and_images_do_not_tell_it_from_the_best() -> None:
    images = {"metrics.validation_images": 100_000.0}
    near = [run(f"near · seed {seed}", score, seed=seed, **images) for seed, score in enumerate([0.92, 0.96])]
    far = [run(f"far · seed {seed}", score, seed=seed, **images) for seed, score in enumerate([0.93, 0.9301])]
    rows = table(run("best", 0.95, **images), *near, *far)
    assert stars(rows, [0, 1, 1, 2, 2]) == [True, True, False]
    alone = table(run("best", 0.95, **images), *near, *far)
    assert stars(alone, [0, 1, 2, 3, 4]) == [False, False, True, False, False]
