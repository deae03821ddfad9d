"""What the logged loss of a run is: its cross-entropy alone, or the whole objective."""

from __future__ import annotations

import math

from core.tracking import schema
from core.tracking.run import Run, as_number

L2 = ("l2_convolution", "l2_dense", "l2_rest")


def included(run: Run) -> list[str]:
    """List what the logged `loss` and `val_loss` of a run include beside the cross-entropy.

    Empty for runs of this version. Older versions logged the objective under these names. A penalty that
    their settings do not name, as one inside a custom model, is not known.
    """
    if not run.is_ours or run.tags.get(schema.LOSS):
        return []
    if "loss" not in run.metrics:  # it has not trained yet
        return []
    found = []
    layers = run.params.get("model.options.layers", "")
    if any((run.setting(f"regularization.{name}") or 0) > 0 for name in L2) or "l2:" in layers:
        found.append("L2 penalties")
    if (run.setting("training.label_smoothing") or 0) > 0:
        found.append("label smoothing")
    if run.params.get("training.loss") == "focal":
        found.append("the focal factor")
    return found


def cross_entropy_from(run: Run) -> float:
    """Return the first epoch whose `loss` and `val_loss` are the cross-entropy alone; infinite for none."""
    if run.tags.get(schema.LOSS):
        return 1
    since = as_number(run.tags.get(schema.LOSS_FROM))
    return math.inf if since is None else since


def sentence(run: Run) -> str | None:
    """Say why the losses of a run cannot be compared with those of others; None where they can."""
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
