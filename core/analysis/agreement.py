"""What a model says of one image, and whether several models say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

MOST_NAMED = 3  # classes that an uncertain answer names


class Said(NamedTuple):
    """What a model says of an image.

    Attributes:
        classes: The most probable one where the model is sure, else those that come into question.
        confidence: Probability of the first one.
        sure: Whether the confidence reaches what was asked for.
        person: Whether not even a few classes together reach it, so that a person is to answer.
    """

    classes: tuple[str, ...]
    confidence: float
    sure: bool
    person: bool = False

    @property
    def words(self) -> str:
        """The answer as text: "3", "Not sure: 3 or 5", or "Ask a person"."""
        if self.person:
            return "Ask a person"
        return self.classes[0] if self.sure else f"Not sure: {_either(self.classes)}"


def said(classes: Sequence[str], probabilities: Sequence[float], least: float) -> Said:
    """Return what a model says of an image.

    One that is not sure names the classes that together reach what was asked for, two or three.

    Args:
        classes: The most probable first, as `probabilities`.
        least: The probability, from 0 to 1, below which the first class is no answer.
    """
    if probabilities[0] >= least or len(classes) == 1:
        return Said((classes[0],), probabilities[0], True)
    count = next(
        (many for many in range(2, len(classes) + 1) if sum(probabilities[:many]) >= least), MOST_NAMED
    )
    return Said(tuple(classes[: min(count, MOST_NAMED, len(classes))]), probabilities[0], False)


def said_by_promise(
    classes: Sequence[str], probabilities: Sequence[float], least: float, confidence: float
) -> Said:
    """Return what a model says of an image under a promise of few mistakes.

    One that must not answer names the two or three classes that together reach the threshold; where three do
    not, or all classes would be named, or nothing can be promised for the first class, a person is to answer.

    Args:
        classes: The most probable first, as `probabilities`.
        least: The threshold of the first class (`core.analysis.automation`); infinite where it has none.
        confidence: That is shown for the first class.
    """
    if probabilities[0] >= least:
        return Said((classes[0],), confidence, True)
    most = min(MOST_NAMED, len(classes) - 1)  # all together are always certain, which says nothing
    count = next((many for many in range(2, most + 1) if sum(probabilities[:many]) >= least), None)
    named = tuple(classes[: count or max(1, most)])
    return Said(named, confidence, False, person=count is None)


def agreement(names: Sequence[str], answers: Sequence[Said]) -> str:
    """Say in a sentence whether models agree on an image; empty for one model.

    Args:
        names: Of the models, one for each answer.
    """
    if len(answers) < 2:
        return ""
    unsure = [name for name, one in zip(names, answers, strict=True) if not one.sure]
    rest = f" {_list(unsure)} {'is' if len(unsure) == 1 else 'are'} not sure." if unsure else ""
    votes = Counter(one.classes[0] for one in answers if one.sure)
    if not votes:
        return "No model is sure."
    (first, count), *others = votes.most_common()
    if not others:
        if not unsure:
            return f"{'Both' if count == 2 else f'All {count}'} models say {first}."
        return f"{count} of {len(answers)} models {'says' if count == 1 else 'say'} {first}.{rest}"
    if count == 1:
        each = [f"{name} says {one.classes[0]}" for name, one in zip(names, answers, strict=True) if one.sure]
        return f"The models disagree: {', '.join(each)}.{rest}"
    others_said = [
        f"{name} says {one.classes[0]}"
        for name, one in zip(names, answers, strict=True)
        if one.sure and one.classes[0] != first
    ]
    tied = [name for name, many in votes.items() if many == count]
    if len(tied) > 1:
        return f"The models disagree: {' and '.join(f'{count} say {name}' for name in tied)}.{rest}"
    return f"{count} of {len(answers)} models say {first}; {', '.join(others_said)}.{rest}"


def _either(classes: Sequence[str]) -> str:
    *first, last = classes
    return f"{', '.join(first)} or {last}" if first else last


def _list(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
