"""The images that decide between two models: one of them alone gets them right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from core.analysis.evidence import Measured
from core.analysis.mistakes import probabilities
from core.images.pixels import to_png
from core.study.study import Picture, PictureRow

SHOWN = 12  # of each of the two
SIDE = 96  # pixels


def deciding(
    a: Measured,
    b: Measured,
    predictions: Mapping[str, pd.DataFrame],
    images: np.ndarray,
    classes: Sequence[str],
) -> tuple[PictureRow, ...]:
    """Return two rows of images: those that A alone gets right, and those that B alone does.

    Of groups: those that more of its runs get right. The images on which most runs differ come first, then
    those on which the other one is most sure of its mistake.

    Args:
        predictions: Of all runs of both, by id, as `frames.predictions` gives them.
        images: Of the dataset, uint8 `(N, H, W, C)`.
    """
    found = []
    several = max(a.right.shape[1], b.right.shape[1]) > 1
    gaps = a.right.mean(axis=1) - b.right.mean(axis=1)
    for winner, loser, gap in ((a, b, gaps), (b, a, -gaps)):
        tables = [predictions[run_id].sort_values("index", kind="stable") for run_id in loser.run_ids]
        given = np.stack([probabilities(table) for table in tables])
        index, label = tables[0]["index"].to_numpy(), tables[0]["label"].to_numpy()
        answers = given.argmax(axis=2)
        sure = (given.max(axis=2) * (answers != label)).mean(axis=0)
        order = [place for place in np.lexsort((-sure, -gap)).tolist() if gap[place] > 0]
        pictures = []
        for place in order[:SHOWN]:
            wrong = [int(one) for one in answers[:, place] if one != label[place]]
            true, said = (
                classes[one] if one < len(classes) else str(one)
                for one in (int(label[place]), Counter(wrong).most_common(1)[0][0])
            )
            caption = f"{true}; {loser.name} says {said}"
            pictures.append(Picture(to_png(images[index[place]], SIDE), caption))
        right = f"{winner.name} is right more often" if several else f"Only {winner.name} is right"
        shown = f", {SHOWN} of them shown" if len(order) > SHOWN else ""
        count = f"{len(order)} image{'' if len(order) == 1 else 's'}"
        found.append(PictureRow(f"{right}: {count}{shown}", tuple(pictures)))
    return tuple(found)
