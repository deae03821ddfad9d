"""Forecasts for the table of the queue: when runs of this installation start and end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import partial

import streamlit as st

from core.analysis.expected import Expected, ResourceRequest, SpeedModel, forecast_queue, remaining
from core.jobs.slots import AUTO, CLUSTER, fits, limit
from core.system.devices import CPU
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.opening import home_id
from core.tracking.run import Run
from core.tracking.store import RunStore, get_store
from core.ui.common import stored_runs
from core.ui.common.kept import BY_HASH


def own_runs(store: RunStore) -> dict[str, Run]:
    """Return the runs of this installation by id, newest first."""
    here = home_id(store.settings)
    return {run.run_id: run for run in stored_runs.queue_runs() if run.tags.get(schema.HOME) == here}


def speed_model(runs: Mapping[str, Run], slots: Sequence[str]) -> SpeedModel:
    """Return the times of earlier runs, those on one kind of device apart from those on another."""
    return SpeedModel(runs.values(), lambda run: device_kind(run, slots))


def present_speed_model(store: RunStore, slots: Sequence[str]) -> SpeedModel:
    """Return that of the runs of this installation, made once for all visitors until the runs change.

    It costs 50 µs a run, and several panels ask for it each second.
    """
    return _present(store.settings, stored_runs.version(), tuple(slots))


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_HASH)
def _present(settings: Settings, version: Hashable, slots: tuple[str, ...]) -> SpeedModel:
    return speed_model(own_runs(get_store()), slots)


def device_kind(run: Run, slots: Sequence[str]) -> str:
    """Return `cpu`, `cluster` or `gpu`: where a run trained, or will by its own choice or the worker's."""
    device = run.device
    if device is None or run.status == schema.SCHEDULED:
        device = wanted_device(run, slots)
        if device == AUTO:
            device = next((slot for slot in slots if fits(slot, AUTO, Counter(slots))), AUTO)
    return device if device in (CPU, CLUSTER) else "gpu"


def expectations(
    running: Sequence[Run], waiting: Sequence[Run], slots: Sequence[str], speeds: SpeedModel
) -> dict[str, Expected]:
    """Forecast when running runs end, and when waiting ones start and end, by run id.

    Args:
        waiting: In the order in which they will start.
        slots: As `core.jobs.slots.slots_of` has them.
    """
    now = time.time()
    left = {run.run_id: remaining(run, speeds, now) for run in running}
    busy = [(left[run.run_id], (run.device or "").split(",")) for run in running]
    requests = [resource_request(run, speeds, slots) for run in waiting]
    found = {
        run.run_id: when for run, when in zip(waiting, forecast_queue(busy, requests, slots), strict=True)
    }
    return found | {run_id: Expected(None, seconds) for run_id, seconds in left.items()}


def resource_request(run: Run, speeds: SpeedModel, slots: Sequence[str]) -> ResourceRequest:
    """Return the devices and the time that a waiting run needs."""
    wanted, all_devices = wanted_device(run, slots), Counter(slots)
    count = min(run.whole_setting("training.devices", 1), limit(slots))
    serves = partial(fits, wanted=wanted, all_devices=all_devices)
    passes = wanted != AUTO and not fits(wanted, AUTO, all_devices)
    return ResourceRequest(speeds.seconds(run), count, serves, passable=wanted != AUTO, passes=passes)


def wanted_device(run: Run, slots: Sequence[str]) -> str:
    """Return the device that a run was launched for; `auto` on a cluster, and for runs of older versions."""
    return AUTO if CLUSTER in slots else run.params.get("training.device", AUTO)
