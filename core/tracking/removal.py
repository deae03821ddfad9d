"""Removes the files of a run or of a saved model, local or remote."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

logger = logging.getLogger(__name__)


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
