"""Only runs on the same images are ranked, and repeats of one experiment count by their mean."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from core.analysis.basis import differences
from core.analysis.comparable import Competitor, compare
from core.analysis.experiments import experiment_name, repeat_name
from core.tracking import schema
from tests.support.runs import FINGERPRINT, OURS, SPLIT, run


def frame(*runs: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(runs)


def winners(*runs: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Of each basis the winner's name, its validation accuracy and how many compete."""
    rankings = compare(frame(*runs)).rankings()
    return [
        (ranked[0].name, pytest.approx(ranked[0].validation), len(ranked)) for ranked in rankings.values()
    ]


def test_the_best_is_the_one_with_the_highest_validation_accuracy_whatever_its_test_accuracy() -> None:
    runs = [run("a", 0.90, 0.99), run("b", 0.97, 0.91, seed=1, **{"model.name": "conv3"})]
    assert winners(*runs) == [("b", 0.97, 2)]


def test_versions_of_a_dataset_do_not_compete() -> None:
    old = [run("easy", 0.99, **{FINGERPRINT: "v0"})]
    new = [run("hard", 0.80), run("harder", 0.70, **{"model.name": "conv3"})]
    assert winners(*new, *old) == [("hard", 0.80, 2), ("easy", 0.99, 1)]


@pytest.mark.parametrize("change", [{SPLIT: "another"}, {"data.name": "shapes"}])
def test_other_images_do_not_compete(change: dict[str, str]) -> None:
    assert len(winners(run("a", 0.9), run("b", 0.95, **change))) == 2


def test_folds_compete_by_their_mean_and_the_luckiest_wins_nothing() -> None:
    def folded(model: str, accuracies: list[float]) -> list[dict[str, Any]]:
        return [
            run(f"{model} · fold {fold + 1} of 5", accuracy, accuracy - 0.01,
                **{"model.name": model, "data.folds": 5, "data.fold": fold})
            for fold, accuracy in enumerate(accuracies)
        ]  # fmt: skip

    lucky = folded("conv3", [0.99, 0.80, 0.80, 0.80, 0.80])
    steady = folded("lenet5", [0.90, 0.91, 0.92, 0.93, 0.94])
    failed = run("x", math.nan, status=schema.FAILED, **{"model.name": "lenet5", "data.folds": 5})
    comparison = compare(frame(*lucky, failed, *steady))
    (ranked,) = comparison.rankings().values()
    assert [one.name for one in ranked] == ["lenet5", "conv3"]
    best = ranked[0]
    assert len(best.run_ids) == 5
    assert best.unfinished == 1
    assert best.validation == pytest.approx(0.92)
    assert best.validation_std == pytest.approx(math.sqrt((0.02**2 + 0.01**2) * 2 / 4))  # sample deviation
    assert best.test == pytest.approx(0.91)
    assert ranked[1].validation == pytest.approx(0.838)
    assert best.basis.how == "all 5 folds, split seed 0"
    # Four of the folds are another set of images than all five.
    assert len(compare(frame(*lucky, *steady[:4])).rankings()) == 2


def test_repeats_that_failed_before_their_images_were_known_are_counted() -> None:
    early = {FINGERPRINT: None, SPLIT: None, "status": schema.FAILED}
    runs = [run("a", 0.9), run("a", math.nan, seed=1, **early), run("a", math.nan, seed=2, **early)]
    (best,) = compare(frame(*runs)).competitors
    assert best.unfinished == 2
    other = run("b", math.nan, **early, **{"model.name": "conv3"})
    (best,) = compare(frame(*runs, other)).competitors
    assert best.unfinished == 2


def test_repeats_that_have_still_to_end_are_counted() -> None:
    begins = {FINGERPRINT: None, SPLIT: None, "status": schema.SCHEDULED}
    finished = [run(name, 0.9, seed=seed) for seed, name in enumerate("abc")]
    trains = run("d", 0.1, seed=3, status=schema.RUNNING)
    waits = run("e", math.nan, seed=4, **begins)
    others = [run("f", 0.1, **{FINGERPRINT: "v2"}, status=schema.RUNNING)]
    others.append(run("g", math.nan, **begins, **{"model.name": "conv3"}))
    (best,) = compare(frame(waits, trains, *finished, *others)).competitors
    assert (len(best.run_ids), best.waiting, best.unfinished) == (3, 2, 0)
    assert (best.validation, best.test) == (pytest.approx(0.9), pytest.approx(0.5))


