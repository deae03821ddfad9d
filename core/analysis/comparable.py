"""Which runs may be compared, and which of them is best: the one place that decides it.

Accuracies are ranked only when they were measured on the same images: the same version of a dataset and the
same validation and test images of it. Runs that repeat one experiment with other seeds, or on other folds,
compete together by their mean, so that no run wins because its seed or fold was lucky. A repeat that
collapsed counts in it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.analysis import health
from core.analysis.expected import whole
from core.analysis.values import is_ours, not_a_fraction, number, text, validation_accuracy
from core.architectures import architectures
from core.config import ExperimentConfig
from core.tracking import schema

# Settings in which repeats of one experiment may differ: they change its luck or its place, not its method.
REPEATED = ("name", "seed", "data.fold", "training.device", "training.images_on_device")
SPLIT_SETTINGS = ("data.validation_fraction", "data.split_seed", "data.folds", "data.fold")
OPTIONS = "model.options."
PER_REPEAT = re.compile(r"( · fold \d+ of \d+)?( · seed \d+)?$")  # what a group adds to the names of its runs

FINGERPRINT, SPLIT, EVALUATION = (
    f"params.{name}" for name in (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)
)
KEEP_TOGETHER = "params.data.keep_together"
# The columns of the runs by which it is decided.
DECIDING = (
    "run_id",
    "name",
    "params.data.name",
    *(f"params.{name}" for name in SPLIT_SETTINGS),
    KEEP_TOGETHER,
    FINGERPRINT,
    SPLIT,
    EVALUATION,
    *health.COLUMNS,
)

DEFAULTS = {name: str(value) for name, value in ExperimentConfig().flat().items()}


@dataclass(frozen=True)
class Basis:
    """The images that a score was measured on. Scores are ranked only within one basis.

    fingerprint: of the dataset's version; empty when it was not logged. splits: the fingerprints of the
    validation and test images of all runs that a score is the mean of, several for folds; of runs that did
    not log it that of their whole split, or its settings. how: the split in words.
    """

    dataset: str
    fingerprint: str
    splits: frozenset[str]
    how: str = field(compare=False, default="")


@dataclass(frozen=True)
class Competitor:
    """One run, or all finished repeats of one experiment.

    run_ids: newest first. validation, test: mean accuracies from 0 to 1; NaN without a test set. The `_std`
    are sample standard deviations, NaN for one run. learned_nothing: how many of `run_ids` predict one class
    only or are at chance level; they count in the means. Repeats that do not: unfinished failed or were
    cancelled, unranked finished but are excluded for another reason, waiting have still to end.
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
    """competitors: the newest first. excluded: finished runs that do not compete, and why."""

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
    """Decide which finished runs compete with which. runs: as `frames.runs` gives them, newest first."""
    ended = runs[runs["status"].isin(schema.ENDED)]
    excluded: dict[str, str] = {}
    finished: dict[Hashable, list[dict[str, Any]]] = {}
    unfinished, unranked = Counter[Hashable](), Counter[Hashable]()
    rows = ended.loc[:, [name for name in DECIDING if name in ended]].to_dict("records")
    early = Counter[Hashable]()  # ended before their images were known, by all other settings
    on_any_images: dict[Hashable, Hashable] = {}
    for key, other, row in zip(experiments(ended), experiments(ended, False), rows, strict=True):
        on_any_images[key] = other
        if row["status"] != schema.FINISHED and _images_unknown(row):
            early[other] += 1
        elif row["status"] != schema.FINISHED:
            unfinished[key] += 1
        elif (reason := _unfit(row)) is not None:
            excluded[row["run_id"]] = reason
            unranked[key] += 1
        else:
            finished.setdefault(key, []).append(row)
    waiting, beginning = _active(runs[runs["status"].isin(schema.ACTIVE)])
    competitors, evaluations = [], evaluations_of(rows)
    for key, repeats in finished.items():
        nothing = {row["run_id"]: reason for row in repeats if (reason := _learned_nothing(row)) is not None}
        if len(nothing) == len(repeats):
            excluded |= nothing
        else:
            failed = unfinished[key] + early.pop(on_any_images[key], 0)  # of several versions: the newest
            to_end = waiting[key] + beginning.pop(on_any_images[key], 0)
            competitors.append(_competitor(repeats, evaluations, len(nothing), failed, unranked[key], to_end))
    return Comparison(tuple(competitors), excluded)


