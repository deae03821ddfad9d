"""Scores of probabilities, on cases that can be worked out by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from core.analysis.scores import expected_calibration_error, per_class, scores

# Two of class 0 and one of class 1 are answered rightly; one of class 1 is taken for class 0.
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
LABELS = np.array([0, 0, 1, 1])


def test_scores_by_hand() -> None:
    found = scores(PROBABILITIES, LABELS)
    assert found["test_balanced_accuracy"] == pytest.approx((1 + 0.5) / 2)
    # F1 is 2 TP / (2 TP + FP + FN)
    assert found["test_macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found["test_predicted_classes"] == 2
    assert found["test_roc_auc"] == 1.0  # every 0 is ranked above every 1
    # Each answer is in a bin of its own: confidences 0.9, 0.8, 0.7 right and 0.6 wrong.
    assert found["test_ece"] == pytest.approx((0.1 + 0.2 + 0.3 + 0.6) / 4)


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_are_those_of_scikit_learn(classes: int) -> None:
    """With ties, with a class that is never predicted, and with classes of very different sizes."""
    generator = np.random.default_rng(3)
    labels = np.minimum(generator.geometric(0.4, 300) - 1, classes - 1)
    drawn = generator.dirichlet(np.ones(classes), 300) + 0.3 * np.eye(classes)[labels]
    probabilities = np.round(drawn, 1).astype("float32")  # equal values in every column
    probabilities[:, -1] = 0
    answers = probabilities.argmax(axis=1)
    assert classes - 1 not in answers
    found = scores(probabilities, labels)
    assert found["test_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, answers))
    assert found["test_macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))
    areas = [roc_auc_score(labels == one, probabilities[:, one]) for one in range(classes)]
    assert found["test_roc_auc"] == pytest.approx(np.mean(areas))


def test_no_training_waits_for_an_import_of_scikit_learn() -> None:
    code = (
        "import sys, numpy; from core.analysis.scores import scores; "
        "scores(numpy.eye(3), numpy.arange(3)); print([name for name in sys.modules if 'sklearn' in name])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_calibration_compares_within_a_bin() -> None:
    """Four answers at 0.75, three of them right: nothing is missing."""
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert expected_calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0)
    assert expected_calibration_error(probabilities, np.zeros(4, int)) == pytest.approx(0.25)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    """Bins are (a, b], as in arXiv:1706.04599: 0.5 and 0.375 share (0.25, 0.5], where their gaps add up."""
    on_the_edge = np.array([[0.5, 0.25, 0.25, 0.0], [0.375, 0.3125, 0.3125, 0.0]])
    labels = np.array([0, 1])  # right and wrong: gaps of -0.5 and 0.375
    assert expected_calibration_error(on_the_edge, labels, bins=4) == pytest.approx((0.5 - 0.375) / 2)
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert expected_calibration_error(certain, np.array([0, 0]), bins=4) == pytest.approx((1 - 0) / 2)


def test_classes_without_images_count_nowhere() -> None:
    three = np.concatenate([PROBABILITIES, np.zeros((4, 1))], axis=1)
    assert scores(three, LABELS) == pytest.approx(scores(PROBABILITIES, LABELS))
    assert "test_roc_auc" not in scores(PROBABILITIES[:2], LABELS[:2])


def test_by_class() -> None:
    three = np.concatenate([PROBABILITIES, np.zeros((4, 1))], axis=1)
    table = per_class(three, LABELS, ["cat", "dog", "none"])
    assert table["class"].tolist() == ["cat", "dog", "none"]
    assert table["precision"].tolist()[:2] == [pytest.approx(2 / 3), 1]
    assert table["recall"].tolist()[:2] == [1, 0.5]
    assert table["images"].tolist() == [2, 2, 0]
    assert table["taken for"].tolist() == [None, "cat (1)", None]
    assert table.loc[2, ["precision", "recall", "f1"]].isna().all()
