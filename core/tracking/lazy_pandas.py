"""pandas as `pd`, imported on first use: the process that predicts without Keras never needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.lazy import LazyModule

__all__ = ["pd"]

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = LazyModule("pandas")
