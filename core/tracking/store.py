"""RunStore: writes the runs of a tracking store, and reads what single runs have logged."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import randrange
from typing import Any

from filelock import FileLock

from core import config as configs
from core.config import ExperimentConfig
from core.system.files import parse_object
from core.system.process_ids import this_process
from core.system.redaction import redact
from core.system.settings import Settings, get_settings
from core.tracking import schema
from core.tracking.artifacts import Downloads
from core.tracking.client import StoreClient
from core.tracking.client_reader import ClientReader
from core.tracking.connections import is_database
from core.tracking.errors import DamagedArtifact, Fault, StoreError
from core.tracking.models import ONNX_FILE, Models
from core.tracking.opening import home_id
from core.tracking.places import local_path
from core.tracking.readers import RunReader
from core.tracking.run_state import RunState, UnknownRun
from core.tracking.sql_reader import SqlReader


class RunStore(StoreClient):
    """One tracking store. Safe to use from several threads and processes.

    Attributes:
        read: Reads of many runs, and those that are made many times a minute.
        models: The models that its runs logged.
        downloads: Local copies of artifacts that the store keeps elsewhere.
    """

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self.read: RunReader = SqlReader(self.uri) if is_database(self.uri) else ClientReader(self)
        self.downloads = Downloads(self)
        self.models = Models(self, self.downloads)

    # A run's life

    def create(
        self,
        config: ExperimentConfig,
        tags: Mapping[str, str] | None = None,
        chosen: Mapping[str, Any] | None = None,
    ) -> str:
        """Create a SCHEDULED run with its config attached, and return its id.

        Until it is scheduled this process is its owner: should it die in between, the run ends FAILED.

        Args:
            chosen: Values, by dotted name, of settings that the config leaves to be chosen. They are logged
                as parameters, so that runs can be compared; the config keeps what was written.
        """
        number = FileLock(self.settings.home / "number.lock")  # two launches at once would take the same one
        with number:
            run = self.client.create_run(
                self.experiment_id,
                start_time=self.read.next_moment(),
                run_name=config.title,
                tags={
                    schema.OWNER: this_process(),
                    schema.HOME: home_id(self.settings),
                    schema.USER: getpass.getuser(),
                    schema.NUMBER: str(self.read.last_number() + 1),
                    schema.WANTS: f"{config.training.devices} {config.training.device}",
                    **(tags or {}),
                },
            )
        run_id: str = run.info.run_id
        try:
            self._settle_number(run_id, run.data.tags[schema.NUMBER])
            self.log_params(run_id, config.flat() | dict(chosen or {}))
            self.client.log_text(run_id, config.to_yaml(), schema.CONFIG)
            self.set_status(run_id, schema.SCHEDULED)
        except BaseException as error:
            with suppress(Exception):  # a store that takes nothing at all: it is ended when this process has
                self.fail(run_id, f"The run could not be written down: {error}")
            raise
        return run_id

    def create_group(self, name: str, size: int, tags: Mapping[str, str] | None = None) -> str:
        """Create the parent of `size` runs, RUNNING until these have ended, and return its id."""
        run = self.client.create_run(
            self.experiment_id,
            run_name=name,
            tags={
                schema.GROUP: str(size),
                schema.OWNER: this_process(),
                schema.USER: getpass.getuser(),
                **(tags or {}),
            },
        )
        return run.info.run_id

    def reopen(self, run_id: str) -> None:
        """Make a run that has ended SCHEDULED again, without the tags of its last attempt.

        Its group is RUNNING again too.
        """
        tags = self.state(run_id).tags
        for tag in schema.OF_AN_ATTEMPT:
            if tag in tags:
                self.delete_tag(run_id, tag)
        self.own(run_id)
        self.set_status(run_id, schema.SCHEDULED)
        if (parent := tags.get(schema.PARENT)) is not None:
            self.delete_tag(parent, schema.FAILURE)
            self.set_status(parent, schema.RUNNING)

    def set_status(self, run_id: str, status: str) -> None:
        """Set the state of a run; a final one also sets its end time."""
        if status in schema.ENDED:
            self.client.set_terminated(run_id, status=status)
        else:
            self.client.update_run(run_id, status=status)
        self.read.changed(run_id)

    def own(self, run_id: str) -> None:
        """Log this process as the owner of a run."""
        self.set_tags(run_id, {schema.OWNER: this_process()})

    def request_cancel(self, run_id: str) -> None:
        """Cancel a run: a queued one ends at once, a running one is ended by the worker."""
        state = self.state(run_id)
        if not state.active:
            return
        self.set_tags(run_id, {schema.CANCEL: "requested"})
        if state.status == schema.SCHEDULED:
            self.set_status(run_id, schema.KILLED)

    def fail(self, run_id: str, reason: str) -> None:
        """End a run FAILED. reason: one line."""
        self.set_tags(run_id, {schema.FAILURE: reason})
        self.set_status(run_id, schema.FAILED)

    # What a run logs

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.entities import Param

        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])
        self.read.changed(run_id)

    def log_metrics(
        self,
        run_id: str,
        metrics: Mapping[str, float],
        step: int = 0,
        tags: Mapping[str, str] | None = None,
        when: int | None = None,
    ) -> None:
        """Log values at a step, and tags.

        Args:
            when: Milliseconds since 1970, default: now. A write repeated with the same time is stored once,
                whatever part of it the store had accepted before.
        """
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000) if when is None else when
        client.log_batch(
            run_id,
            metrics=[Metric(key, float(value), now, step) for key, value in metrics.items()],
            tags=[
                RunTag(key, redact(value) if key in schema.SENTENCES else value)
                for key, value in (tags or {}).items()
            ],
        )
        self.read.changed(run_id)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self.log_metrics(run_id, {}, tags=tags)

    def delete_tag(self, run_id: str, tag: str) -> None:
        """Delete a tag; one that does not exist is no error."""
        if tag not in self.state(run_id).tags:
            return
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.exceptions import MlflowException

        try:
            client.delete_tag(run_id, tag)
        except MlflowException:
            if tag in self.state(run_id).tags:  # else somebody else was quicker
                raise
        self.read.changed(run_id)

    def log_json(self, run_id: str, value: Any, name: str) -> None:
        self.client.log_text(run_id, json.dumps(value, indent=2, ensure_ascii=False), name)

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        self.client.log_artifact(run_id, str(path), folder)

    def log_dataset(self, run_id: str, name: str, digest: str, source: str, profile: Mapping) -> None:
        """Log the dataset of a run as an MLflow dataset input."""
        from mlflow.entities import Dataset, DatasetInput

        dataset = Dataset(
            name=name,
            digest=digest[:36],
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=json.dumps(profile),
        )
        self.client.log_inputs(run_id, [DatasetInput(dataset, [])])
        self.read.changed(run_id)

    # Reading

    def state(self, run_id: str) -> RunState:
        """Read status and tags of a run. Raises UnknownRun."""
        return self.read.state(run_id)

    def active(self) -> list[RunState]:
        """Read the runs that are SCHEDULED or RUNNING, in the order of submission."""
        return self.read.active()

    def resolve(self, prefix: str) -> str:
        """Return the id that begins with `prefix`. Raises UnknownRun when there is none or several."""
        ids = [run_id for run_id in self.read.run_ids() if run_id.startswith(prefix)]
        if len(ids) != 1 or not prefix:
            found = "No run has" if not ids else f"{len(ids)} runs have ids that begin with"
            raise UnknownRun(f"{found} the id '{prefix}'.")
        return ids[0]

    def config(self, run_id: str) -> ExperimentConfig:
        """Read the config that a run was launched with.

        Older versions had no `data.preprocessing: auto`: weights overruled the default, which the config
        then names although the run used another preprocessing. It is read as `auto`, also where the run has
        not begun and so has not logged what it uses.

        Raises:
            FileNotFoundError: When its files are gone.
            DamagedArtifact: When they cannot be read.
        """
        try:
            config = configs.from_yaml(self.read_text(run_id, schema.CONFIG))
        except configs.ConfigError as error:
            raise DamagedArtifact(run_id, schema.CONFIG, error) from error
        if config.model.weights == "none" or config.data.preprocessing != configs.DEFAULT_PREPROCESSING:
            return config
        try:
            used = self.read_json(run_id, schema.DATA).get("preprocessing")
        except FileNotFoundError:
            used = "what the weights expect" if configs.is_older(config) else None
        if used in (None, config.data.preprocessing):
            return config
        return config.with_values({"data.preprocessing": "auto"})

    def read_json(self, run_id: str, name: str, needed: Collection[str] = ()) -> dict[str, Any]:
        """Read a JSON object that was logged with a run.

        Args:
            needed: Keys that it must have.

        Raises:
            FileNotFoundError: When the run has no such artifact.
            DamagedArtifact: When it cannot be read or lacks a key.
        """
        try:
            found = parse_object(self.read_text(run_id, name))
        except ValueError as error:
            raise DamagedArtifact(run_id, name, error) from error
        if missing := [key for key in needed if key not in found]:
            raise DamagedArtifact(run_id, name, f"it has no '{missing[0]}'")
        return found

    def read_text(self, run_id: str, name: str) -> str:
        return self.artifact(run_id, name).read_text(encoding="utf-8", errors="replace")

    def artifact(self, run_id: str, name: str) -> Path:
        """Return a local path of one artifact, downloaded when the store is elsewhere.

        Raises:
            FileNotFoundError: When the run has none of that name.
            SettingsError: When the store is away, or a download cannot be written on this machine.
        """
        folder = self.read.local_artifacts(run_id)
        if folder is None:
            return self.downloads.artifact(run_id, name)
        if not (folder / name).exists():
            raise FileNotFoundError(f"The run {run_id} has no '{name}'.")
        return folder / name

    def onnx_file(self, run_id: str) -> Path:
        """Return a local path of the ONNX file of a run's model, downloaded when the store is elsewhere.

        A database with its files on this machine is read without MLflow, whose import takes seconds.

        Raises:
            FileNotFoundError: When the run has none.
            SettingsError: When the store is away, or a download cannot be written on this machine.
        """
        found = self.read.newest_model(run_id)
        if found is None:
            raise FileNotFoundError(f"The run {run_id} has no saved model.")
        model_id, place = found
        folder = local_path(place)
        if folder is None:
            try:
                return self.downloads.model_file(model_id, f"{place}/{ONNX_FILE}")
            except StoreError as error:
                if error.fault is Fault.REFUSED:
                    raise FileNotFoundError(f"The run {run_id} has no ONNX file.") from error
                raise
        if not (folder / ONNX_FILE).exists():
            raise FileNotFoundError(f"The run {run_id} has no ONNX file.")
        return folder / ONNX_FILE

    def _settle_number(self, run_id: str, number: str) -> None:
        """Choose another number while a run of another installation that shares the store has the same."""
        while not self.is_own_database and self.read.count_numbered(number) > 1:
            # the other installation may be choosing a number as well
            number = str(self.read.last_number() + 1 + randrange(8))
            self.set_tags(run_id, {schema.NUMBER: number})


@cache
def _store_for(settings: Settings) -> RunStore:
    return RunStore(settings)


def get_store() -> RunStore:
    """Return the store of this process' settings, opened once."""
    return _store_for(get_settings())
