"""Artifacts of runs whose files are not on this machine, downloaded through MLflow."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from core.tracking import schema
from core.tracking.client import StoreClient
from core.tracking.connections import asking
from core.tracking.downloads import kept
from core.tracking.errors import Fault, StoreError, first_line
from core.tracking.patience import once_more


class Downloads:
    """The local copies of artifacts that a store keeps elsewhere."""

    def __init__(self, store: StoreClient):
        self.store = store
        self.folder = store.settings.cache / "artifacts"

    def artifact(self, run_id: str, name: str) -> Path:
        """A local copy of one artifact.

        Raises FileNotFoundError when the run has none of that name, SettingsError when the store is away or
        this machine's disk takes no download.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.utils.uri import append_to_uri_path

        run = self.store.run(run_id)  # a store that is away says so
        place = append_to_uri_path(run.info.artifact_uri, name)  # by the run's id MLflow hides why it failed
        # What a run that has ended kept changes only with its next end.
        ended = run.info.end_time if run.info.status in schema.ENDED else None
        try:
            return kept(
                self.folder,
                run_id,
                f"{ended or 0}-{name}",
                lambda folder: self.fetch(place, folder),
                renew=ended is None,
            )
        except (MlflowException, OSError) as error:
            if self._lists(run_id, name):  # the store may be away by now, which the question says by itself
                raise StoreError(self.store.uri, first_line(error.__cause__ or error), Fault.AWAY) from error
            raise FileNotFoundError(f"The run {run_id} has no '{name}'.") from error

    def model_file(self, model_id: str, place: str) -> Path:
        """The file of a logged model, downloaded unless it is on this machine. place: as MLflow has it."""
        with asking(self.store.uri):
            if place.startswith("file:"):
                return self.fetch(place, None)  # nothing is copied
            return kept(
                self.folder, model_id, PurePosixPath(place).name, lambda folder: self.fetch(place, folder)
            )

    def fetch(self, place: str, folder: Path | None) -> Path:
        """Download one artifact into a folder. place: as MLflow has it. folder: None where it is local."""
        import mlflow

        download = once_more(mlflow.artifacts.download_artifacts)
        where = str(folder) if folder else None
        return Path(download(artifact_uri=place, tracking_uri=self.store.uri, dst_path=where))

    def forget(self, *owners: str) -> None:
        """Delete the local copies of artifacts of runs and models. owners: their ids."""
        for owner in owners:
            shutil.rmtree(self.folder / owner, ignore_errors=True)

    def _lists(self, run_id: str, name: str) -> bool:
        """Whether a run has an artifact. Raises SettingsError when the store is away."""
        folder = name.rpartition("/")[0] or None
        self.store.run(run_id)
        with asking(self.store.uri):
            return any(file.path == name for file in self.store.client.list_artifacts(run_id, folder))
