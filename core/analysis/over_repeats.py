"""Tests over repeats of experiments: seeds, and folds. Pure functions on arrays.

With several runs of each of two experiments two things are left to chance, the test images and the seeds. A
test over images alone takes the trained runs as given, one over seeds alone the images; either calls half of
all lucky differences real. `difference` counts both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A difference of two accuracies, its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float

    @property
    def p(self) -> float:
        """Of the two-sided t test that the difference is 0."""
        from scipy.special import stdtr  # Student's distribution; that of scipy.stats takes 50 times as long

        if not self.error:
            return 0.0 if self.mean else 1.0
        return 2 * float(stdtr(self.freedom, -abs(self.mean) / self.error))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        from scipy.special import stdtrit

        reach = self.error * float(stdtrit(self.freedom, (1 + confidence) / 2))
        return self.mean - reach, self.mean + reach

    def probabilities(self, margin: float) -> tuple[float, float, float]:
        """Return how probable it is that the difference is above the margin, within it, and below minus it.

        The posterior of the Bayesian t test (Benavoli et al., "Time for a change", JMLR 18, 2017).
        """
        from baycomp.single import Posterior

        found = Posterior(self.mean, self.error**2, self.freedom, margin).probs()
        below, *within, above = (min(1.0, max(0.0, float(one))) for one in found)
        return above, within[0] if within else 0.0, below


class Variance(NamedTuple):
    """Of a mean, and the degrees of freedom of its estimate."""

    value: float
    freedom: float


def mean(right: np.ndarray) -> Estimate:
    """Estimate the accuracy of an experiment for other images and other seeds.

    right: bool `(images, runs)`, which image each of its runs gets right; two images or more.
    """
    return _crossed(right.mean(axis=1), [right])


def difference(a: np.ndarray, b: np.ndarray) -> Estimate:
    """Estimate the difference of two experiments for other images and other seeds, from runs of both.

    Two images are added of which each experiment alone gets one right, so that a few images on which both
    agree promise no certainty (Agresti and Min, "Simple improved confidence intervals for comparing matched
    proportions", 2005). Seeds of both are taken to vary alike, so that one run alone is no surer than one of
    several; where both have one run, the variance over seeds is not known and counts as 0.

    Args:
        a: bool `(images, runs)`, which image each run of the first gets right; b: the same of the second,
            whose runs may be others in number and seed.
    """
    return _crossed(np.append(a.mean(axis=1) - b.mean(axis=1), [1.0, -1.0]), [a, b])


def _crossed(rows: np.ndarray, groups: Sequence[np.ndarray]) -> Estimate:
    """Estimate the mean of rows over images and runs, which are crossed random effects.

    Its variance is that over images, plus that over runs, less the residual which both hold. That over runs
    is estimated of all groups together. The degrees of freedom are those with which the 95% interval is
    Banerjee's (K. S. Banerjee, "Approximate confidence interval for linear functions of means of k
    populations when the population variances are not equal", Sankhya 22, 1960). The residual is taken from
    the variance over images for that: taken from that over runs, which few runs estimate, it makes the
    interval too short.

    Of 20,000 simulated pairs of equal experiments on 1,000 images, with 2 to 5 runs whose log odds vary by
    0.15, by 0.3 and by 0.6 over seeds, 2.6 to 4.6, 4.1 to 4.9 and 4.8 to 5.1 of 100 differed at 5 %, and 2.4
    to 4.0, 4.1 to 4.6 and 4.8 to 5.2 of one run with 3 or 5. With both variances whole it was 2.0 to 4.8,
    and with Satterthwaite's degrees of freedom 5.3 to 15 (of 4,000).

    Args:
        rows: float `(images,)`, the mean of the runs or a difference of such means.
        groups: bool `(images, runs)`, of each experiment.
    """
    over_images = Variance(float(rows.var(ddof=1)) / len(rows), len(rows) - 1)
    spread, freedom, residual = 0.0, 0, 0.0
    for right in groups:
        images, runs = right.shape
        if runs < 2:
            continue
        of_runs, of_images = right.mean(axis=0), right.mean(axis=1)
        spread += float(of_runs.var(ddof=1)) * (runs - 1)
        freedom += runs - 1
        # The sum of squares of the residuals, from those of the values, which are 0 and 1.
        total = float(of_runs.sum()) * images
        middle = images * runs * float(of_runs.mean()) ** 2
        rest = total - runs * float(of_images @ of_images) - images * float(of_runs @ of_runs) + middle
        residual += max(0.0, rest) / (max(images - 1, 1) * images)
    if not freedom:
        return Estimate(float(rows.mean()), math.sqrt(over_images.value), over_images.freedom)
    means = sum(1 / right.shape[1] for right in groups)
    over_runs = Variance(spread / freedom * means, freedom)
    both = over_images.value + over_runs.value - residual / freedom * means
    both = max(both, over_images.value, over_runs.value)
    images_alone = Variance(both - over_runs.value, over_images.freedom)
    return Estimate(float(rows.mean()), math.sqrt(both), _freedom(images_alone, over_runs))


def _freedom(*variances: Variance) -> float:
    """Return the degrees of freedom whose t at 95% is the mean of those of independent variances (Banerjee).

    The squares of t are what is averaged, weighted with the variances.
    """
    from scipy.special import stdtridf, stdtrit

    if not (total := sum(one.value for one in variances)):
        return 1.0
    upper = 0.975
    square = sum(one.value * float(stdtrit(one.freedom, upper)) ** 2 for one in variances) / total
    return float(stdtridf(upper, math.sqrt(square)))


def paired_t(a: np.ndarray, b: np.ndarray) -> float:
    """Return the two-sided p of the paired t test over seeds; NaN where all differ by the same, but not 0.

    Args:
        a, b: Accuracies `(n,)`, n at least 2.
    """
    from scipy.stats import ttest_rel

    gaps = a - b
    if np.ptp(gaps) <= 1e-9:  # of accuracies, which rounding alone makes unequal
        return math.nan if np.any(a != b) else 1.0
    return float(ttest_rel(a, b).pvalue)


def wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test over seeds; below six seeds it exceeds 0.05.

    a, b: accuracies `(n,)`.
    """
    from scipy.stats import wilcoxon

    return float(wilcoxon(a, b).pvalue) if np.any(a != b) else 1.0


def over_folds(a: np.ndarray, b: np.ndarray, ratio: float, images: float | None = None) -> Estimate:
    """Estimate the difference over the folds of a cross-validation, with Nadeau and Bengio's correction.

    The training sets of folds overlap, so their scores are correlated and the plain t test finds differences
    where there are none. Source: C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine
    Learning 52 (2003).

    On few images a few folds often have the same difference by chance, which would make it certain. The
    variance of a fold is therefore at least that of its images: accuracies that differ by a share of the
    images disagree on as many at least, and on two more of all folds, as in `difference`.

    Args:
        a, b: Scores `(n,)` on the same folds in the same order, n at least 2.
        ratio: Images that validate a fold, to those that train it; 1 / (k - 1) for k folds.
        images: How many validate a fold, where the scores are accuracies.
    """
    gaps = np.asarray(a, dtype=float) - b
    middle, of_a_fold = float(gaps.mean()), float(gaps.var(ddof=1))
    if images:
        disagreement = float(np.abs(gaps).mean()) + 2 / (images * len(gaps))
        of_a_fold = max(of_a_fold, (disagreement - middle**2) / images)
    return Estimate(middle, math.sqrt(of_a_fold * (1 / len(gaps) + ratio)), len(gaps) - 1)
