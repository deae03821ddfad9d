"""One tracking store as MLflow's client reaches it."""

from __future__ import annotations

import os
import time
from threading import Lock
from typing import TYPE_CHECKING

from core.system.settings import Settings
from core.tracking import schema
from core.tracking.connections import asking, check_uri, require_answer
from core.tracking.errors import store_errors
from core.tracking.opening import database_identity, ensure_store, is_own_database
from core.tracking.patience import repeating_reads
from core.tracking.run_state import UnknownRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the second: a malformed id


class StoreClient:
    """A tracking store that exists and answers. Safe to use from several threads and processes."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.uri = settings.tracking_uri
        self._lock = Lock()
        self._opened: tuple[tuple[int, int] | None, MlflowClient, str] | None = None
        check_uri(self.uri)
        require_answer(self.uri)
        with store_errors(self.uri):
            ensure_store(settings)
        if not self.is_own_database:
            _ = self.client  # what is elsewhere may be out of reach: say so at once

    @property
    def client(self) -> MlflowClient:
        """The MLflow client, made on first use: what SQL alone reads never waits for it.

        Raises StoreError, within seconds, when the store is a server or a database that does not answer.
        """
        require_answer(self.uri)
        return self._client_and_experiment()[0]

    @property
    def experiment_id(self) -> str:
        return self._client_and_experiment()[1]

    def _client_and_experiment(self) -> tuple[MlflowClient, str]:
        """Both, of the database that is there now: it may have been replaced by another one."""
        place = database_identity(self.settings)
        if self._opened is not None and self._opened[0] in (place, None):
            return self._opened[1:]
        require_answer(self.uri)
        # A command prints ids and JSON alone; MLflow would add addresses of runs and progress bars.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        with self._lock, store_errors(self.uri):
            if self._opened is not None:
                ensure_store(self.settings)
            import mlflow
            from mlflow import MlflowClient

            mlflow.set_tracking_uri(self.uri)  # logged models and artifacts are resolved through it
            client = repeating_reads(MlflowClient(self.uri))
            experiment = client.get_experiment_by_name(schema.EXPERIMENT)
            assert experiment is not None  # ensure_store made it
            self._opened = place, client, experiment.experiment_id
            return self._opened[1:]

    @property
    def is_own_database(self) -> bool:
        """Whether the store is the database in our own folder."""
        return is_own_database(self.settings)

    def run(self, run_id: str) -> Run:
        """Read an MLflow run. Raises UnknownRun, and SettingsError for a store that does not answer."""
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.exceptions import MlflowException

        with asking(self.uri):
            try:
                return client.get_run(run_id)
            except MlflowException as error:
                if error.error_code not in NO_SUCH_RUN:
                    raise
                raise UnknownRun(f"No run has the id '{run_id}'.") from error

    def touch(self, run_id: str) -> None:
        """Write a tag without meaning, to test whether the store accepts writes to this run."""
        self.client.set_tag(run_id, schema.TOUCHED, str(int(time.time() * 1000)))
