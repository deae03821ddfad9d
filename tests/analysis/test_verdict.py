"""Which model is better, said in a sentence, and no oftener wrongly than 5 times of 100."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from core.analysis.entries import Entry
from core.analysis.evaluated_images import Answers, EvaluatedImages, answers_of
from core.analysis.evidence import Evidence, Measured, gather
from core.analysis.paired import mcnemar
from core.analysis.pairs import OVER_FOLDS, OVER_IMAGES, OVER_SEEDS, over_seeds
from core.analysis.verdict import Verdict, decide, decide_against
from core.analysis.verdict_words import caveats, p_words, pair_sentence, set_sentence
from core.tracking import schema
from core.tracking.errors import DamagedArtifact
from core.tracking.run import Run
from tests.support.runs import FINGERPRINT, SPLIT, as_run, not_edited, run

IMAGES = EvaluatedImages("v1", "")
ANSWERS = dict[str, np.ndarray]


def evidence(answers: ANSWERS, *rows: dict[str, object], groups: Sequence[Entry] = ()) -> Evidence:
    """The evidence of runs by what they got right; of all of them, or of groups of them."""
    given = {row["run_id"]: row for row in rows}
    runs = {name: as_run(given.get(name, run(name, 0.9))) for name in answers}
    entries = groups or [Entry(name, name, (name,)) for name in answers]
    return gather(entries, runs, lambda one: answered(answers[one]), not_edited)


def answered(right: np.ndarray) -> Answers:
    """What a run answered, by which images it got right."""
    table = pd.DataFrame({"index": np.arange(len(right)), "label": 0, "p0": right * 0.8, "p1": 0.4})
    return answers_of(table)


def simulated(right: np.ndarray) -> Verdict:
    """The verdict on single runs, without runs. right: bool `(images, models)`."""
    tested = tuple(
        Measured(name, name, (name,), right[:, [place]], ("0",), (), 0, np.array([0.9]))
        for place, name in enumerate("abcdefgh"[: right.shape[1]])
    )
    return decide(Evidence(tested, "digits", frozenset(), IMAGES, len(right), ()))


def right(*blocks: tuple[int, bool]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for count, value in blocks])


def decided(answers: ANSWERS, **given: object) -> Verdict:
    return decide(evidence(answers), **given)  # type: ignore[arg-type]


def test_a_pair_is_told_apart_in_a_sentence_with_its_images() -> None:
    conv6 = right((5000, True), (212, False), (97, True), (400, False))
    resnet = right((5000, True), (212, True), (97, False), (400, False))
    verdict = decided({"conv6": conv6, "resnet_cifar": resnet})
    assert set_sentence(verdict) == (
        "resnet_cifar beats conv6: right on 212 images where conv6 is wrong, wrong on 97 where it is right, "
        "p = 5e-11."
    )
    (pair,) = verdict.pairs
    assert pair.p == pytest.approx(mcnemar(212, 97))
    assert pair.difference == pytest.approx(115 / 5709)
    assert verdict.ranks == (1, 2)
    assert "one seed" in caveats(verdict)[0]


def test_three_that_cannot_be_told_apart_share_the_first_rank_and_the_images_needed_are_said() -> None:
    base = right((940, True), (60, False))
    one, two, three, bad = (base.copy() for _ in range(4))
    one[940:955], two[920:930], two[955:970], three[930:940], three[970:980] = True, False, True, False, True
    bad[:60] = False
    verdict = decided({"two": two, "three": three, "bad": bad, "one": one})
    assert verdict.ranks == (1, 1, 1, 4)
    assert [entry.name for entry in verdict.best] == ["one", "two", "three"]
    said = set_sentence(verdict)
    assert said.startswith("one, two and three cannot be told apart on 1,000 test images; about 1")
    assert said.endswith("one is better than bad.")
    assert verdict.all_equal is not None
    assert verdict.all_equal < 0.001
    less = decided({"two": two, "three": three, "one": one})
    assert set_sentence(less).startswith("These 3 cannot be told apart on 1,000 test images; about 1")


def test_two_that_differ_are_named_though_neither_is_told_from_the_best() -> None:
    a, b, c, bad = (np.ones(400, bool) for _ in range(4))
    a[:10], b[10:21], c[10:32], bad[100:] = False, False, False, False
    verdict = decided({"a": a, "b": b, "c": c})
    assert verdict.ranks == (1, 1, 1)
    said = set_sentence(verdict)
    assert said.startswith("b and c cannot be told from a, the best, on 400 test images")
    assert said.endswith(" But b is better than c.")
    assert set_sentence(decided({"a": a, "b": b, "c": c, "bad": bad})).endswith(
        "But b is better than c. a is better than bad."
    )


def test_what_is_practically_the_same_within_the_margin_is_called_so() -> None:
    a = right((9000, True), (1000, False))
    b = a.copy()
    b[8990:9000], b[9000:9009] = False, True
    verdict = decided({"a": a, "b": b})
    assert set_sentence(verdict).startswith("a and b are practically the same: within 0.5 points with a")
    narrow = decided({"a": a, "b": b}, margin=0.0001)
    assert "cannot be told apart on 10,000" in pair_sentence(narrow, narrow.pairs[0])


def test_equal_models_are_called_better_in_5_of_100_cases_at_most() -> None:
    draws = np.random.default_rng(0)
    called = 0
    for _ in range(1000):
        hard = draws.beta(9, 1, 300)
        called += simulated(draws.random((300, 2)) < hard[:, None]).pairs[0].differs
    assert called <= 50
    together = 0
    for _ in range(100):
        together += set(simulated(draws.random((300, 5)) < 0.9).ranks) != {1}
    assert together <= 10  # 5 are expected at most: ten pairs err no oftener than one


def test_groups_are_compared_over_seeds_and_images_and_folds_by_their_validation() -> None:
    draws = np.random.default_rng(1)
    answers, rows = {}, []
    for name, accuracy in (("a", 0.97), ("b", 0.93)):
        for seed in range(4):
            answers[f"{name}{seed}"] = draws.random(2000) < accuracy
            rows.append(run(f"{name}{seed}", accuracy + 0.001 * seed, seed=seed))
    groups = [Entry(name, name, tuple(f"{name}{seed}" for seed in range(4))) for name in "ab"]
    verdict = decide(evidence(answers, *rows, groups=groups))
    (pair,) = verdict.pairs
    assert (pair.over, pair.repeats, pair.differs) == (OVER_SEEDS, 4, True)
    seeds = over_seeds(*verdict.entries)
    assert seeds is not None
    assert seeds[0] < 0.01
    assert seeds[1] == pytest.approx(2 / 2**4)
    assert set_sentence(verdict).startswith("a beats b by 4")
    assert "over 4 seeds and 2,000 test images" in set_sentence(verdict)
    assert caveats(verdict) == []
    folded = [
        {**row, "params.data.folds": "4", "params.data.fold": str(place % 4), SPLIT: f"fold {place % 4}"}
        for place, row in enumerate(rows)
    ]
    (pair,) = decide(evidence(answers, *folded, groups=groups)).pairs
    assert pair.over == OVER_SEEDS  # all folds differ by the same, of how many images was not logged
    varied = [{**row, "metrics.best_val_accuracy": 0.9 + 0.01 * place} for place, row in enumerate(folded)]
    varied[0]["metrics.best_val_accuracy"] = 0.91
    assert decide(evidence(answers, *varied, groups=groups)).pairs[0].over == OVER_FOLDS
    folded = [{**row, "metrics.validation_images": 500.0} for row in folded]
    (pair,) = decide(evidence(answers, *folded, groups=groups)).pairs
    assert (pair.over, pair.repeats) == (OVER_FOLDS, 4)
    assert pair.difference == pytest.approx(0.04)
    other = [{**row, SPLIT: row["run_id"]} for row in folded]  # folds of another split seed cannot be paired
    (pair,) = decide(evidence(answers, *other, groups=groups)).pairs
    assert pair.over == OVER_SEEDS
    mixed = [groups[0], Entry("b0", "b0", ("b0",))]
    (caveat,) = caveats(decide(evidence(answers, *rows, groups=mixed)))
    assert caveat.startswith(
        "b0 was trained with one seed, which is taken to vary as much as the seeds of the"
    )


def test_a_p_too_small_for_its_digits_is_said_to_be_small() -> None:
    said = [p_words(p) for p in (0.0, 1e-300, 3e-11, 0.03, 1.0)]
    assert said == ["p < 1e-16", "p < 1e-16", "p = 3e-11", "p = 0.03", "p = 1"]
    base = np.arange(4000) < 3000
    sure = decided({"a": base, "b": np.arange(4000) < 2000, "c": np.arange(4000) < 1900})
    assert set_sentence(sure) == "a is the best of 3: better than each of the others, p < 1e-16."


def test_runs_with_other_test_images_are_left_out_in_words() -> None:
    answers = {name: np.ones(10, bool) for name in ("a", "b", "edited", "fewer", "away", "broken", "plain")}
    answers["fewer"] = np.ones(9, bool)
    rows = {
        "edited": run("edited", 0.9, **{FINGERPRINT: "v2"}),
        "plain": run("plain", 0.9, **{FINGERPRINT: None}),
        "renamed": run("renamed", 0.9, **{"data.name": "copy"}),
        "leaked": run("leaked", 0.9, **{f"tags.{schema.LEAK}": "2 of its test images trained its parent."}),
        "waits": run("waits", 0.9, status=schema.SCHEDULED),
    }
    answers |= dict.fromkeys(("renamed", "leaked", "waits"), np.ones(10, bool))
    runs: dict[str, Run] = {name: as_run(rows.get(name, run(name, 0.9))) for name in answers}

    def read(run_id: str) -> Answers:
        if run_id == "away":
            raise FileNotFoundError
        if run_id == "broken":
            raise DamagedArtifact(run_id, schema.PREDICTIONS, "it is empty")
        return answered(answers[run_id])

    found = gather([Entry(name, name, (name,)) for name in answers], runs, read, not_edited)
    assert [one.name for one in found.tested] == ["a", "b", "renamed"]
    assert (found.images, found.versions, found.evaluated_images.imported) == (10, {"v1"}, "v1")
    told = dict(sentence.split(" is left out: ") for sentence in found.left_out)
    assert told["edited"] == "it was tested on other images (version v2 of digits, 10 images)."
    assert told["fewer"].endswith("9 images).")
    assert told["away"] == "it has no test predictions."
    assert "it is empty" in told["broken"]
    assert told["plain"] == "it does not say which images it was tested on."
    assert told["leaked"] == "2 of its test images trained its parent."
    assert told["waits"] == "it has no finished run."
    assert gather([], {}, read, not_edited).tested == ()


def test_against_one_that_was_chosen_only_the_worse_are_told_from_it() -> None:
    base = right((950, True), (50, False))
    worse, better, like = base.copy(), base.copy(), base.copy()
    worse[:60], better[950:990], like[949] = False, True, False
    found = evidence({"best": base, "worse": worse, "better": better, "like": like})
    assert decide_against(found, "best") == ("better", "like")
    assert decide_against(evidence({"best": base}), "best") == ()
    assert decided({"best": base, "worse": worse}).pairs[0].over == OVER_IMAGES
