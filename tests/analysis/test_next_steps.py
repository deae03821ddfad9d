"""What is proposed for which state of the store."""

from __future__ import annotations

import pandas as pd
import pytest

from core.analysis.comparable import Competitor, compare
from core.analysis.next_steps import Situation, next_steps
from tests.support.runs import run


def ranked(*rows: dict) -> list[Competitor]:
    (found,) = compare(pd.DataFrame(rows)).rankings().values()
    return found


def seeds(name: str, accuracy: float, count: int) -> list[dict]:
    """Runs of one experiment."""
    settings = {"optimizer.learning_rate": accuracy / 100}
    return [run(f"{name} · seed {seed}", accuracy, seed=seed, **settings) for seed in range(count)]


ONE = ranked(run("lenet5 on digits", 0.9))
TWO = ranked(*seeds("a", 0.9, 1), *seeds("b", 0.8, 1))
REPEATED = ranked(*seeds("a", 0.9, 3), *seeds("b", 0.8, 3))


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        (Situation(), []),
        (Situation(running=["1"], waiting=2), ["watch"]),
        (Situation(failed="1"), ["failed"]),
        (Situation(ranked=ONE, own_images=True), ["other model"]),
        (Situation(ranked=ONE), ["other model", "own images"]),
        (Situation(ranked=TWO, alike=1, own_images=True), ["tell apart", "seeds", "predict"]),
        (Situation(ranked=TWO, alike=0), ["seeds", "predict", "own images"]),
        (Situation(ranked=REPEATED, alike=0, own_images=True), ["predict"]),
        (Situation(running=["1"], failed="2", ranked=TWO, alike=1), ["watch", "failed", "tell apart"]),
    ],
)
def test_the_most_urgent_comes_first_and_three_are_enough(now: Situation, kinds: list[str]) -> None:
    assert [step.kind for step in next_steps(now)] == kinds


def test_a_viewer_is_offered_what_he_may_do_in_place_of_the_rest() -> None:
    now = Situation(running=["1"], failed="2", ranked=TWO, alike=1)
    assert [step.kind for step in next_steps(now, may_train=False)] == ["watch", "failed", "predict"]


def test_the_sentences_name_what_they_are_about() -> None:
    (step, _) = next_steps(Situation(ranked=ONE))
    assert step.sentence == (
        "Only one experiment was measured on digits: train another model to compare it with."
    )
    first, second, third = next_steps(Situation(ranked=TWO, alike=1))
    assert first.sentence == "a leads, but cannot be told from another: see what would tell them apart."
    assert set(first.run_ids) == {"a · seed 0", "b · seed 0"}
    assert second.sentence == "a was trained once only, which may be luck: repeat it over 3 seeds."
    assert third.run_ids == ("a · seed 0",)
    (step,) = next_steps(Situation(running=["1", "2"], waiting=3))
    assert step.sentence == "2 runs train, 3 more wait: watch the curves."
