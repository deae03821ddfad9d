"""Labels that are probably wrong, by what models predict for images that they were not trained on.

Confident learning (C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 2021; the library cleanlab) marks an image for one model. What one model marks is often only
hard for it; the more models mark an image, the surer its label is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.analysis.mistakes import probabilities


@dataclass(frozen=True)
class OutOfSample:
    """What one model predicts for images that it was not trained on; each image once.

    Attributes:
        images: int64 `(n,)`, ascending, their places in the dataset.
        labels: int64 `(n,)`.
        probabilities: float64 `(n, k)`.
    """

    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


def put_together(tables: Sequence[pd.DataFrame]) -> OutOfSample:
    """Join predictions for validation and test images, of one run or of the folds of one experiment.

    Of an image that several tables have, as the test images of every fold, the probabilities are averaged.

    Raises:
        ValueError: There are no probabilities, or the tables disagree about classes or labels.
    """
    given = [probabilities(table).astype("float64") for table in tables]
    if not given or not all(one.size for one in given):
        raise ValueError("there are no predictions")
    if len({one.shape[1] for one in given}) > 1:
        raise ValueError("the predictions have different classes")
    index = np.concatenate([table["index"].to_numpy(dtype="int64") for table in tables])
    labels = np.concatenate([table["label"].to_numpy(dtype="int64") for table in tables])
    images, first, place, counts = np.unique(
        index, return_index=True, return_inverse=True, return_counts=True
    )
    if (labels != labels[first][place]).any():
        raise ValueError("the predictions have different labels for one image")
    total = np.zeros((len(images), given[0].shape[1]))
    np.add.at(total, place, np.concatenate(given))
    return OutOfSample(images, labels[first], total / counts[:, None])


def with_common_labels(models: Sequence[OutOfSample]) -> list[OutOfSample]:
    """Return models with the label of each image that most of them were given; of equally many the smallest.

    A label that was edited between two runs is doubted once, and not twice with different labels.
    """
    if not models:
        return []
    images = np.concatenate([one.images for one in models])
    labels = np.concatenate([one.labels for one in models])
    given, counts = np.unique(np.stack([images, labels], axis=1), axis=0, return_counts=True)
    order = np.lexsort((given[:, 1], -counts, given[:, 0]))
    known, first = np.unique(given[order, 0], return_index=True)
    common = given[order[first], 1]
    return [replace(one, labels=common[np.searchsorted(known, one.images)]) for one in models]


def suspects(models: Sequence[OutOfSample]) -> pd.DataFrame:
    """Find images whose label is probably wrong, those first that most models mark.

    Returns:
        Rows of index, label, proposed (the class that the models that mark it find most probable), models
        (how many mark it), of (how many predicted it) and confidence (their mean probability of the proposed
        class). Of equally many models the most confident come first.
    """
    classes = max((one.probabilities.shape[1] for one in models), default=0)
    images = np.unique(np.concatenate([one.images for one in models])) if models else np.array([], "int64")
    labels = np.zeros(len(images), "int64")
    marks, seen = np.zeros(len(images), "int64"), np.zeros(len(images), "int64")
    marked = np.zeros((len(images), classes))
    for one in models:
        places = np.searchsorted(images, one.images)
        labels[places] = one.labels
        seen[places] += 1
        found = issues(one)
        marks[places[found]] += 1
        marked[places[found]] += one.probabilities[found]
    shown = np.flatnonzero(marks)
    marked[shown, labels[shown]] = -1  # the label itself is never what is proposed
    proposed = marked[shown].argmax(axis=1) if classes else shown
    table = pd.DataFrame(
        {
            "index": images[shown],
            "label": labels[shown],
            "proposed": proposed,
            "models": marks[shown],
            "of": seen[shown],
            "confidence": marked[shown, proposed] / marks[shown],
        }
    )
    return table.sort_values(
        ["models", "confidence", "index"], ascending=[False, False, True], ignore_index=True
    )


def issues(model: OutOfSample) -> np.ndarray:
    """Return which images confident learning marks for one model: bool `(n,)`.

    They are marked by the joint estimate of given and true labels and by the noise rate of their class alike,
    which finds slightly fewer wrong labels than either alone, and marks fewer right ones.
    """
    from cleanlab.filter import find_label_issues  # seconds of import, with scikit-learn

    if len(np.unique(model.labels)) < 2:
        return np.zeros(len(model.labels), bool)
    found = find_label_issues(model.labels, model.probabilities, filter_by="both", n_jobs=1)
    return np.asarray(found, bool) & (model.probabilities.argmax(axis=1) != model.labels)


@dataclass(frozen=True)
class Correction:
    """Accuracies of models on some images as labelled, without some of them, and with labels corrected.

    Attributes:
        names: Of the models, in their order by accuracy as labelled.
        given: Accuracies from 0 to 1, float `(models,)`, as `without`, and `corrected` where labels were.
        removed: How many images are missing in `without`, and `relabelled` how many have another label.
    """

    names: tuple[str, ...]
    given: np.ndarray
    without: np.ndarray
    corrected: np.ndarray | None
    images: int
    removed: int
    relabelled: int


def correction(
    predicted: Mapping[str, np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    doubted: np.ndarray,
    left_out: np.ndarray,
    new_labels: Mapping[int, int],
) -> Correction:
    """Measure the accuracies of models again, without suspect images and with corrected labels.

    Args:
        predicted: The predicted class of each image by each run of a model, int `(runs, n)`, by the model's
            name.
        images: int64 `(n,)`, their places in the dataset; labels: int64 `(n,)`, as given.
        doubted: Places of the images that `without` leaves out.
        left_out: Places of those that a person left out, which `corrected` leaves out.
        new_labels: By place, the classes that a person gave instead.
    """
    rest, kept = ~np.isin(images, doubted), ~np.isin(images, left_out)
    now = [
        new_labels.get(image, label) for image, label in zip(images.tolist(), labels.tolist(), strict=True)
    ]
    better = np.array(now, "int64")
    relabelled = better != labels

    def accuracies(of: np.ndarray, on: np.ndarray) -> np.ndarray:
        right = [np.atleast_2d(one)[:, on] == of[on] for one in predicted.values()]
        return np.array([one.mean() if on.any() else np.nan for one in right])

    given = accuracies(labels, np.ones(len(images), bool))
    order = np.argsort(-given, kind="stable")
    edited = bool((~kept).any() or relabelled.any())
    names = list(predicted)
    return Correction(
        names=tuple(names[place] for place in order),
        given=given[order],
        without=accuracies(labels, rest)[order],
        corrected=accuracies(better, kept)[order] if edited and kept.any() else None,
        images=len(images),
        removed=int((~rest).sum()),
        relabelled=int((relabelled & kept).sum()),
    )


def ranking_words(found: Correction) -> str:
    """Say whether the ranking of the models changes, in a sentence."""
    if not found.removed and found.corrected is None:
        return "No test image is marked by more than half of the models: the accuracies stay as they are."
    after, how = found.without, f"without {_images(found.removed, 'suspect test image')}"
    if found.corrected is not None:
        after, how = found.corrected, "with your corrections of test images"
    if len(found.names) < 2:
        return f"{found.names[0]}: {found.given[0]:.2%} as labelled, {after[0]:.2%} {how}."
    same = np.argsort(-after, kind="stable").tolist() == list(range(len(after)))
    best = int(np.argmax(after))
    if same:
        return (
            f"The ranking stays the same {how}: {found.names[0]} is first with {after[0]:.2%} instead of "
            f"{found.given[0]:.2%}."
        )
    if best == 0:
        return f"{found.names[0]} stays first {how}, with {after[0]:.2%}; the order of the others changes."
    return (
        f"The ranking changes {how}: {found.names[best]} is first with {after[best]:.2%}, before "
        f"{found.names[0]} with {after[0]:.2%}."
    )


def _images(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
