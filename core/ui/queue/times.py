"""What the queue's table tells of devices and times: when runs of this installation start and end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

import pandas as pd

from core.analysis.expected import DEVICE_KIND, Expected, Experience, Run, Wish, remaining, timetable, whole
from core.jobs.slots import AUTO, CLUSTER, fits, limit
from core.system.devices import CPU
from core.tracking import schema
from core.tracking.opening import home_id
from core.tracking.store import RunStore
from core.ui.common import reads

DEVICE, HOME = f"tags.{schema.DEVICE}", f"tags.{schema.HOME}"


def own_runs(store: RunStore, slots: Sequence[str]) -> pd.DataFrame:
    """The runs of this installation, by id, with the kind of device each has or will have."""
    runs = reads.queue_runs()
    if HOME not in runs:
        return runs.iloc[:0].set_index("run_id", drop=False)
    runs = runs[runs[HOME] == home_id(store.settings)].set_index("run_id", drop=False)
    kinds = [device_kind(run, slots) for run in runs.to_dict("records")]
    return runs.assign(**{DEVICE_KIND: kinds})


def device_kind(run: Run, slots: Sequence[str]) -> str:
    """`cpu`, `cluster` or `gpu`: what it trained on, or will by its own choice or the worker's."""
    device = run.get(DEVICE)
    if not isinstance(device, str) or run["status"] == schema.SCHEDULED:
        device = wanted_device(run, slots)
        if device == AUTO:
            device = next((slot for slot in slots if fits(slot, AUTO, Counter(slots))), AUTO)
    return device if device in (CPU, CLUSTER) else "gpu"


def expectations(
    runs: pd.DataFrame,
    running: pd.DataFrame,
    turn: Sequence[str],
    slots: Sequence[str],
    experience: Experience,
) -> dict[str, Expected]:
    """When what runs ends, and what waits starts and ends. turn: ids in the order in which they start."""
    now = time.time()
    left = {run_id: remaining(run, experience, now) for run_id, run in running.iterrows()}
    busy = [(left[run_id], str(run.get(DEVICE)).split(",")) for run_id, run in running.iterrows()]
    wishes = [wish(run, experience, slots) for run in runs.loc[list(turn)].to_dict("records")]
    found = dict(zip(turn, timetable(busy, wishes, slots), strict=True))
    return found | {run_id: Expected(None, seconds) for run_id, seconds in left.items()}


def wish(run: Run, experience: Experience, slots: Sequence[str]) -> Wish:
    wanted, all_devices = wanted_device(run, slots), Counter(slots)
    count = min(whole(run.get("params.training.devices"), 1), limit(slots))
    serves = partial(fits, wanted=wanted, all_devices=all_devices)
    passes = wanted != AUTO and not fits(wanted, AUTO, all_devices)
    return Wish(experience.seconds(run), count, serves, passable=wanted != AUTO, passes=passes)


def wanted_device(run: Run, slots: Sequence[str]) -> str:
    """The device that a run was launched for; a cluster chooses for itself, and earlier versions did."""
    wanted = run.get("params.training.device")
    return AUTO if not isinstance(wanted, str) or CLUSTER in slots else wanted
