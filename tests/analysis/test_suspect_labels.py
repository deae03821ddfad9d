"""Wrong labels are found by the predictions of models, and what they do to the ranking is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from core.analysis.suspect_labels import correction, put_together, ranking_words, suspects


def table(images: np.ndarray, labels: np.ndarray, given: np.ndarray) -> pd.DataFrame:
    columns = {f"p{place}": given[:, place] for place in range(given.shape[1])}
    return pd.DataFrame({"index": images, "label": labels, "source_name": "", **columns})


def test_swapped_labels_of_digits_are_found_and_their_classes_proposed() -> None:
    """5 % of the labels are swapped; three models predict each image from three folds of four."""
    pixels, true = load_digits(return_X_y=True)
    draws = np.random.default_rng(0)
    wrong = draws.choice(len(true), len(true) // 20, replace=False)
    labels = true.copy()
    labels[wrong] = (true[wrong] + draws.integers(1, 10, len(wrong))) % 10
    folds = np.array_split(draws.permutation(len(true)), 4)
    nearest = KNeighborsClassifier(15, weights="distance", algorithm="brute")
    models = []
    for model in (
        nearest,
        ExtraTreesClassifier(60, max_features=12, random_state=0),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3),
    ):
        given = cross_val_predict(model, pixels / 16, labels, cv=4, method="predict_proba")
        models.append(put_together([table(fold, labels[fold], given[fold]) for fold in folds]))
    found = suspects(models)
    assert (found["of"] == 3).all()
    assert found["models"].is_monotonic_decreasing
    agreed, every = found[found["models"] >= 2], found[found["models"] == 3]
    assert np.isin(agreed["index"], wrong).mean() > 0.85  # precision; one model alone has 0.62 to 0.96
    assert np.isin(wrong, agreed["index"]).mean() > 0.75
    assert np.isin(every["index"], wrong).mean() > 0.95
    are_wrong = agreed[np.isin(agreed["index"], wrong)]
    assert (are_wrong["proposed"] == true[are_wrong["index"]]).mean() > 0.95
    given = cross_val_predict(nearest, pixels / 16, true, cv=4, method="predict_proba")
    assert len(suspects([put_together([table(np.arange(len(true)), true, given)])])) < 40


def test_an_image_of_several_tables_has_their_mean_and_tables_must_agree() -> None:
    first = table(np.array([3, 5]), np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]]))
    second = table(np.array([5, 9]), np.array([1, 1]), np.array([[0.2, 0.8], [0.5, 0.5]]))
    found = put_together([first, second])
    assert found.images.tolist() == [3, 5, 9]
    assert found.probabilities[1] == pytest.approx([0.3, 0.7])
    with pytest.raises(ValueError, match="different labels for one image"):
        put_together([first, second.assign(label=0)])
    with pytest.raises(ValueError, match="no predictions"):
        put_together([])
    assert suspects([]).empty


def test_accuracies_without_suspects_and_with_corrected_labels_and_the_ranking_by_them() -> None:
    images, labels = np.arange(10, 20), np.zeros(10, int)
    predicted = {"a": labels.copy(), "b": labels.copy(), "c": labels.copy()}
    predicted["a"][:1], predicted["b"][:2], predicted["c"][:4] = 1, 1, 1
    found = correction(predicted, images, labels, np.array([10, 11]), np.array([]), {})
    assert found.given.tolist() == [0.9, 0.8, 0.6]
    assert found.without == pytest.approx([1, 1, 6 / 8])
    assert found.corrected is None
    assert ranking_words(found) == (
        "The ranking stays the same without 2 suspect test images: a is first with 100.00% instead of 90.00%."
    )
    found = correction(predicted, images, labels, np.array([10, 11]), np.array([12]), {10: 1, 11: 1, 99: 1})
    assert found.corrected == pytest.approx([8 / 9, 1, 8 / 9])
    assert found.relabelled == 2
    assert ranking_words(found) == (
        "The ranking changes with your corrections of test images: b is first with 100.00%, before a with "
        "88.89%."
    )
    alone = correction({"a": predicted["a"]}, images, labels, np.array([10]), np.array([]), {})
    assert ranking_words(alone) == "a: 90.00% as labelled, 100.00% without 1 suspect test image."