def _active(runs: pd.DataFrame) -> tuple[Counter[Hashable], Counter[Hashable]]:
    """How many runs have still to end: those whose images are known, and the others by all other settings."""
    known, beginning = Counter[Hashable](), Counter[Hashable]()
    rows = runs.loc[:, [name for name in DECIDING if name in runs]].to_dict("records")
    for key, other, row in zip(experiments(runs), experiments(runs, False), rows, strict=True):
        if _images_unknown(row):
            beginning[other] += 1
        else:
            known[key] += 1
    return known, beginning


def why_not(run: Mapping[str, Any]) -> str | None:
    """Return why a finished run alone cannot be the best of anything, in a sentence; None when it can.

    One that learned nothing still counts in the mean of an experiment of which another repeat learned.
    """
    return _unfit(run) or _learned_nothing(run)


def _unfit(run: Mapping[str, Any]) -> str | None:
    """Why a run's accuracy cannot be compared with others, whether it is good or bad."""
    if run.get("params.schedule.name") == "range_test":
        return "It tried learning rates only and has no result."
    if text(run, "params.data.name") is None:
        return "It does not say which dataset it used."
    if not is_ours(run) and None in (text(run, FINGERPRINT), text(run, SPLIT)):
        return "Another program logged it, without saying which images it was trained and validated on."
    accuracy = validation_accuracy(run)
    if math.isnan(accuracy):
        return "It has no validation accuracy to be ranked by."
    if (reason := not_a_fraction("validation accuracy", accuracy)) is not None:
        return reason
    return _trouble(run, (health.LEAK,))


def _learned_nothing(run: Mapping[str, Any]) -> str | None:
    return _trouble(run, health.LEARNED_NOTHING)


def _trouble(run: Mapping[str, Any], kinds: Collection[str]) -> str | None:
    return next((one.sentence for one in health.troubles(run) if one.kind in kinds), None)


def evaluations_of(runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str | None, str], str]:
    """The evaluation fingerprint of every split, by version and split fingerprint, as far as a run logged it.

    By it an older run, which logged only its split, is known to have the images of a newer one.
    """
    return {
        (text(run, FINGERPRINT), split): evaluation
        for run in runs
        if (split := text(run, SPLIT)) and (evaluation := text(run, EVALUATION))
    }


def basis_of(run: Mapping[str, Any], evaluations: Mapping[tuple[str | None, str], str]) -> Basis:
    """The images that one run was measured on, by the most exact thing that is known of them.

    evaluations: of the runs that it is compared with (`evaluations_of`).
    """
    split = text(run, SPLIT)
    if split is not None:
        split = text(run, EVALUATION) or evaluations.get((text(run, FINGERPRINT), split), split)
    else:
        split = " ".join(normal(run.get(f"params.{name}"), DEFAULTS[name]) for name in SPLIT_SETTINGS)
    dataset, fingerprint = text(run, "params.data.name") or "", text(run, FINGERPRINT) or ""
    return Basis(dataset, fingerprint, frozenset([split]), split_in_words([run]))


def split_in_words(runs: list[Mapping[str, Any]]) -> str:
    """The split of repeats of one experiment, as their settings describe it."""
    first = runs[0]
    together = ", near duplicates together" if text(first, KEEP_TOGETHER) == "near" else ""
    folds = whole(first.get("params.data.folds"))
    seed = normal(first.get("params.data.split_seed"), DEFAULTS["data.split_seed"])
    if folds:
        used = sorted({whole(run.get("params.data.fold")) + 1 for run in runs})
        every = "both folds" if folds == 2 else f"all {folds} folds"
        which = every if len(used) == folds else f"fold {_listed(used)} of {folds}"
        return f"{which}, split seed {seed}{together}"
    fraction = number(first, "params.data.validation_fraction", float(DEFAULTS["data.validation_fraction"]))
    return f"{fraction:.0%} held out, split seed {seed}{together}"


def experiments(runs: pd.DataFrame, same_images: bool = True) -> list[Hashable]:
    """A key for each run that repeats of one experiment share.

    It holds all settings but those in `REPEATED`, with defaults filled in and numbers in one spelling.
    same_images: repeats also share the version of the dataset and, without folds, the split.
    """
    settings = {}
    for column in runs.columns:
        name = column.removeprefix("params.")
        images = (schema.SPLIT, schema.EVALUATION) + (() if same_images else (schema.FINGERPRINT,))
        if column.startswith("params.") and name not in (*REPEATED, *images):
            values = runs[column].fillna(default_of(name, runs)).fillna("")
            settings[name] = values.map({value: normal(value) for value in values.unique()})
    folds = runs.get("params.data.folds", pd.Series("0", index=runs.index)).fillna("0")
    split = runs.get(SPLIT, pd.Series(index=runs.index, dtype=object))
    # Folds are repeats. Where no split was logged, an older version ran: those runs are averaged apart.
    if same_images:
        settings["split"] = split.where((folds == "0") | split.isna(), "logged").fillna("")
    for tag in (schema.NUMBER, schema.EXTENDS):
        settings[tag] = runs.get(f"tags.{tag}", pd.Series(index=runs.index, dtype=object)).notna()
    return list(zip(*settings.values(), strict=True))


