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
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    run = store.run(run_id)
    models = [output.model_id for output in run.outputs.model_outputs] if run.outputs else []
    places = [run.info.artifact_uri]
    for model_id in models:
        places.append(store.client.get_logged_model(model_id).artifact_location)
    store.client.delete_run(run_id)
    for model_id in models:
        store.client.delete_logged_model(model_id)
    left = []
    for place in places:
        try:
            get_artifact_repository(place).delete_artifacts()
        except FileNotFoundError:
            continue  # it never had any
        except Exception as error:  # the run is deleted already: say what is left of it, and go on
            logger.warning("The files at %s were not removed: %s", place, error)
            left.append(f"{place} ({str(error).splitlines()[0] if str(error) else type(error).__name__})")
            continue
        _remove_empty_parent(place)
    return left


def _remove_empty_parent(place: str) -> None:
    """MLflow keeps the artifacts of a run in a folder of its own, which is now empty."""
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        with suppress(OSError):  # there is something else in it
            Path(url2pathname(parts.path)).parent.rmdir()
