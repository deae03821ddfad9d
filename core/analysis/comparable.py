"""Decides which runs may be compared, and which of them is best.

Accuracies are ranked only when they were measured on the same images: the same version of a dataset and the
same validation and test images of it. Runs that repeat one experiment with other seeds, or on other folds,
compete together by their mean, so that no run wins because its seed or fold was lucky. A repeat that
collapsed counts in it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import pandas as pd

from core.analysis import basis, health
from core.analysis.basis import (
    Basis,
    basis_of,
    evaluations_of,
    fingerprint_of,
    images_unknown,
    split_in_words,
    split_of,
)
from core.analysis.experiments import experiment_keys, experiment_name
from core.analysis.values import not_a_fraction, validation_accuracy
from core.tracking import schema
from core.tracking.run import Run, runs_of

# The columns of the runs by which it is decided.
DECIDING = ("name", *dict.fromkeys((*basis.COLUMNS, *health.COLUMNS)))


@dataclass(frozen=True)
class Competitor:
    """One run, or all finished repeats of one experiment.

    Attributes:
        run_ids: Newest first.
        validation: Mean accuracy from 0 to 1, as is `test`, which is NaN without a test set. The `_std` are
            sample standard deviations, NaN for one run.
        learned_nothing: How many of `run_ids` predict one class only or are at chance level. They count in
            the means; the repeats below do not.
        unfinished: How many repeats failed or were cancelled.
        unranked: How many finished and are excluded for another reason.
        waiting: How many have still to end.
    """

    name: str
    run_ids: tuple[str, ...]
    basis: Basis
    validation: float
    validation_std: float
    test: float
    test_std: float
    learned_nothing: int = 0
    unfinished: int = 0
    unranked: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class Comparison:
    """Who competes with whom.

    Attributes:
        competitors: The newest first.
        excluded: Why finished runs do not compete, by id.
    """

    competitors: tuple[Competitor, ...]
    excluded: Mapping[str, str]

    def rankings(self) -> dict[Basis, list[Competitor]]:
        """The competitors of each basis, the best validation accuracy first; the newest basis first."""
        found: dict[Basis, list[Competitor]] = {}
        for one in self.competitors:
            found.setdefault(one.basis, []).append(one)
        return {
            basis: sorted(those, key=lambda one: one.validation, reverse=True)
            for basis, those in found.items()
        }


def compare(runs: pd.DataFrame) -> Comparison:
    """Decide which finished runs compete with which.

    Args:
        runs: All runs, newest first, as `frames.runs` gives them.
    """
    excluded: dict[str, str] = {}
    finished: dict[Hashable, list[Run]] = {}
    unfinished, unranked, waiting = Counter[Hashable](), Counter[Hashable](), Counter[Hashable]()
    # Of runs whose images are not known: those that ended, and those that have still to.
    early, beginning = Counter[Hashable](), Counter[Hashable]()
    on_any_images: dict[Hashable, Hashable] = {}
    rows = _deciding(runs)
    for run, (key, other) in zip(rows, experiment_keys(runs), strict=True):
        on_any_images[key] = other
        if run.active:
            if images_unknown(run):
                beginning[other] += 1
            else:
                waiting[key] += 1
        elif run.status != schema.FINISHED:
            if images_unknown(run):
                early[other] += 1
            else:
                unfinished[key] += 1
        elif (reason := _unfit(run)) is not None:
            excluded[run.run_id] = reason
            unranked[key] += 1
        else:
            finished.setdefault(key, []).append(run)
    competitors, evaluations = [], evaluations_of(run for run in rows if not run.active)
    for key, repeats in finished.items():
        nothing = {run.run_id: reason for run in repeats if (reason := _learned_nothing(run)) is not None}
        if len(nothing) == len(repeats):
            excluded |= nothing
        else:
            failed = unfinished[key] + early.pop(on_any_images[key], 0)  # of several versions: the newest
            to_end = waiting[key] + beginning.pop(on_any_images[key], 0)
            competitors.append(_competitor(repeats, evaluations, len(nothing), failed, unranked[key], to_end))
    return Comparison(tuple(competitors), excluded)


def _deciding(runs: pd.DataFrame) -> list[Run]:
    """The rows of a frame with what decides the comparison."""
    return runs_of(runs.loc[:, [name for name in DECIDING if name in runs]])


def why_not(run: Run) -> str | None:
    """Return why a finished run alone cannot be the best of anything, in a sentence; None when it can.

    One that learned nothing still counts in the mean of an experiment of which another repeat learned.
    """
    return _unfit(run) or _learned_nothing(run)


def _unfit(run: Run) -> str | None:
    """Why a run's accuracy cannot be compared with others, whether it is good or bad."""
    if run.is_range_test:
        return "It tried learning rates only and has no result."
    if run.dataset is None:
        return "It does not say which dataset it used."
    if not run.is_ours and not (fingerprint_of(run) and split_of(run)):
        return "Another program logged it, without saying which images it was trained and validated on."
    accuracy = validation_accuracy(run)
    if accuracy is None:
        return "It has no validation accuracy to be ranked by."
    if (reason := not_a_fraction("validation accuracy", accuracy)) is not None:
        return reason
    return _trouble(run, (health.LEAK,))


def _learned_nothing(run: Run) -> str | None:
    return _trouble(run, health.LEARNED_NOTHING)


def _trouble(run: Run, kinds: Collection[str]) -> str | None:
    return next((one.sentence for one in health.troubles(run) if one.kind in kinds), None)


def _competitor(
    repeats: Sequence[Run],
    evaluations: Mapping[tuple[str, str], str],
    learned_nothing: int,
    unfinished: int,
    unranked: int,
    waiting: int,
) -> Competitor:
    bases = [basis_of(run, evaluations) for run in repeats]
    splits = frozenset().union(*(basis.splits for basis in bases))
    of_run = [next(iter(basis.splits)) for basis in bases]
    validation, validation_std = _mean(of_run, map(validation_accuracy, repeats))
    test, test_std = _mean(of_run, map(_test_accuracy, repeats))
    return Competitor(
        name=experiment_name(repeats[0].name) if len(repeats) > 1 else repeats[0].name,
        run_ids=tuple(run.run_id for run in repeats),
        basis=Basis(bases[0].dataset, bases[0].fingerprint, splits, split_in_words(repeats)),
        validation=validation,
        validation_std=validation_std,
        test=test,
        test_std=test_std,
        learned_nothing=learned_nothing,
        unfinished=unfinished,
        unranked=unranked,
        waiting=waiting,
    )


def _mean(splits: Sequence[str], scores: Iterable[float | None]) -> tuple[float, float]:
    """Return the mean over splits of the mean of each, so that every fold counts alike; and the sample
    standard deviation of all scores. NaN where there are too few."""
    by_split: dict[str, list[float]] = {}
    for split, score in zip(splits, scores, strict=True):
        if score is not None:
            by_split.setdefault(split, []).append(score)
    every = [score for those in by_split.values() for score in those]
    mean = fmean(map(fmean, by_split.values())) if every else math.nan
    return mean, stdev(every) if len(every) > 1 else math.nan


def _test_accuracy(run: Run) -> float | None:
    accuracy = run.metrics.get("test_accuracy")
    return None if not_a_fraction("", accuracy) else accuracy
