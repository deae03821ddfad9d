"""The images that scores were measured on: only scores on the same ones are ranked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from core.analysis.experiments import DEFAULTS, normal
from core.tracking import schema
from core.tracking.run import Run, runs_of

SPLIT_SETTINGS = ("data.validation_fraction", "data.split_seed", "data.folds", "data.fold")
# What is read of each run.
COLUMNS = (
    "run_id",
    "status",
    f"tags.{schema.NUMBER}",
    *(f"params.{name}" for name in ("data.name", "data.keep_together", *SPLIT_SETTINGS)),
    *(f"params.{name}" for name in (schema.FINGERPRINT, schema.SPLIT, schema.EVALUATION)),
)


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


def fingerprint_of(run: Run) -> str:
    """The fingerprint of the dataset's version; empty where it was not logged."""
    return run.params.get(schema.FINGERPRINT, "")


def split_of(run: Run) -> str:
    """The fingerprint of the split; empty where it was not logged."""
    return run.params.get(schema.SPLIT, "")


def evaluations_of(runs: Iterable[Run]) -> dict[tuple[str, str], str]:
    """Return the evaluation fingerprint of every version and split of which a run logged it.

    By it an older run, which logged only its split, is known to have the images of a newer one.
    """
    return {
        (fingerprint_of(run), split_of(run)): evaluation
        for run in runs
        if split_of(run) and (evaluation := run.params.get(schema.EVALUATION))
    }


def basis_of(run: Run, evaluations: Mapping[tuple[str, str], str]) -> Basis:
    """Return the images that one run was measured on, by the most exact thing that is known of them.

    Args:
        evaluations: Of the runs that it is compared with (`evaluations_of`).
    """
    fingerprint, split = fingerprint_of(run), split_of(run)
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


def differences(runs: pd.DataFrame) -> list[str]:
    """Say why runs cannot be ranked against each other, in sentences; none when they can.

    Args:
        runs: Rows of `frames.runs` that are shown together, in any state.
    """
    given = runs_of(runs.loc[:, [name for name in COLUMNS if name in runs]])
    rows = [run for run in given if run.status == schema.FINISHED or not images_unknown(run)]
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


def images_unknown(run: Run) -> bool:
    """Whether a run of ours has not logged its images: it waits, or ended before it began to train."""
    return run.is_ours and not fingerprint_of(run)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _counted(things: Mapping[str, int]) -> str:
    return ", ".join(f"{thing} ({count} run{'' if count == 1 else 's'})" for thing, count in things.items())
