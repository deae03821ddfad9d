"""Takes a run out of the store for good, with all files that it logged."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from core.tracking.store import RunStore

logger = logging.getLogger(__name__)


def registered_as(store: RunStore, run_id: str) -> list[str]:
    """Names and versions of the registered models that were made of a run."""
    found = store.client.search_model_versions(f"run_id = '{run_id}'")
    return [f"{version.name} (version {version.version})" for version in found]


def erase(store: RunStore, run_id: str) -> list[str]:
    """Delete a run, its artifacts and its saved model.

    MLflow's `delete_run` marks the run and leaves every file; here the files are removed too. The run's row
    stays in the database, marked as deleted and shown nowhere, until somebody runs `mlflow gc` there.

    Returns:
        The places whose files could not be removed, with the reason: a server may not allow it.
    """
    run = store.run(run_id)
    named = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    models = store.logged_models(run_id)  # without the ones that were replaced, which a run goes on naming
    places = [run.info.artifact_uri, *(model.artifact_location for model in models)]
    store.client.delete_run(run_id)
    for model in models:
        store.client.delete_logged_model(model.model_id)
    left = [reason for place in places if (reason := remove_files(place)) is not None]
    store.forget_downloads(run_id, *named)
    return left


def remove_files(place: str) -> str | None:
    """Remove all artifacts of a run or of a saved model.

    Args:
        place: Their location, as MLflow has it.

    Returns:
        The place and the reason when they could not be removed, else None.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        get_artifact_repository(place).delete_artifacts()
    except FileNotFoundError:
        return None  # there never were any
    except Exception as error:  # what they belonged to is deleted already, so this is no reason to stop
        logger.warning("The files at %s were not removed: %s", place, error)
        return f"{place} ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    _remove_empty_parent(place)
    return None


def _remove_empty_parent(place: str) -> None:
    """MLflow keeps the artifacts of a run in a folder of its own, which is now empty."""
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        with suppress(OSError):  # there is something else in it
            Path(url2pathname(parts.path)).parent.rmdir()
