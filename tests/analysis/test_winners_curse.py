"""What to expect of the best of several on new images."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.entries import Entry
from core.analysis.evaluated_images import Answers
from core.analysis.verdict_words import best_of_words
from core.analysis.winners_curse import best_by_validation, best_of
from tests.support.runs import as_run, not_edited, run


def test_of_equal_models_the_expected_accuracy_is_the_true_one() -> None:
    """20 equally good models of 95.1 % on 360 images, most of whose errors are shared."""
    draws = np.random.default_rng(0)
    by_choice, left = [], []
    for _ in range(40):
        hard = draws.random((360, 1)) < 0.0392
        right = ~(hard | (draws.random((360, 20)) < 0.0102))
        found = best_of(right)
        luck = right.mean()  # of these images for all models: by it alone the true accuracy is missed
        by_choice.append(found.shown - luck)
        left.append(found.expected - luck)
    assert np.mean(by_choice) > 0.006
    assert abs(np.mean(left)) < 0.002


def test_a_winner_that_is_far_ahead_keeps_its_accuracy() -> None:
    draws = np.random.default_rng(1)
    right = draws.random((500, 5)) < [0.99, 0.8, 0.8, 0.8, 0.8]
    found = best_of(right)
    assert found.expected == pytest.approx(found.shown, abs=1e-3)
    assert best_of(right[:, :1]).expected == right[:, 0].mean()
    assert best_of(right) == found  # the same words each time


def test_on_one_image_nothing_is_left_to_expect_by() -> None:
    """No draw leaves it out, so what was shown stands."""
    assert best_of(np.array([[True, False]])).expected == 1


def test_it_is_said() -> None:
    right = np.zeros((200, 2))
    right[:150], right[150:160, 0], right[150:160, 1] = 1, 1, 0.5
    said = best_of_words(best_of(right))
    assert said.startswith("The best of 2 on 200 images shows 80.0%; on new images expect ")


def test_the_validation_images_tell_what_to_expect_where_all_have_answers_for_the_same() -> None:
    draws = np.random.default_rng(3)
    answers = {name: Answers(np.arange(145), draws.random(145) < 0.9, np.zeros(145), 2) for name in "abc"}
    runs = {name: as_run(run(name, 0.9)) for name in "abc"}
    entries = [Entry("a", "a", ("a",)), Entry("seeds", "seeds", ("b", "c"))]

    def read(run_id: str) -> Answers:
        if run_id not in answers:
            raise FileNotFoundError(run_id)
        return answers[run_id]

    found = best_by_validation(entries, runs, read, not_edited)
    assert found is not None
    seeds = (answers["b"].right.mean() + answers["c"].right.mean()) / 2
    assert found.shown == pytest.approx(max(answers["a"].right.mean(), seeds), abs=1e-6)
    assert "The best of 2 on 145 validation images shows" in best_of_words(found)
    answers["c"] = answers["c"]._replace(images=np.arange(1, 146))
    assert best_by_validation(entries, runs, read, not_edited) is None  # other images
    del answers["c"]
    assert best_by_validation(entries, runs, read, not_edited) is None  # one run of an older version