@pytest.mark.parametrize(
    ("name", "repeat", "experiment"),
    [
        ("a on b · fold 1 of 5 · seed 0", "fold 1 of 5 · seed 0", "a on b"),
        ("a · fold 1 of 5", "fold 1 of 5", "a"),
        ("a · seed 12", "seed 12", "a"),
        ("a · seed 12 · longer", "", "a · seed 12 · longer"),
        ("a", "", "a"),
    ],
)
def test_the_name_of_a_repeat_is_its_experiment_and_which_it_is(
    name: str, repeat: str, experiment: str
) -> None:
    assert (repeat_name(name), experiment_name(name)) == (repeat, experiment)


def test_of_a_run_that_has_not_begun_nothing_false_is_said() -> None:
    waits = run("waits", math.nan, status=schema.SCHEDULED, **{FINGERPRINT: None, SPLIT: None})
    assert differences(frame(run("a", 0.9), waits)) == ["1 of them has not begun to train."]
    assert differences(frame(waits)) == []


def test_a_fold_that_ran_twice_counts_once() -> None:
    folds = {"data.folds": 2}
    runs = [run("a", 1.0, seed=seed, **folds) for seed in (0, 1, 2)] + [
        run("b", 0.0, **folds, **{"data.fold": 1})
    ]
    (best,) = compare(frame(*runs)).competitors
    assert best.validation == pytest.approx(0.5)


def test_seeds_launched_one_by_one_compete_by_their_mean_too() -> None:
    depth = {"model.name": "resnet_cifar"}
    runs = [run(f"s{seed}", value, seed=seed, **depth) for seed, value in enumerate([0.99, 0.70, 0.71])]
    assert winners(*runs, run("b", 0.85)) == [("b", 0.85, 2)]
    # Said or not, the default depth is one experiment; another spelling of a number is none.
    said = run("said", 0.9, **depth, **{"model.options.depth": 20, "params.optimizer.learning_rate": "1e-3"})
    silent = run("silent", 0.8, seed=5, **depth)
    assert winners(said, silent) == [("said", 0.85, 1)]
    deeper = run("deeper", 0.8, **depth, **{"model.options.depth": 32})
    assert winners(said, deeper) == [("said", 0.9, 2)]


def test_the_accuracy_is_that_of_the_weights_that_were_kept() -> None:
    last = {"training.keep": "last", "metrics.val_accuracy": 0.6}
    assert winners(run("last", 0.99, **last), run("best", 0.7)) == [("best", 0.7, 2)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"metrics.best_val_accuracy": math.inf},
            "Its validation accuracy is inf, not a fraction from 0 to 1.",
        ),
        (
            {"metrics.best_val_accuracy": 64.0},
            "Its validation accuracy is 64, not a fraction from 0 to 1. It looks like a percentage.",
        ),
        ({"metrics.best_val_accuracy": -0.5}, "Its validation accuracy is -0.5, not a fraction from 0 to 1."),
        ({"metrics.best_val_accuracy": math.nan}, "It has no validation accuracy to be ranked by."),
        ({f"tags.{schema.LEAK}": "It saw 9 of these images."}, "It saw 9 of these images."),
        (
            {"metrics.test_predicted_classes": 1.0},
            "It predicts the same class for every test image (50.0% correct).",
        ),
        ({"schedule.name": "range_test"}, "It tried learning rates only and has no result."),
        (
            {OURS: None, FINGERPRINT: None},
            "Another program logged it, without saying which images it was trained and validated on.",
        ),
        ({"params.data.name": None}, "It does not say which dataset it used."),
    ],
)
def test_what_cannot_be_best_says_why(change: dict[str, Any], reason: str) -> None:
    comparison = compare(frame(run("bad", 1.0, **{"model.name": "conv3"}, **change), run("good", 0.2)))
    assert comparison.excluded == {"bad": reason}
    assert [one.name for one in comparison.competitors] == ["good"]


NOTHING = {"metrics.test_predicted_classes": 1.0, "metrics.test_classes": 10.0}


def test_repeats_that_learned_nothing_count_in_the_mean() -> None:
    wild = [run("wild", 0.95, 0.94)] + [
        run(f"wild{seed}", 0.1, 0.1, seed=seed, **NOTHING) for seed in (1, 2, 3, 4)
    ]
    steady = [run(f"steady{seed}", 0.9, seed=seed, **{"model.name": "conv3"}) for seed in range(5)]
    comparison = compare(frame(*wild[::-1], *steady))
    (ranked,) = comparison.rankings().values()
    assert [one.validation for one in ranked] == [pytest.approx(0.9), pytest.approx(0.27)]
    assert ranked[1].test == pytest.approx((0.94 + 4 * 0.1) / 5)
    assert (ranked[1].learned_nothing, len(ranked[1].run_ids)) == (4, 5)
    assert comparison.excluded == {}


