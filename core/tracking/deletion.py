"""Deletes a run for good, with all files that it logged."""

from __future__ import annotations

from core.tracking.removal import remove_files
from core.tracking.store import RunStore


def erase(store: RunStore, run_id: str) -> list[str]:
    """Delete a run, its artifacts and its saved model.

    MLflow's `delete_run` marks the run and leaves every file; here the files are removed too. The run's row
    stays in the database, marked as deleted and shown nowhere, until somebody runs `mlflow gc` there.

    Returns:
        The places whose files could not be removed, with the reason: a server may not allow it.
    """
    run = store.run(run_id)
    named = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    models = store.models.logged_by(run_id)  # without replaced ones, which a run goes on naming
    places = [run.info.artifact_uri, *(model.artifact_location for model in models)]
    store.client.delete_run(run_id)
    store.read.changed(run_id)
    for model in models:
        store.client.delete_logged_model(model.model_id)
    left = [reason for place in places if (reason := remove_files(place)) is not None]
    store.downloads.forget(run_id, *named)
    return left
