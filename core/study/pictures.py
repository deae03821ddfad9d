"""The images that decide between two models: one of them alone gets them right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from core.analysis.answers import Answers, differences
from core.analysis.entries import Entry
from core.images.pixels import to_png
from core.study.study import Picture, PictureRow

SHOWN = 12  # of each of the two
SIDE = 96  # pixels


def deciding(
    a: Entry, b: Entry, answered: Mapping[str, Answers], images: np.ndarray, classes: Sequence[str]
) -> tuple[PictureRow, ...]:
    """Return two rows of images: those that A alone gets right, and those that B alone does.

    Of groups: those that more of its runs get right. The images on which most runs differ come first, then
    those on which the other one is most sure of its mistake.

    Args:
        images: Of the dataset, uint8 `(N, H, W, C)`.
    """
    found = []
    gaps = differences(a, b, answered)
    for winner, loser, gap in ((a, b, gaps), (b, a, -gaps)):
        sure = np.mean([answered[one].confidence * ~answered[one].right for one in loser.run_ids], axis=0)
        order = sorted(np.flatnonzero(gap > 0).tolist(), key=lambda place: (-gap[place], -sure[place], place))
        several = winner.is_group or loser.is_group
        said = f"{winner.name} is right more often" if several else f"Only {winner.name} is right"
        shown = f", {SHOWN} of them shown" if len(order) > SHOWN else ""
        count = f"{len(order)} image{'' if len(order) == 1 else 's'}"
        found.append(
            PictureRow(
                f"{said}: {count}{shown}",
                tuple(_picture(place, loser, answered, images, classes) for place in order[:SHOWN]),
            )
        )
    return tuple(found)


def _picture(
    place: int, loser: Entry, answered: Mapping[str, Answers], images: np.ndarray, classes: Sequence[str]
) -> Picture:
    one = answered[loser.run_ids[0]]
    wrong = [answered[run_id].predicted[place] for run_id in loser.run_ids]
    said = Counter(int(answer) for answer in wrong if answer != one.label[place]).most_common(1)[0][0]
    true, taken = (
        classes[label] if label < len(classes) else str(label) for label in (one.label[place], said)
    )
    return Picture(to_png(images[one.index[place]], SIDE), f"{true}; {loser.name} says {taken}")
