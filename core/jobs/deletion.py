"""Delete runs and datasets; lock runs against deletion."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd

from core.config import ConfigError
from core.importing import importer
from core.registry import UnknownName
from core.tracking import deletion, frames, schema
from core.tracking.run import Run, runs_of
from core.tracking.run_state import RunState, UnknownRun
from core.tracking.store import RunStore
from core.tracking.tables import column

KEYS = (schema.EXTENDS, schema.NUMBER, schema.LOCKED, schema.PARENT, "model.weights", "data.name")


@dataclass(frozen=True)
class Deleted:
    """The deleted runs. left: files and folders that could not be removed, each with the reason."""

    run_ids: tuple[str, ...]
    left: tuple[str, ...] = ()


def delete(store: RunStore, run_ids: Sequence[str]) -> Deleted:
    """Delete runs for good: artifacts, saved models, checkpoints and logs too.

    All are checked first; when one may not be deleted, nothing is.

    Args:
        run_ids: Runs, or groups: all runs of a group are deleted with it.

    Raises:
        NotAllowed: On a read-only server.
        UnknownRun: When there is no such run.
        ConfigError: When a run is active, locked, registered, logged by another program, or when a run that
            stays extends it or starts from its weights.
    """
    store.settings.require_trainer("delete a run")
    runs = {run.run_id: run for run in runs_of(frames.runs(store, KEYS, archived=True))}
    chosen, groups = expanded(store, run_ids, runs)
    parents = _groups(store, {*groups, *(runs[run_id].parent for run_id in chosen)})
    for parent in parents:
        if schema.LOCKED in parent.tags:
            raise ConfigError(f"'{parent.name}' is locked: unlock it before deleting it or any of its runs.")
    for run_id in chosen:
        if (reason := obstacle(store, runs, run_id, chosen)) is not None:
            raise ConfigError(reason)
    left: list[str] = []
    for run_id in chosen:
        left += deletion.erase(store, run_id)
        shutil.rmtree(store.settings.jobs / run_id, ignore_errors=True)
    stay = {run.parent for run_id, run in runs.items() if run_id not in chosen}
    for parent in parents:
        if parent.run_id not in stay:  # the group has no run any more
            left += deletion.erase(store, parent.run_id)
    return Deleted(tuple(chosen), tuple(left))


def _groups(store: RunStore, parents: Iterable[object]) -> list[RunState]:
    """Return the parents that are groups; other programs write parents too."""
    found = []
    for parent in parents:
        if isinstance(parent, str):
            with suppress(UnknownRun):
                found.append(store.state(parent))
    return [state for state in found if schema.GROUP in state.tags]


def obstacle(store: RunStore, runs: Mapping[str, Run], run_id: str, chosen: Sequence[str] = ()) -> str | None:
    """Return why a run may not be deleted, in one sentence; None if it may.

    Args:
        runs: All runs by id, with at least what `KEYS` names.
        chosen: Ids of the runs that are deleted with it.
    """
    run = runs[run_id]
    if not run.is_ours:
        return f"'{run.name}' was logged by another program, so it is not deleted here."
    if run.active:
        return f"'{run.name}' is {run.status}: cancel it before deleting it."
    if run.locked:
        return f"'{run.name}' is locked: unlock it before deleting it."
    others = [other for other in runs.values() if other.run_id not in (*chosen, run_id)]
    extended = [other for other in others if other.extends == run_id]
    starting = [other for other in others if starts_from(other.params.get("model.weights"), run_id)]
    for needing, how in ((extended, "extends it"), (starting, "starts from its weights")):
        if needing:
            more = f" and {len(needing) - 1} more" if len(needing) > 1 else ""
            return f"'{run.name}' is needed: '{needing[0].name}'{more} {how}."
    names = store.models.registered_as(run_id)
    if names:
        return f"'{run.name}' is registered as {', '.join(names)}: delete that version first."
    return None


def starts_from(weights: object, run_id: str) -> bool:
    """Return whether a run's `model.weights` names another run, by its id or a prefix of it."""
    named = weights.removeprefix("run:") if isinstance(weights, str) and weights.startswith("run:") else ""
    return bool(named) and run_id.startswith(named)


def lock(store: RunStore, run_ids: Sequence[str]) -> None:
    """Protect runs from being deleted. Raises NotAllowed, UnknownRun."""
    store.settings.require_trainer("lock a run")
    for run_id in run_ids:
        store.state(run_id)
        store.set_tags(run_id, {schema.LOCKED: "yes"})


def unlock(store: RunStore, run_ids: Sequence[str]) -> None:
    """Let runs be deleted again. Raises NotAllowed, UnknownRun."""
    store.settings.require_trainer("unlock a run")
    for run_id in run_ids:
        store.delete_tag(run_id, schema.LOCKED)


def users_of(store: RunStore, dataset: str) -> pd.DataFrame:
    """Return the runs that were launched on a dataset, newest first: run_id, name, status."""
    runs = frames.runs(store, ["data.name"], archived=True)
    return runs[column(runs, "params.data.name", object) == dataset]


def delete_dataset(store: RunStore, name: str) -> pd.DataFrame:
    """Delete a dataset from disk, never the files that it was imported from.

    Returns:
        The runs that were trained on it (`users_of`): they stay, with all that they logged, but can neither
        be resumed nor show their images.

    Raises:
        NotAllowed: On a read-only server.
        ConfigError: When no dataset on disk has this name, or a run that is queued or trains uses it.
    """
    store.settings.require_trainer("delete a dataset")
    users = users_of(store, name)
    active = users[users["status"].isin(schema.ACTIVE)]
    if len(active):
        more = f" and {len(active) - 1} more" if len(active) > 1 else ""
        raise ConfigError(
            f"The dataset '{name}' is in use: '{active['name'].iloc[0]}'{more} is queued or trains on it."
        )
    try:
        importer.remove(name)
    except UnknownName as error:
        raise ConfigError(str(error)) from error
    return users


def expanded(store: RunStore, run_ids: Sequence[str], runs: Mapping[str, Run]) -> tuple[list[str], list[str]]:
    """Return the runs of some ids, with those of groups, each once; and the groups among the ids."""
    chosen, groups = [], []
    for run_id in dict.fromkeys(run_ids):
        if run_id in runs:
            chosen.append(run_id)
            continue
        state = store.state(run_id)  # raises UnknownRun
        if schema.GROUP not in state.tags:
            raise ConfigError(f"The run '{state.name}' was deleted meanwhile.")
        groups.append(run_id)
        children = store.read.children(run_id)[run_id]
        chosen += [child.run_id for child in children if child.run_id in runs]
    return list(dict.fromkeys(chosen)), groups
