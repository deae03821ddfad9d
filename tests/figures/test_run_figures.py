"""The figures of a run's evaluation hold what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from core.analysis.confidence import Reliability, coverage, reliability, top_k
from core.figures import class_curves, confidence, confusion
from core.figures.style import run_style

MATRIX = np.array([[5, 1, 0], [2, 4, 0], [0, 0, 3]])
CLASSES = ["cat", "<dog>", "elk"]


def test_a_matrix_is_drawn_in_the_order_asked_for_and_a_click_finds_its_cell() -> None:
    order = np.array([2, 0, 1])
    figure = confusion.draw(MATRIX, CLASSES, order, marked=(1, 0))
    heat = figure.data[0]
    assert heat.x == heat.y == ("elk", "cat", "&lt;dog&gt;")
    assert heat.customdata.tolist() == [[3, 0, 0], [0, 5, 1], [0, 2, 4]]
    assert heat.z.tolist()[1] == pytest.approx([0, 5 / 6, 1 / 6])
    assert confusion.cell_at([2, 1], order) == (1, 0)  # the cell of the 2, which is outlined
    (outline,) = figure.layout.shapes
    assert (outline.x0, outline.y0) == (0.5, 1.5)


def test_cells_show_counts_or_shares_and_empty_ones_nothing() -> None:
    texts = [text for trace in confusion.draw(MATRIX, CLASSES).data[1:] for text in trace.text]
    assert sorted(texts) == ["1", "2", "3", "4", "5"]
    texts = [text for trace in confusion.draw(MATRIX, CLASSES, shares=True).data[1:] for text in trace.text]
    assert sorted(texts) == ["100%", "17%", "33%", "67%", "83%"]


def test_a_hundred_classes_have_no_numbers_in_their_cells() -> None:
    figure = confusion.draw(np.eye(100, dtype=int), [f"class {one}" for one in range(100)])
    assert len(figure.data) == 1


def test_a_difference_says_which_model_has_more_images_in_a_cell() -> None:
    figure = confusion.draw_difference(MATRIX, MATRIX.T, CLASSES)
    assert figure.data[0].z.tolist() == [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]
    assert sorted(text for trace in figure.data[1:] for text in trace.text) == ["+1", "-1"]


def test_curves_of_classes_agree_with_scikit_learn_and_the_hardest_comes_first() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 400)
    given = generator.dirichlet(np.ones(4), 400) + 0.3 * np.eye(4)[labels]  # no image of the fourth class
    curves = class_curves.collect(given, labels, ["a", "b", "c", "d"])
    assert {curve.name for curve in curves} == {"a", "b", "c"}
    assert curves[0].average_precision == min(curve.average_precision for curve in curves)
    for curve in curves:
        place = "abc".index(curve.name)
        assert curve.area == pytest.approx(roc_auc_score(labels == place, given[:, place]))
        expected = average_precision_score(labels == place, given[:, place])
        assert curve.average_precision == pytest.approx(expected)
        assert (curve.roc[0][0], curve.roc[1][-1]) == (0, 1)
        assert len(curve.roc[0]) <= class_curves.POINTS
    assert class_curves.collect(given, np.zeros(400, int), ["a", "b", "c", "d"]) == []
    assert len(class_curves.draw_roc([]).data) == 1  # chance alone


def test_lines_of_confidence_hold_what_was_measured() -> None:
    generator = np.random.default_rng(0)
    given, labels = generator.dirichlet(np.ones(3), 2000), generator.integers(0, 3, 2000)
    found, style = coverage(given, labels), run_style("a", "1")
    line = confidence.draw_coverage(found, style, 0.5).data[0]
    assert len(line.x) == confidence.POINTS
    assert (line.x[-1], line.y[-1]) == (1, found.accuracy[-1])
    shares = top_k(given, labels)
    assert confidence.draw_top_k(shares, style).data[0].y.tolist() == shares.tolist()
    bins = reliability(given, labels)
    spread = confidence.apart(bins, 0.0)
    assert [one.tolist() for one in (spread.right, spread.images)] == [
        bins.right.tolist(),
        bins.images.tolist(),
    ]
    assert spread.confidence == pytest.approx(bins.confidence)
    drawn = confidence.draw_reliability({"as it is": bins}).data[1]
    assert len(drawn.x) > 8  # a model that is not sure is drawn bin by bin
    assert sum(drawn.customdata) == 2000
    assert sum(drawn.y * drawn.customdata) == pytest.approx(bins.right.sum())
    assert (np.array(drawn.error_y.array) > 0).all()


def test_bins_of_reliability_that_would_lie_on_each_other_are_one_point() -> None:
    bins = Reliability(
        np.array([0.5, 0.9, 0.995, 0.999, 1.0]), np.array([5, 8, 9, 10, 10]), np.array([10, 10, 10, 10, 20])
    )
    drawn = confidence.draw_reliability({"as it is": bins}).data[1]
    assert drawn.customdata.tolist() == [10, 10, 40]
    assert drawn.x.tolist() == pytest.approx([0.5, 0.9, (0.995 + 0.999 + 2) / 4])
    assert drawn.y.tolist() == pytest.approx([0.5, 0.8, 29 / 40])
