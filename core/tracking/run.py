"""One run of the store as a value: what pages, statistics and commands read of it.

`frames.runs` holds all runs at once, for tables and vectorised work; `runs_of` turns its rows into `Run`s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from core.components.schedules import tests_rates
from core.tracking import schema
from core.tracking.run_state import RunState, number_of

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("params", "metrics", "tags")


@dataclass(frozen=True)
class Run(RunState):
    """A run with all that it logged.

    What a run lacks is absent: None, a missing key, or an empty name. Any client may log what it likes under
    any name, so a parameter may not be the number that its name promises: read numbers by `setting` and
    `whole_setting`.

    Attributes:
        started: When it was submitted (UTC); `training_started` is later.
        ended: UTC.
        last_epoch: The step of the last `loss`.
        params: The settings and what was logged beside them, as text, by dotted name.
        metrics: The last value of each metric, possibly infinite, never NaN.
    """

    started: datetime | None = None
    ended: datetime | None = None
    last_epoch: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        return self.params.get("model.name") or None

    @property
    def dataset(self) -> str | None:
        return self.params.get("data.name") or None

    @property
    def is_range_test(self) -> bool:
        """Whether it only tried learning rates: it has no model to compare or to predict with."""
        return tests_rates(self.params.get("schedule.name"))

    @property
    def keeps_last(self) -> bool:
        """Whether its model has the weights of the last epoch; else those of the best one."""
        return self.params.get("training.keep") == "last"

    @property
    def parent(self) -> str | None:
        """The id of its group."""
        return self.tags.get(schema.PARENT) or None

    @property
    def extends(self) -> str | None:
        """The id of the run whose training it continues."""
        return self.tags.get(schema.EXTENDS) or None

    @property
    def device(self) -> str | None:
        """What it trains on: a value of CUDA_VISIBLE_DEVICES, `cpu` or `cluster`."""
        return self.tags.get(schema.DEVICE) or None

    @property
    def held(self) -> bool:
        """Whether it stays in the queue until it is released."""
        return schema.HELD in self.tags

    @property
    def locked(self) -> bool:
        """Whether it may not be deleted."""
        return schema.LOCKED in self.tags

    @property
    def training_started(self) -> float | None:
        """When its present attempt began, in seconds since 1970."""
        moment = number_of(self.tags.get(schema.STARTED))
        return None if moment is None else moment / 1000

    def setting(self, name: str) -> float | None:
        """Return a parameter as a number, possibly infinite; None where it is none."""
        return as_number(self.params.get(name))

    def whole_setting(self, name: str, default: int = 0) -> int:
        """Return a parameter as a whole number; `default` where it is none, as on runs of older versions."""
        found = self.setting(name)
        return default if found is None or math.isinf(found) else int(found)


def runs_of(frame: pd.DataFrame) -> list[Run]:
    """Return one `Run` per row, in the order of the rows.

    Args:
        frame: Rows of `frames.runs`, with all columns or with those that are needed: what a column would
            have said is absent then.
    """
    params, metrics, tags = (map(MappingProxyType, _logged(frame, kind)) for kind in KINDS)
    epochs = (None if epoch is None else int(epoch) for epoch in _values(frame, "last_epoch"))
    texts = (_texts(frame, column) for column in ("run_id", "name", "status"))
    times = (_values(frame, column) for column in ("started", "ended"))
    columns = zip(*texts, tags, *times, epochs, params, metrics, strict=True)
    return [Run(*values) for values in columns]


def as_number(text: str | None) -> float | None:
    """Read a number, possibly infinite, that was logged as text; None for what is none."""
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _logged(frame: pd.DataFrame, kind: str) -> list[dict[str, Any]]:
    """What each row has in the columns of a kind. By column: a table may have thousands of rows."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for column in frame.columns:
        if not column.startswith(f"{kind}."):
            continue
        name, values = column.removeprefix(f"{kind}."), frame[column]
        places = np.flatnonzero(values.notna().to_numpy())
        if kind == "metrics":
            values = values.astype(float)
        for place, value in zip(places.tolist(), _objects(values)[places].tolist(), strict=True):
            rows[place][name] = value
    return rows


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    return ["" if value is None else str(value) for value in _values(frame, column)]


def _values(frame: pd.DataFrame, column: str) -> list[Any]:
    """The values of a column, None where there is none."""
    if column not in frame:
        return [None] * len(frame)
    found = _objects(frame[column]).copy()
    found[frame[column].isna().to_numpy()] = None
    return found.tolist()


def _objects(values: pd.Series) -> np.ndarray:
    """Without pandas' own iteration, which takes microseconds per string."""
    return values.to_numpy(dtype=object)
