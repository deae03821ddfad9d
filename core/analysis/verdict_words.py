"""Says a verdict in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from core.analysis.intervals import Interval
from core.analysis.pairs import OVER_FOLDS, OVER_IMAGES, OVER_SEEDS, Pair
from core.analysis.verdict import Verdict
from core.analysis.winners_curse import BestOf

NAMED = 4  # entries that a sentence names


def p_words(p: float) -> str:
    """Write a p: "p = 0.03", "p = 3e-11", "p < 1e-16"."""
    if p < 1e-16:
        return "p < 1e-16"
    if p >= 0.995:
        return "p = 1"
    return f"p = {p:.2g}" if p >= 0.001 else f"p = {p:.0e}".replace("e-0", "e-")


def points(difference: float) -> str:
    """Write a difference of accuracies in points of percent: "1.2 points"."""
    shown = f"{100 * difference:.2f}".rstrip("0").rstrip(".")
    return f"{shown} point{'' if shown == '1' else 's'}"


def about(number: int) -> str:
    """Write a large number with two digits that count: "9,400"."""
    digits = max(0, len(str(number)) - 2)
    return f"{round(number, -digits):,}"


def set_sentence(verdict: Verdict) -> str:
    """Say which of the entries is best, or that they cannot be told apart."""
    best, count = verdict.best, len(verdict.entries)
    if count < 2:
        return (
            f"{verdict.entries[0].name} has nothing to be compared with." if count else "Nothing to compare."
        )
    if count == 2:
        return pair_sentence(verdict, verdict.pairs[0])
    rest = count - len(best)
    images = f"{verdict.evidence.images:,} test images"
    last = verdict.entries[verdict.ranks.index(max(verdict.ranks))]
    others = last.name if rest == 1 else f"the other {rest}"
    if among := _told_apart(verdict):
        named = _names([one.name for one in best[1:]])
        said = f"{named} cannot be told from {best[0].name}, the best, on {images}{_needed(verdict)}. {among}"
        return f"{said} {best[0].name} is better than {others}." if rest else said
    if not rest:
        return f"These {count} cannot be told apart on {images}{_needed(verdict)}."
    if len(best) == 1:
        largest = max(pair.adjusted for pair in verdict.pairs if pair.first == 0)
        least = p_words(largest)
        least = least if "<" in least else f"{least} at most"
        return f"{best[0].name} is the best of {count}: better than each of the others, {least}."
    named = _names([one.name for one in best])
    return (
        f"{named} cannot be told apart on {images}{_needed(verdict)}. {best[0].name} is better than {others}."
    )


def pair_sentence(verdict: Verdict, pair: Pair) -> str:
    """Say of two entries which is better and by what, or that they cannot be told apart."""
    first, second = verdict.entries[pair.first].name, verdict.entries[pair.second].name
    if pair.alike:
        return (
            f"{first} and {second} are practically the same: within {points(verdict.margin)} "
            f"with a probability of {pair.same:.0%}."
        )
    if pair.over == OVER_IMAGES and pair.differs:
        return (
            f"{first} beats {second}: right on {_images(pair.only_first)} where {second} is wrong, wrong on "
            f"{pair.only_second:,} where it is right, {p_words(pair.adjusted)}."
        )
    if pair.differs:
        return (
            f"{first} beats {second} by {points(pair.difference)} ({100 * pair.low:.1f} to "
            f"{100 * pair.high:.1f}) {_over(verdict, pair)}, {p_words(pair.adjusted)}."
        )
    if pair.over == OVER_IMAGES:
        images = f"{verdict.evidence.images:,} test images"
        alone = f"each is right on {_images(pair.only_first)} where the other is wrong"
        if pair.only_first != pair.only_second:
            alone = f"right on {pair.only_first:,} and {pair.only_second:,} where the other is wrong"
        need = _needed_for(verdict, [pair])
        return (
            f"{first} and {second} cannot be told apart on {images}: {alone}, {p_words(pair.adjusted)}{need}."
        )
    interval = f"({100 * pair.low:.1f} to {100 * pair.high:.1f})"
    return (
        f"{first} and {second} cannot be told apart {_over(verdict, pair)}: they differ by "
        f"{points(pair.difference)} {interval}, {p_words(pair.adjusted)}."
    )


def caveats(verdict: Verdict) -> list[str]:
    """Say what a verdict does not cover, in sentences."""
    single = [one.name for one in verdict.entries if one.right.shape[1] == 1]
    told = []
    if 0 < len(single) < len(verdict.entries):
        were, which = ("was", "which is") if len(single) == 1 else ("were", "each of which is")
        told.append(
            f"{_names(single)} {were} trained with one seed, {which} taken to vary as much as the seeds of "
            "the others: train several seeds of each."
        )
        if len(single) > 1:
            told.append("Those with one seed are compared with each other as trained models.")
    elif len(verdict.entries) > 1 and single:
        told.append(
            "Each model was trained with one seed: this compares trained models. To tell architectures "
            "apart, train several seeds of each."
        )
    few = max((pair.repeats for pair in verdict.pairs if pair.over == OVER_SEEDS), default=3)
    if few < 3:
        told.append("Two seeds say little of how much seeds differ: train at least three.")
    if any(pair.over == OVER_FOLDS for pair in verdict.pairs):
        told.append("Folds are compared by their validation accuracies.")
    return told


def best_of_words(best: BestOf) -> str:
    """Say what to expect of the best of several on new images."""
    low, high = best.interval
    images = f"{best.images:,} {'validation ' if best.validates else ''}images"
    return (
        f"The best of {best.choices:,} on {images} shows {best.shown:.1%}; on new images expect "
        f"{best.expected:.1%} ({low:.1%} to {high:.1%})."
    )


def chosen_words(
    choices: int,
    images: int | None,
    shown: float,
    expected: float,
    interval: Interval,
    test_images: int,
) -> str:
    """Say what to expect of the best of several that was chosen on validation images.

    Args:
        images: How many validated; None where that is not known.
        shown: Its validation accuracy; `expected` that on the test images, with its interval.
    """
    on = f"{images:,} validation images" if images else "the validation images"
    return (
        f"The best of {choices:,} on {on} shows {shown:.1%}; on new images expect {expected:.1%} "
        f"({interval.low:.1%} to {interval.high:.1%}), by {test_images:,} test images that chose nothing."
    )


def _over(verdict: Verdict, pair: Pair) -> str:
    if pair.over == OVER_FOLDS:
        return f"over {pair.repeats} folds"
    counts = sorted({verdict.entries[place].right.shape[1] for place in (pair.first, pair.second)})
    runs = " and ".join(map(str, counts)) + (" seeds" if len(counts) == 1 else " runs")
    return f"over {runs} and {verdict.evidence.images:,} test images"


def _told_apart(verdict: Verdict) -> str:
    """Say which of the entries that share rank 1 differ from each other all the same; empty for none."""
    found = [
        f"{verdict.entries[pair.first].name} is better than {verdict.entries[pair.second].name}"
        for pair in verdict.pairs
        if pair.differs and verdict.ranks[pair.first] == verdict.ranks[pair.second] == 1
    ]
    more = f", and so on for {len(found) - NAMED} more pairs" if len(found) > NAMED else ""
    return f"But {', '.join(found[:NAMED])}{more}." if found else ""


def _needed(verdict: Verdict) -> str:
    """What it would take to tell the best apart, as the end of a sentence."""
    firsts = {place for place, rank in enumerate(verdict.ranks) if rank == 1}
    among = [pair for pair in verdict.pairs if {pair.first, pair.second} <= firsts and not pair.differs]
    return _needed_for(verdict, among)


def _needed_for(verdict: Verdict, pairs: Sequence[Pair]) -> str:
    """The most images that any of some pairs would need, where those are more than there are."""
    single = all(pair.over == OVER_IMAGES for pair in pairs)
    needed = max((pair.needed or 0 for pair in pairs), default=0) if single else 0
    if needed <= verdict.evidence.images:
        return ""
    what = points(verdict.margin) if verdict.margin else "the difference seen"
    return f"; about {about(needed)} would be needed to see a difference of {what}".replace(
        "a difference of the difference seen", "the difference seen"
    )


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _names(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1} others"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
