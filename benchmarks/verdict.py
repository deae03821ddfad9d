"""What a verdict on the Compare page costs: `python -m benchmarks.verdict`.

Times the decision alone, in processor time, and beside it the same McNemar tests and Holm's correction by
statsmodels. Reading the predictions and drawing the page are not in it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from core.analysis.evaluated_images import EvaluatedImages
from core.analysis.evidence import Evidence, Measured
from core.analysis.verdict import decide

CASES = ((5, 1, 1_000), (5, 5, 1_000), (12, 1, 10_000))  # models, seeds, test images
REPEATS = 20


def main() -> None:
    print(f"{'models':>6}  {'seeds':>5}  {'images':>6}  {'verdict':>10}  {'statsmodels':>11}")
    for models, seeds, images in CASES:
        evidence = simulated(models, seeds, images)
        own = milliseconds(partial(decide, evidence))
        theirs = ""
        if seeds == 1:
            theirs = f"{milliseconds(partial(by_statsmodels, evidence)):.1f} ms"
        print(f"{models:>6}  {seeds:>5}  {images:>6,}  {own:>7.1f} ms  {theirs:>11}")


def simulated(models: int, seeds: int, images: int) -> Evidence:
    """Models that get 90 to 94 of 100 images right, and mostly the same ones."""
    chance = np.random.default_rng(0)
    hard = chance.random((images, 1))
    tested = []
    for number in range(models):
        right = hard + 0.05 * chance.standard_normal((images, seeds)) < 0.90 + 0.04 * number / models
        names = tuple(f"{number}-{seed}" for seed in range(seeds))
        tested.append(
            Measured(
                key=f"model {number}",
                name=f"model {number}",
                run_ids=names,
                right=right,
                seeds=tuple(map(str, range(seeds))),
                folds=(),
                folds_of=0,
                validation=right.mean(axis=0),
            )
        )
    return Evidence(tuple(tested), "simulated", frozenset(), EvaluatedImages("", ""), images, ())


def by_statsmodels(evidence: Evidence) -> None:
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    found = []
    for a, b in itertools.combinations([one.right[:, 0] for one in evidence.tested], 2):
        table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
        found.append(mcnemar(table, exact=True).pvalue)
    multipletests(found, method="holm")


def milliseconds(act: Callable[[], object]) -> float:
    """The median processor time; the first call, which imports, is left out."""
    act()
    found = []
    for _ in range(REPEATS):
        began = time.process_time()
        act()
        found.append(time.process_time() - began)
    return 1000 * float(np.median(found))


if __name__ == "__main__":
    main()
