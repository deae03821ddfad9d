"""Tests over seeds and folds, against published examples, other libraries and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from baycomp import CorrelatedTTest
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC

from core.analysis.over_repeats import Estimate, difference, mean, over_folds, paired_t, wilcoxon


def test_over_folds_gives_the_published_example_of_scikit_learn() -> None:
    """scikit-learn, "Statistical comparison of models using grid search"."""
    images, labels = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    first, second = (
        cross_val_score(SVC(kernel=kernel, random_state=0), images, labels, cv=folds, scoring="roc_auc")
        for kernel in ("rbf", "linear")
    )
    corrected, naive = over_folds(first, second, 10 / 90), over_folds(first, second, 0.0)
    assert corrected.mean / corrected.error == pytest.approx(0.750, abs=5e-4)
    assert corrected.p / 2 == pytest.approx(0.227, abs=5e-4)  # theirs is one-sided
    assert naive.mean / naive.error == pytest.approx(2.611, abs=5e-4)
    assert naive.p / 2 == pytest.approx(0.005, abs=5e-4)
    theirs = CorrelatedTTest(second, first, 0.01, runs=10).probs()  # worse, same, better
    assert corrected.probabilities(0.01) == pytest.approx(theirs[::-1], abs=1e-9)


def test_the_images_of_a_fold_bound_its_variance_from_below() -> None:
    same = over_folds(np.array([0.9, 0.9]), np.array([0.8, 0.8]), 1.0, images=100)
    assert same.mean == pytest.approx(0.1)
    assert same.error == pytest.approx(np.sqrt((0.1 + 2 / 200 - 0.1**2) / 100 * (1 / 2 + 1)))
    assert same.p > 0.05
    equal = over_folds(np.array([0.9] * 3), np.array([0.9] * 3), 0.5, images=30)
    assert equal.p == 1
    assert equal.probabilities(0.005)[1] < 0.5
    a, b = np.array([0.95, 0.85, 0.93, 0.9, 0.92]), np.array([0.9, 0.87, 0.85, 0.88, 0.93])
    assert over_folds(a, b, 0.25, images=1000) == over_folds(a, b, 0.25)  # these vary more than their images


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
@pytest.mark.parametrize("images", [30, 100, 1000])
@pytest.mark.parametrize("both", [0.0, 0.8])
def test_equal_models_differ_over_folds_of_few_images_in_5_of_100_cases_at_most(
    folds: int, images: int, both: float
) -> None:
    """both: the share of the images on which the models cannot but agree."""
    draws = np.random.default_rng(4)
    alike = draws.binomial(images, both, (400, folds))
    shared = draws.binomial(alike, 0.9)
    a, b = (np.asarray(shared + draws.binomial(images - alike, 0.9)) / images for _ in "ab")
    found = sum(over_folds(x, y, 1 / (folds - 1), images).p < 0.05 for x, y in zip(a, b, strict=True))
    assert found <= 0.05 * 400


def test_over_seeds() -> None:
    a, b = np.array([0.95, 0.96, 0.94, 0.97, 0.95, 0.96]), np.array([0.94, 0.94, 0.93, 0.96, 0.92, 0.955])
    assert paired_t(a, b) == pytest.approx(stats.ttest_1samp(a - b, 0).pvalue)
    assert wilcoxon(a, b) == pytest.approx(2 / 2**6)  # all six in favour of one
    assert paired_t(a, a) == wilcoxon(a, a) == 1.0
    assert np.isnan(paired_t(a, a - 0.5))  # seeds that all differ by the same say nothing of their spread


def test_a_difference_that_is_the_same_everywhere_is_certain() -> None:
    assert Estimate(0.1, 0.0, 5).p == 0
    assert Estimate(0.0, 0.0, 5).p == 1


def test_with_one_run_each_the_interval_is_that_of_agresti_and_min() -> None:
    a = np.repeat([True, True, False, False], [80, 12, 3, 5])[:, None]
    b = np.repeat([True, False, True, False], [80, 12, 3, 5])[:, None]
    found = difference(a, b)
    shares = (13 - 4) / 102, (13 + 4) / 102
    assert found.mean == pytest.approx(shares[0])
    assert found.error == pytest.approx(np.sqrt((shares[1] - shares[0] ** 2) / 101))
    above, within, below = found.probabilities(0.005)
    assert above + within + below == pytest.approx(1)
    assert above == pytest.approx(stats.t.sf(0.005, 101, *found[:2]))
    assert found.interval() == pytest.approx(stats.t.interval(0.95, 101, *found[:2]))


def test_agreement_on_few_images_promises_nothing() -> None:
    right = np.ones((50, 1), bool)
    found = difference(right, right)
    assert found.mean == 0
    assert found.probabilities(0.005)[1] < 0.5
    assert Estimate(0.0, 0.0, 1.0).p == 1.0


@pytest.mark.parametrize("of_seeds", [0.0, 0.01])
def test_equal_experiments_differ_in_5_of_100_cases_at_most(of_seeds: float) -> None:
    """Over new images and new seeds, whether seeds matter or not; the test over images alone errs there."""
    draws = np.random.default_rng(1)
    images, runs, found = 400, 3, 0
    for _ in range(400):
        level = draws.beta(9, 1, size=(images, 1, 1))  # some images are harder for all
        kind = draws.normal(0, 0.03, size=(images, 2, 1))  # some for one of the two
        seed = draws.normal(0, of_seeds, size=(1, 2, runs))
        right = draws.random((images, 2, runs)) < np.clip(level + kind + seed, 0, 1)
        found += difference(right[:, 0], right[:, 1]).p < 0.05
    assert found <= 0.05 * 400 + 2 * np.sqrt(400 * 0.05 * 0.95)


@pytest.mark.parametrize(("runs", "of_seeds"), [((1, 3), 0.15), ((2, 5), 0.3), ((3, 3), 0.6)])
def test_equal_experiments_with_other_numbers_of_seeds_differ_in_5_of_100_cases_at_most(
    runs: tuple[int, int], of_seeds: float
) -> None:
    """With seeds that matter about as much as 1,000 images, and with seeds that matter more."""
    draws = np.random.default_rng(6)
    found = 0
    for _ in range(300):
        level = draws.normal(2.5, 2, size=(1000, 1))
        kinds = [level + draws.normal(0, 0.5, (1000, 1)) for _ in runs]
        odds = [kind + draws.normal(0, of_seeds, (1, count)) for kind, count in zip(kinds, runs, strict=True)]
        a, b = (draws.random(one.shape) < 1 / (1 + np.exp(-one)) for one in odds)
        found += difference(a, b).p < 0.05
    assert found <= 0.05 * 300 + 2 * np.sqrt(300 * 0.05 * 0.95)


def test_the_degrees_of_freedom_give_banerjees_interval() -> None:
    draws = np.random.default_rng(7)
    level = draws.random((400, 1))  # some images are harder for one of the two
    a, b = draws.random((400, 2)) < level, draws.random((400, 3)) < level[::-1]
    found = difference(a, b)
    rows = np.append(a.mean(axis=1) - b.mean(axis=1), [1.0, -1.0])
    over_runs = (a.mean(axis=0).var(ddof=1) + 2 * b.mean(axis=0).var(ddof=1)) / 3 * (1 / 2 + 1 / 3)
    over_images = found.error**2 - over_runs  # what both hold counts as over runs
    assert 0 < over_images < rows.var(ddof=1) / len(rows)
    squares = stats.t.ppf(0.975, [len(rows) - 1, 3]) ** 2
    weighted = np.average(squares, weights=[over_images, over_runs])
    assert stats.t.ppf(0.975, found.freedom) == pytest.approx(np.sqrt(weighted))


def test_a_real_difference_is_found_over_seeds() -> None:
    draws = np.random.default_rng(2)
    a, b = draws.random((1000, 5)) < 0.95, draws.random((1000, 5)) < 0.92
    found = difference(a, b)
    assert found.p < 0.005
    assert found.interval()[0] > 0
    assert found.probabilities(0.005)[0] > 0.95


ONE_VARIANCE_COUNTS = np.random.default_rng(3).random((50, 4)) < np.linspace(0.6, 0.95, 50)[:, None]
BOTH_COUNT = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0], [1, 0, 1]], dtype=bool)


@pytest.mark.parametrize(("right", "both"), [(ONE_VARIANCE_COUNTS, False), (BOTH_COUNT, True)])
def test_the_mean_over_images_and_seeds_has_the_variance_of_crossed_effects(
    right: np.ndarray, both: bool
) -> None:
    images, runs = right.shape
    values = right.astype(float)
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    squares = [runs * values.mean(axis=1).var(ddof=1), images * values.mean(axis=0).var(ddof=1)]
    error = (rest**2).sum() / ((images - 1) * (runs - 1))
    assert (sum(squares) - error > max(squares)) == both
    found = mean(right)
    assert found.mean == right.mean()
    assert found.error**2 == pytest.approx(max(sum(squares) - error, *squares) / right.size)