def default_of(setting: str, runs: pd.DataFrame) -> Any:
    """What a setting is where a run does not say it: one value, or one for each run's architecture."""
    if not setting.startswith(OPTIONS):
        return DEFAULTS.get(setting, "")
    models = runs.get("params.model.name", pd.Series(index=runs.index, dtype=object))
    return models.map({model: default_options(model).get(setting, "") for model in models.dropna().unique()})


def default_options(model: str) -> dict[str, str]:
    """The options of a registered architecture by their dotted setting; none for an unknown one."""
    if model not in architectures.names():
        return {}
    return {f"{OPTIONS}{option.name}": str(option.default) for option in architectures.get(model).options}


def differences(runs: pd.DataFrame) -> list[str]:
    """Why some runs cannot be ranked against each other, in sentences; none when they can.

    runs: rows of `frames.runs` that somebody looks at together, whatever their state.
    """
    given = runs.loc[:, [name for name in DECIDING if name in runs]].to_dict("records")
    rows = [row for row in given if row["status"] == schema.FINISHED or not _images_unknown(row)]
    silent = sum(text(row, "params.data.name") is None for row in rows)
    evaluations = evaluations_of(rows)
    known = [basis_of(row, evaluations) for row in rows if text(row, "params.data.name") is not None]
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


def _images_unknown(run: Mapping[str, Any]) -> bool:
    """Whether a run of ours has not logged its images: it waits, or ended before it began to train."""
    return is_ours(run) and text(run, FINGERPRINT) is None


def normal(value: Any, default: str = "") -> str:
    """A setting's value in one spelling: `1e-3` and `0.0010` alike, `True` and `true` too."""
    given = value if isinstance(value, str) else default
    try:
        return f"{float(given):.12g}"
    except ValueError:
        return given.lower() if given.lower() in ("true", "false") else given


def _competitor(
    repeats: list[dict[str, Any]],
    evaluations: Mapping[tuple[str | None, str], str],
    learned_nothing: int,
    unfinished: int,
    unranked: int,
    waiting: int,
) -> Competitor:
    bases = [basis_of(run, evaluations) for run in repeats]
    splits = frozenset().union(*(basis.splits for basis in bases))
    by_split = pd.DataFrame(
        {
            "split": [next(iter(basis.splits)) for basis in bases],
            "validation": [validation_accuracy(run) for run in repeats],
            "test": [_test_accuracy(run) for run in repeats],
        }
    )
    means = by_split.groupby("split")[["validation", "test"]].mean().mean()  # every fold counts alike
    deviations = by_split[["validation", "test"]].std()
    return Competitor(
        name=experiment_name(str(repeats[0]["name"])) if len(repeats) > 1 else str(repeats[0]["name"]),
        run_ids=tuple(run["run_id"] for run in repeats),
        basis=Basis(bases[0].dataset, bases[0].fingerprint, splits, split_in_words(list(repeats))),
        validation=float(means["validation"]),
        validation_std=float(deviations["validation"]),
        test=float(means["test"]),
        test_std=float(deviations["test"]),
        learned_nothing=learned_nothing,
        unfinished=unfinished,
        unranked=unranked,
        waiting=waiting,
    )


def experiment_name(run_name: str) -> str:
    """The name of an experiment, from that of one of its repeats."""
    return PER_REPEAT.sub("", run_name)


def repeat_name(run_name: str) -> str:
    """Which repeat of its experiment a run is, by its name: `fold 1 of 5 · seed 0`; empty for none."""
    found = PER_REPEAT.search(run_name)
    return found.group().removeprefix(" · ") if found else ""


def _test_accuracy(run: Mapping[str, Any]) -> float:
    accuracy = number(run, "metrics.test_accuracy")
    return math.nan if not_a_fraction("", accuracy) else accuracy


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _counted(things: Mapping[str, int]) -> str:
    return ", ".join(f"{thing} ({count} run{'' if count == 1 else 's'})" for thing, count in things.items())
