"""What a model says of an image, and whether several say the same."""

from __future__ import annotations

import math

import pytest

from core.analysis.agreement import agreement, said, said_by_promise

CLASSES = ("3", "5", "8", "0")


@pytest.mark.parametrize(
    ("probabilities", "least", "words"),
    [
        ((0.5, 0.3, 0.15, 0.05), 0.5, "3"),
        ((0.49, 0.3, 0.16, 0.05), 0.5, "Not sure: 3 or 5"),
        ((0.3, 0.28, 0.22, 0.2), 0.6, "Not sure: 3, 5 or 8"),
        ((0.3, 0.28, 0.22, 0.2), 1.0, "Not sure: 3, 5 or 8"),  # no more than three are named
        ((0.3, 0.28, 0.22, 0.2), 0.0, "3"),
    ],
)
def test_below_the_threshold_the_classes_in_question_are_named(
    probabilities: tuple[float, ...], least: float, words: str
) -> None:
    assert said(CLASSES, probabilities, least).words == words


@pytest.mark.parametrize(
    ("probabilities", "least", "words"),
    [
        ((0.97, 0.02, 0.01, 0.0), 0.97, "3"),
        ((0.6, 0.38, 0.01, 0.01), 0.97, "Not sure: 3 or 5"),
        ((0.4, 0.3, 0.29, 0.01), 0.97, "Not sure: 3, 5 or 8"),
        ((0.4, 0.3, 0.2, 0.1), 0.97, "Ask a person"),  # three do not reach it
        ((0.99, 0.01, 0.0, 0.0), math.inf, "Ask a person"),  # nothing is promised for this class
    ],
)
def test_under_a_promise_a_model_answers_names_a_few_or_leaves_it_to_a_person(
    probabilities: tuple[float, ...], least: float, words: str
) -> None:
    found = said_by_promise(CLASSES, probabilities, least, 0.5)
    assert (found.words, found.confidence, found.sure) == (words, 0.5, words == "3")


def test_all_classes_of_a_model_together_are_no_answer() -> None:
    assert said_by_promise(("cat", "dog"), (0.6, 0.4), 0.9, 0.6).words == "Ask a person"
    assert said_by_promise(("cat", "dog"), (0.9, 0.1), 0.9, 0.9).words == "cat"
    assert said_by_promise(("a", "b", "c"), (0.5, 0.3, 0.2), 0.9, 0.5).words == "Ask a person"
    assert said_by_promise(("a", "b", "c"), (0.6, 0.35, 0.05), 0.9, 0.5).words == "Not sure: a or b"
    assert said_by_promise(("a",), (0.6,), 0.9, 0.6).words == "Ask a person"


def test_a_model_of_one_class_is_always_sure() -> None:
    assert said(("cat",), (0.2,), 0.9).words == "cat"


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ("3", ""),
        ("33", "Both models say 3."),
        ("333", "All 3 models say 3."),
        ("335", "2 of 3 models say 3; C says 5."),
        ("3355", "The models disagree: 2 say 3 and 2 say 5."),
        ("358", "The models disagree: A says 3, B says 5, C says 8."),
        ("33?", "2 of 3 models say 3. C is not sure."),
        ("3??", "1 of 3 models says 3. B and C are not sure."),
        ("335?", "2 of 4 models say 3; C says 5. D is not sure."),
        ("??", "No model is sure."),
    ],
)
def test_the_agreement_of_models_is_a_sentence(answers: str, sentence: str) -> None:
    told = [said((one, "x"), (0.9, 0.1) if one != "?" else (0.4, 0.3), 0.5) for one in answers]
    assert agreement("ABCD"[: len(told)], told) == sentence
