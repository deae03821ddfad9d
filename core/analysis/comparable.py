"""Decides which runs may be compared, and which of them is best.

Accuracies are ranked only when they were measured on the same images: the same version of a dataset and the
same validation and test images of it. Runs that repeat one experiment with other seeds, or on other folds,
compete together by their mean, so that no run wins because its seed or fold was lucky. A repeat that
collapsed counts in it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

import numpy as np
import pandas as pd

from core.analysis import health
from core.analysis.values import not_a_fraction, validation_accuracy
from core.architectures import architectures
from core.config import ExperimentConfig
from core.tracking import schema
from core.tracking.run import Run, runs_of
from core.tracking.tables import column

# Settings in which repeats of one experiment may differ.
REPEATED = ("name", "seed", "data.fold", "training.device", "training.images_on_device")
SPLIT_SETTINGS = ("data.validation_fraction", "data.split_seed", "data.folds", "data.fold")
OPTIONS = "model.options."
PER_REPEAT = re.compile(r"( · fold \d+ of \d+)?( · seed \d+)?$")  # what a group adds to the names of its runs

# The columns of the runs by which it is decided.
DECIDING = (
    "run_id",
    "name",
    *(f"params.{name}" for name in ("data.name", "data.keep_together", *SPLIT_SETTINGS)),
    *(f"params.{name}" for name in (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)),
    *health.COLUMNS,
)

DEFAULTS = {name: str(value) for name, value in ExperimentConfig().flat().items()}


@dataclass(frozen=True)
class Basis:
    """The images that a score was measured on. Scores are ranked only within one basis.

    Attributes:
        fingerprint: Of the dataset's version; empty when it was not logged.
        splits: The fingerprints of the validation and test images of all runs that a score is the mean of,
            several for folds; of runs that did not log it that of their whole split, or its settings.
        how: The split in words.
    """

    dataset: str
    fingerprint: str
    splits: frozenset[str]
    how: str = field(compare=False, default="")


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
    for run, (key, other) in zip(rows, _keys(runs), strict=True):
        on_any_images[key] = other
        if run.active:
            if _images_unknown(run):
                beginning[other] += 1
            else:
                waiting[key] += 1
        elif run.status != schema.FINISHED:
            if _images_unknown(run):
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
    if not run.is_ours and not (_fingerprint(run) and _split(run)):
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


def _fingerprint(run: Run) -> str:
    """The fingerprint of the dataset's version; empty where it was not logged."""
    return run.params.get(schema.FINGERPRINT, "")


def _split(run: Run) -> str:
    """The fingerprint of the split; empty where it was not logged."""
    return run.params.get(schema.SPLIT, "")


def evaluations_of(runs: Iterable[Run]) -> dict[tuple[str, str], str]:
    """Return the evaluation fingerprint of every version and split of which a run logged it.

    By it an older run, which logged only its split, is known to have the images of a newer one.
    """
    return {
        (_fingerprint(run), _split(run)): evaluation
        for run in runs
        if _split(run) and (evaluation := run.params.get(schema.EVALUATION))
    }


def basis_of(run: Run, evaluations: Mapping[tuple[str, str], str]) -> Basis:
    """Return the images that one run was measured on, by the most exact thing that is known of them.

    Args:
        evaluations: Of the runs that it is compared with (`evaluations_of`).
    """
    fingerprint, split = _fingerprint(run), _split(run)
    if split:
        split = run.params.get(schema.EVALUATION) or evaluations.get((fingerprint, split), split)
    else:
        split = " ".join(normal(run.params.get(name, DEFAULTS[name])) for name in SPLIT_SETTINGS)
    return Basis(run.dataset or "", fingerprint, frozenset([split]), split_in_words([run]))


def split_in_words(runs: Sequence[Run]) -> str:
    """Describe the split of repeats of one experiment by their settings."""
    first = runs[0]
    together = ", near duplicates together" if first.params.get("data.keep_together") == "near" else ""
    folds = first.whole_setting("data.folds")
    seed = normal(first.params.get("data.split_seed", DEFAULTS["data.split_seed"]))
    if folds:
        used = sorted({run.whole_setting("data.fold") + 1 for run in runs})
        every = "both folds" if folds == 2 else f"all {folds} folds"
        which = every if len(used) == folds else f"fold {_listed(used)} of {folds}"
        return f"{which}, split seed {seed}{together}"
    fraction = first.setting("data.validation_fraction")
    if fraction is None:
        fraction = float(DEFAULTS["data.validation_fraction"])
    return f"{fraction:.0%} held out, split seed {seed}{together}"


