"""What the logged loss of a run is: its cross-entropy alone, or with what was optimized beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.analysis.values import is_ours, number, text
from core.tracking import schema

L2 = ("l2_convolution", "l2_dense", "l2_rest")


def included(run: Mapping[str, Any] | pd.Series) -> list[str]:
    """What the logged `loss` and `val_loss` of a run include beside the cross-entropy; nothing mostly.

    Older versions logged the objective under these names. What their settings do not tell, as a penalty
    inside somebody's own model, is not known.
    """
    if not is_ours(run) or text(run, f"tags.{schema.LOSS}") is not None:
        return []
    if math.isnan(number(run, "metrics.loss")):  # it has not trained yet
        return []
    found = []
    layers = text(run, "params.model.options.layers") or ""
    if any(number(run, f"params.regularization.{name}", 0.0) > 0 for name in L2) or "l2:" in layers:
        found.append("L2 penalties")
    if number(run, "params.training.label_smoothing", 0.0) > 0:
        found.append("label smoothing")
    if text(run, "params.training.loss") == "focal":
        found.append("the focal factor")
    return found


def cross_entropy_from(run: Mapping[str, Any] | pd.Series) -> float:
    """The first epoch whose `loss` and `val_loss` are the cross-entropy alone; infinite where none is."""
    if text(run, f"tags.{schema.LOSS}") is not None:
        return 1
    return number(run, f"tags.{schema.LOSS_FROM}", math.inf)


def sentence(run: Mapping[str, Any] | pd.Series) -> str | None:
    """What to know before the losses of a run are compared with another's; None where nothing is."""
    if not (parts := included(run)):
        return None
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    first = cross_entropy_from(run)
    which, whose, rest = "this run", "its", ""
    if math.isfinite(first):
        which = f"epochs 1 to {first - 1:.0f} of this run" if first > 2 else "epoch 1 of this run"
        whose, rest = "their" if first > 2 else "its", f" From epoch {first:.0f} on they are."
    return (
        f"An older version logged {which}: {whose} training and validation loss include {listed}, so they "
        f"are not the cross-entropy that other runs log.{rest}"
    )