def test_an_experiment_of_which_no_repeat_learned_is_not_ranked() -> None:
    both = [run(f"a{seed}", 0.1, 0.1, seed=seed, **NOTHING) for seed in (0, 1)]
    comparison = compare(frame(*both))
    assert comparison.competitors == ()
    assert set(comparison.excluded) == {"a0", "a1"}


def test_repeats_that_do_not_count_are_counted_even_where_one_is_left() -> None:
    failed = [run(f"f{seed}", math.nan, seed=seed, status=schema.FAILED) for seed in (1, 2, 3)]
    leaking = run("leak", 0.99, seed=4, **{f"tags.{schema.LEAK}": "It saw 9 of these images."})
    (one,) = compare(frame(run("a", 0.95), *failed, leaking)).competitors
    assert (one.run_ids, one.unfinished, one.unranked) == (("a",), 3, 1)


def test_a_run_of_another_program_competes_when_it_says_which_images_it_used() -> None:
    foreign = run("theirs", 0.9, **{OURS: None})
    assert winners(run("ours", 0.8), foreign) == [("theirs", 0.9, 2)]


def test_a_percentage_of_the_test_set_is_not_averaged() -> None:
    (one,) = compare(frame(run("a", 0.9, 90.0))).competitors
    assert math.isnan(one.test)


def test_runs_of_an_older_version_compete_by_the_settings_of_their_split() -> None:
    silent: dict[str, Any] = {SPLIT: None, FINGERPRINT: None}
    old = [run("old", 0.99, **silent), run("older", 0.9, **silent, **{"model.name": "conv3"})]
    other = run("other", 1.0, **silent, **{"data.validation_fraction": 0.2})
    assert winners(run("new", 0.8), *old, other) == [("new", 0.8, 1), ("old", 0.99, 2), ("other", 1.0, 1)]


def test_unfinished_runs_and_empty_stores() -> None:
    assert compare(pd.DataFrame(columns=["run_id", "name", "status"])).competitors == ()
    running = run("a", 0.9, status=schema.RUNNING)
    assert compare(frame(running, run("b", 0.9, status=schema.KILLED))) == compare(frame(running))


def test_what_makes_runs_different_is_said() -> None:
    same = [run("a", 0.9), run("b", 0.8, seed=1)]
    assert differences(frame(*same)) == []
    assert differences(frame(*same, run("c", 0.8, **{"data.name": "shapes"}))) == [
        "They used different datasets: digits (2 runs), shapes (1 run)."
    ]
    assert differences(frame(*same, run("c", 0.8, **{FINGERPRINT: "0123456789"}))) == [
        "They used different versions of the dataset 'digits': v1 (2 runs), 01234567 (1 run)."
    ]
    fold = run("c", 0.8, **{"data.folds": 5, "data.fold": 2})
    assert differences(frame(*same, fold)) == [
        "They validated on different images of 'digits': 10% held out, split seed 0 (2 runs), "
        "fold 3 of 5, split seed 0 (1 run)."
    ]
    assert differences(frame(*same, run("c", 0.8, **{"params.data.name": None}))) == [
        "The dataset of 1 of them was not logged."
    ]
    assert differences(frame(run("c", 0.8, **{"params.data.name": None}))) == []


def test_runs_that_train_on_fewer_images_and_validate_on_the_same_compete() -> None:
    evaluation = {f"params.{schema.EVALUATION}": "e"}
    whole = run("whole", 0.9, **evaluation)
    fewer = run("fewer", 0.8, **evaluation, **{SPLIT: "at most 20", "data.imbalance": "at_most"})
    older = run("older", 0.7, **{"model.name": "conv3"})  # logged its split alone, which is that of `whole`
    assert winners(whole, fewer, older) == [("whole", 0.9, 3)]
    assert differences(frame(whole, fewer, older)) == []
    elsewhere = {SPLIT: "near", f"params.{schema.EVALUATION}": "f"}
    near = run("near", 0.95, **elsewhere, **{"data.keep_together": "near"})
    assert winners(whole, near) == [("whole", 0.9, 1), ("near", 0.95, 1)]
    assert differences(frame(whole, near)) == [
        "They validated on different images of 'digits': 10% held out, split seed 0 (1 run), "
        "10% held out, split seed 0, near duplicates together (1 run)."
    ]


def test_of_older_runs_it_is_not_said_which_of_their_images_differ() -> None:
    older = [run("whole", 0.9), run("fewer", 0.8, **{SPLIT: "other", "data.imbalance": "at_most"})]
    assert differences(frame(*older)) == ["They were trained or validated on different images of 'digits'."]


def test_a_competitor_of_one_run_has_no_deviation() -> None:
    (one,) = compare(frame(run("a", 0.9))).competitors
    assert isinstance(one, Competitor)
    assert one.run_ids == ("a",)
    assert math.isnan(one.validation_std)
