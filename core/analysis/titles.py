"""Readable titles of the columns of a table of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from core.analysis.shown_table import DIFFERENCE

_LABELS = {
    "model.name": "model",
    "data.name": "dataset",
    "validation": "validation accuracy",
    "best_val_accuracy": "best val. accuracy",
    "val_accuracy": "last val. accuracy",
    "accuracy": "last training accuracy",
    "best_epoch": "best epoch",
    "last_epoch": "last epoch",
    "kept_epoch": "kept epoch",
    "test_accuracy": "test accuracy",
    "test_top5_accuracy": "test top-5",
    "test_ece": "ECE, equal-width bins (biased)",
    "test_calibration_error": "calibration error",
    "test_calibration_floor": "calibration noise floor",
    "train_seconds": "train seconds",
    "macs": "MACs",
}


def label(column: str) -> str:
    """Return the title of a column: the end of a setting's dotted name."""
    if column.startswith(DIFFERENCE):
        return f"{DIFFERENCE}{label(column.removeprefix(DIFFERENCE))}"
    if column in _LABELS:
        return _LABELS[column]
    first, _, rest = column.partition(".")
    if rest and first in ("params", "metrics"):
        return column
    short = rest.removeprefix("options.") if rest else column
    if short in ("name", "") or first in ("augmentation", "schedule") or short == "enabled":
        short = column.replace(".", " ").removesuffix(" name")
    return short.replace("_", " ").replace(".", " ")


def labels_of(columns: Collection[str]) -> dict[str, str]:
    """Return the title of each column, its name where two would have the same: addresses hold them."""
    titles = {name: label(name) for name in columns}
    counts = Counter(titles.values())
    return {name: title if counts[title] == 1 else name for name, title in titles.items()}
