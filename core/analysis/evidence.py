"""What a comparison of models stands on: which test images each run got right, of runs tested on the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.basis import fingerprint_of, split_of
from core.analysis.entries import Entry
from core.analysis.evaluated_images import Answers, EvaluatedImages, ImportOf, evaluated_images, import_of_run
from core.analysis.values import validation_accuracy
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run

# What is read of each run, beside its test predictions.
KEYS = (
    "data.name",
    "data.fold",
    "data.folds",
    "schedule.name",
    "seed",
    "training.keep",
    "val_accuracy",
    "best_val_accuracy",
    "test_accuracy",
    "validation_images",
    "test_images",
    schema.FINGERPRINT,
    schema.SPLIT,
    schema.LEAK,
    schema.NUMBER,
    schema.ARCHIVED,
)


@dataclass(frozen=True, eq=False)
class Measured:
    """One entry of a comparison with its answers.

    Attributes:
        right: bool `(images, runs)`, in the order of `run_ids`.
        seeds: Of each run, as it was logged.
        folds: Of each run that validates on a fold, its split and seed; empty for none.
        folds_of: How many folds a cross-validation had; 0 for none.
        validation: Accuracy of each run from 0 to 1, NaN where it logged none.
        validation_images: The fewest that a run was validated on; None where one did not log it.
    """

    key: str
    name: str
    run_ids: tuple[str, ...]
    right: np.ndarray
    seeds: tuple[str, ...]
    folds: tuple[tuple[str, str], ...]
    folds_of: int
    validation: np.ndarray
    validation_images: float | None = None

    @property
    def accuracy(self) -> float:
        """On the test images; the mean of the runs."""
        return float(self.right.mean())


@dataclass(frozen=True)
class Evidence:
    """Entries that were tested on the same images.

    Attributes:
        dataset: Its name.
        versions: Fingerprints of the versions of it that the runs had; they differ where images that are not
            test images were edited.
        evaluated_images: The test images.
        images: How many test images.
        left_out: Why other entries are not among them, a sentence each.
    """

    tested: tuple[Measured, ...]
    dataset: str
    versions: frozenset[str]
    evaluated_images: EvaluatedImages
    images: int
    left_out: tuple[str, ...]


def gather(
    entries: Sequence[Entry], runs: Mapping[str, Run], read: Callable[[str], Answers], import_of: ImportOf
) -> Evidence:
    """Read the answers of entries, and keep those of the test images that most of them share.

    Two runs have the same test images when these are the same rows of one import, with the same labels. Other
    images, and their labels, may have been edited between the runs: their training sets then differ.

    Args:
        runs: By id, with `KEYS`.
        read: Returns the answers of a run; raises FileNotFoundError, DamagedArtifact, ValueError.
    """
    found: list[tuple[EvaluatedImages, Measured, Run, Answers]] = []
    left_out = []
    for entry in entries:
        try:
            images, tested, answers = _tested(entry, runs, read, import_of)
        except _NotTested as reason:
            left_out.append(f"{entry.name} is left out: {reason}.")
        else:
            found.append((images, tested, runs[tested.run_ids[0]], answers))
    if not found:
        return Evidence((), "", frozenset(), EvaluatedImages("", ""), 0, tuple(left_out))
    usual = Counter(images for images, *_ in found).most_common(1)[0][0]
    kept = tuple(tested for images, tested, *_ in found if images == usual)
    first, usual_answers = next((run, answers) for images, _, run, answers in found if images == usual)
    for images, tested, run, answers in found:
        if images != usual:
            rows_are_known = images.imported == usual.imported
            why = _why_others(run, answers, first, usual_answers, rows_are_known)
            left_out.append(f"{tested.name} is left out: {why}.")
    versions = frozenset(fingerprint_of(runs[run_id]) for one in kept for run_id in one.run_ids)
    return Evidence(kept, first.dataset or "", versions, usual, len(usual_answers.images), tuple(left_out))


def _why_others(run: Run, answers: Answers, first: Run, usual: Answers, rows_are_known: bool) -> str:
    """Say how the test images of a run differ from those of the first one that is compared.

    Args:
        rows_are_known: Whether both are rows of the same import.
    """
    if rows_are_known and np.array_equal(answers.images, usual.images):
        if answers.classes != usual.classes:
            return f"its test images have {answers.classes} classes, not {usual.classes}"
        changed = int((answers.labels != usual.labels).sum())
        have = "has" if changed == 1 else "have"
        return f"{changed:,} of its {len(answers.images):,} test images {have} another label"
    what = f"version {fingerprint_of(run)[:8]} of " if run.dataset == first.dataset else ""
    return f"it was tested on other images ({what}{run.dataset}, {len(answers.images):,} images)"


class _NotTested(Exception):
    """Why an entry has no answers to compare, without its name and full stop."""


def _tested(
    entry: Entry, runs: Mapping[str, Run], read: Callable[[str], Answers], import_of: ImportOf
) -> tuple[EvaluatedImages, Measured, Answers]:
    """Return an entry's test images, and its answers, those of its first run too. Raises _NotTested."""
    members = [runs[run_id] for run_id in entry.run_ids if run_id in runs]
    if members and all(run.archived for run in members):
        raise _NotTested("it is archived")
    members = [run for run in members if not run.archived]
    ended = [run for run in members if run.status == schema.FINISHED and not run.is_range_test]
    if not ended:
        raise _NotTested("it has no finished run")
    answers: dict[str, Answers] = {}
    reasons: list[str] = []
    for run in ended:
        if leak := run.tags.get(schema.LEAK):
            reasons.append(leak.rstrip("."))
            continue
        if not fingerprint_of(run):
            reasons.append("it does not say which images it was tested on")
            continue
        try:
            answers[run.run_id] = read(run.run_id)
        except FileNotFoundError:
            reasons.append("it has no test predictions")
        except (DamagedArtifact, ValueError) as error:
            reasons.append(str(error).rstrip("."))
    if not answers:
        raise _NotTested(reasons[0])
    used = [run for run in ended if run.run_id in answers]
    identities = {evaluated_images(import_of_run(run, import_of), answers[run.run_id]) for run in used}
    if len(identities) > 1:
        raise _NotTested("its runs were tested on different images")
    folds_of = {run.whole_setting("data.folds") for run in used}
    k = folds_of.pop() if len(folds_of) == 1 else 0
    accuracies = [validation_accuracy(run) for run in used]
    validated = [run.metrics.get("validation_images", 0.0) for run in used]
    measured = Measured(
        key=entry.key,
        name=entry.name,
        run_ids=tuple(answers),
        right=np.stack([answers[run.run_id].right for run in used], axis=1),
        seeds=tuple(run.params.get("seed", "") for run in used),
        folds=tuple((split_of(run), run.params.get("seed", "")) for run in used) if k else (),
        folds_of=k,
        validation=np.array([np.nan if one is None else one for one in accuracies]),
        validation_images=min(validated) if 1 <= min(validated) < math.inf else None,
    )
    return identities.pop(), measured, answers[used[0].run_id]