def _keys(runs: pd.DataFrame) -> list[tuple[Hashable, Hashable]]:
    """Two keys per run that repeats of one experiment share: on the same images, and on any.

    They stand for all settings but those in `REPEATED`, with defaults filled in and numbers in one spelling.
    The same images are the same version of the dataset and, without folds, the same split.
    """
    images = (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)
    settings = []
    for name in (name.removeprefix("params.") for name in runs.columns if name.startswith("params.")):
        if name not in (*REPEATED, *images):
            codes, found = _codes(column(runs, f"params.{name}", object).fillna(default_of(name, runs)))
            spelled, _ = _codes(pd.Series([normal(value) for value in found], dtype=object))
            settings.append(spelled[codes].tolist())
    for tag in (schema.NUMBER, schema.EXTENDS):
        settings.append(column(runs, f"tags.{tag}", object).notna().tolist())
    fingerprints, splits = (column(runs, f"params.{name}", object) for name in images[:2])
    folds = column(runs, "params.data.folds", object).fillna("0")
    # Folds are repeats. Where no split was logged, an older version ran: those runs are averaged apart.
    splits = splits.where((folds == "0") | splits.isna(), "logged")
    on_any = list(zip(*settings, strict=True))
    same = zip(on_any, *(_codes(values)[0].tolist() for values in (fingerprints, splits)), strict=True)
    return list(zip(same, on_any, strict=True))


def _codes(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct texts of a column, absent ones as empty: int codes `(n,)`, and the texts."""
    return pd.factorize(values.fillna("").to_numpy(dtype=object))


def default_of(setting: str, runs: pd.DataFrame) -> str | pd.Series:
    """Return the default of a setting that runs did not log: one value, or one per run's architecture."""
    if not setting.startswith(OPTIONS):
        return DEFAULTS.get(setting, "")
    models = column(runs, "params.model.name", object)
    return models.map({model: default_options(model).get(setting, "") for model in models.dropna().unique()})


def default_options(model: str) -> dict[str, str]:
    """Return the default options of an architecture by dotted setting; none for an unknown one."""
    if model not in architectures.names():
        return {}
    return {f"{OPTIONS}{option.name}": str(option.default) for option in architectures.get(model).options}


def differences(runs: pd.DataFrame) -> list[str]:
    """Say why runs cannot be ranked against each other, in sentences; none when they can.

    Args:
        runs: Rows of `frames.runs` that are shown together, in any state.
    """
    given = _deciding(runs)
    rows = [run for run in given if run.status == schema.FINISHED or not _images_unknown(run)]
    silent = sum(run.dataset is None for run in rows)
    evaluations = evaluations_of(rows)
    known = [basis_of(run, evaluations) for run in rows if run.dataset is not None]
    exact = {basis for basis in known if basis.splits <= set(evaluations.values())}
    found = []
    datasets = Counter(basis.dataset for basis in known)
    if len(datasets) > 1:
        found.append(f"They used different datasets: {_counted(datasets)}.")
    for dataset in datasets:
        of_this = [basis for basis in known if basis.dataset == dataset]
        versions = Counter(basis.fingerprint for basis in of_this)
        if len(versions) > 1:
            short = {one[:8] or "not logged": count for one, count in versions.items()}
            found.append(f"They used different versions of the dataset '{dataset}': {_counted(short)}.")
        splits = {basis.splits for basis in of_this}
        if len(splits) > 1 and len(versions) == 1:
            hows = Counter(basis.how for basis in of_this)
            how = f": {_counted(hows)}" if len(hows) > 1 else ""
            certain = len(hows) > 1 or exact.issuperset(of_this)
            what = "validated" if certain else "were trained or validated"
            found.append(f"They {what} on different images of '{dataset}'{how}.")
    if silent and len(rows) > 1:
        found.append(f"The dataset of {silent} of them was not logged.")
    if (unknown := len(given) - len(rows)) and len(given) > 1:
        found.append(f"{unknown} of them {'has' if unknown == 1 else 'have'} not begun to train.")
    return found


def _images_unknown(run: Run) -> bool:
    """Whether a run of ours has not logged its images: it waits, or ended before it began to train."""
    return run.is_ours and not _fingerprint(run)


def normal(value: str) -> str:
    """Write a setting's value in one spelling: `1e-3` and `0.0010` alike, `True` and `true` too."""
    try:
        return f"{float(value):.12g}"
    except ValueError:
        return value.lower() if value.lower() in ("true", "false") else value


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


def experiment_name(run_name: str) -> str:
    """Return the name of an experiment, given that of one of its repeats."""
    return PER_REPEAT.sub("", run_name)


def repeat_name(run_name: str) -> str:
    """Return which repeat of its experiment a run is, by its name: `fold 1 of 5 · seed 0`; empty for none."""
    found = PER_REPEAT.search(run_name)
    return found.group().removeprefix(" · ") if found else ""


def _test_accuracy(run: Run) -> float | None:
    accuracy = run.metrics.get("test_accuracy")
    return None if not_a_fraction("", accuracy) else accuracy


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _counted(things: Mapping[str, int]) -> str:
    return ", ".join(f"{thing} ({count} run{'' if count == 1 else 's'})" for thing, count in things.items())
