"""Archive runs and restore them: an archived run keeps all its files, and no list or comparison has it."""

from __future__ import annotations

from collections.abc import Sequence

from core.config import ConfigError
from core.jobs.deletion import expanded
from core.tracking import frames, schema
from core.tracking.run import Run, runs_of
from core.tracking.store import RunStore


def archive(store: RunStore, run_ids: Sequence[str]) -> list[str]:
    """Archive runs, or all runs of groups; returns the ids of the runs. None is archived when one may not be.

    That is a tag, not MLflow's own deletion of a run, which `mlflow gc` completes with all files.

    Raises:
        NotAllowed: On a read-only server.
        UnknownRun: When there is no such run.
        ConfigError: When a run is active, or was logged by another program.
    """
    store.settings.require_trainer("archive a run")
    chosen = _chosen(store, run_ids)
    for run in chosen:
        if not run.is_ours:
            raise ConfigError(f"'{run.name}' was logged by another program, so it is not archived here.")
        if run.active:
            raise ConfigError(f"'{run.name}' is {run.status}: cancel it before archiving it.")
    for run in chosen:
        if not run.archived:
            store.set_tags(run.run_id, {schema.ARCHIVED: "yes"})
    return [run.run_id for run in chosen]


def restore(store: RunStore, run_ids: Sequence[str]) -> list[str]:
    """Put archived runs, or those of groups, back into lists and comparisons; returns the ids of the runs.

    Raises NotAllowed, UnknownRun.
    """
    store.settings.require_trainer("restore a run")
    chosen = _chosen(store, run_ids)
    for run in chosen:
        if run.archived:
            store.delete_tag(run.run_id, schema.ARCHIVED)
    return [run.run_id for run in chosen]


def _chosen(store: RunStore, run_ids: Sequence[str]) -> list[Run]:
    keys = (schema.ARCHIVED, schema.NUMBER)
    runs = {run.run_id: run for run in runs_of(frames.runs(store, keys, archived=True))}
    return [runs[run_id] for run_id in expanded(store, run_ids, runs)[0]]
