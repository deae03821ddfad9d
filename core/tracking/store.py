"""RunStore: creates the MLflow store once, and reads and writes single runs through the MLflow client."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import randrange
from threading import Lock
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock

from core import config as configs
from core.config import ExperimentConfig
from core.system.files import parse_object
from core.system.process_ids import this_process
from core.system.redaction import redact
from core.system.settings import Settings, get_settings
from core.tracking import schema, states
from core.tracking.connections import asking, check_uri, require_answer
from core.tracking.downloads import kept
from core.tracking.errors import DamagedArtifact, Fault, StoreError, first_line, store_errors
from core.tracking.opening import database_identity, ensure_store, home_id, is_own_database
from core.tracking.patience import patiently
from core.tracking.states import RunState, UnknownRun

if TYPE_CHECKING:
    import keras
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import ModelSignature

KERAS_FILE = "data/model.keras"  # of a logged model
NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the second: it could be no run's id


class RunStore:
    """One tracking store. Safe to use from several threads and processes."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.uri = settings.tracking_uri
        self._lock = Lock()
        self._opened: tuple[tuple[int, int] | None, MlflowClient, str] | None = None
        self._with_keras_file: dict[str, bool] = {}  # by the id of a logged model, where it lies elsewhere
        check_uri(self.uri)
        require_answer(self.uri)
        with store_errors(self.uri):
            ensure_store(settings)
        if not self.is_own_database:
            _ = self.client  # what is elsewhere may be out of reach: say so at once

    @property
    def client(self) -> MlflowClient:
        """The MLflow client, made when it is first asked for: what SQL alone reads never waits for it.

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
        # A command prints ids and JSON alone; MLflow would add the addresses of runs that end.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        with self._lock, store_errors(self.uri):
            if self._opened is not None:
                ensure_store(self.settings)
            import mlflow
            from mlflow import MlflowClient

            mlflow.set_tracking_uri(self.uri)  # logged models and artifacts are resolved through it
            client = MlflowClient(self.uri)
            experiment = client.get_experiment_by_name(schema.EXPERIMENT)
            assert experiment is not None  # ensure_store made it
            self._opened = place, client, experiment.experiment_id
            return self._opened[1:]

    @property
    def is_own_database(self) -> bool:
        """Whether the store is the database in our own folder."""
        return is_own_database(self.settings)

    # A run's life

    def create(
        self,
        config: ExperimentConfig,
        tags: Mapping[str, str] | None = None,
        chosen: Mapping[str, Any] | None = None,
    ) -> str:
        """A new run with its config attached, SCHEDULED; returns its id.

        chosen: values, by dotted name, of settings that the config leaves to be chosen. Params have these, so
        that runs can be compared; the config keeps what the person wrote.

        Until it is scheduled this process is its owner: should it die in between, the run ends FAILED.
        """
        number = FileLock(self.settings.home / "number.lock")  # two launches at once would take the same one
        with number:
            run = self.client.create_run(
                self.experiment_id,
                start_time=states.next_moment(self),
                run_name=config.title,
                tags={
                    schema.OWNER: this_process(),
                    schema.HOME: home_id(self.settings),
                    schema.USER: getpass.getuser(),
                    schema.NUMBER: str(self._next_number()),
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
        """A parent for so many runs, RUNNING until these have ended; returns its id."""
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

    def open_groups(self) -> list[RunState]:
        """The parents that have not ended."""
        return states.open_groups(self)

    def children(self, parent: str) -> list[states.Child]:
        """The runs of a group, in the order in which they were submitted."""
        return states.children(self, parent)

    def children_of(self, parents: Sequence[str]) -> dict[str, list[states.Child]]:
        """The runs of several groups by the group, each in the order in which they were submitted."""
        return states.children_of(self, parents)

    def reopen(self, run_id: str) -> None:
        """Make a run that has ended SCHEDULED again; what it said of its end is forgotten.

        Its group is open again too.
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
        """Move a run to a state; the final ones also set its end time."""
        if status in schema.ENDED:
            self.client.set_terminated(run_id, status=status)
        else:
            self.client.update_run(run_id, status=status)

    def own(self, run_id: str) -> None:
        """Write this process down as the one that answers for the run."""
        self.set_tags(run_id, {schema.OWNER: this_process()})

    def request_cancel(self, run_id: str) -> None:
        """Ask for a run to end. One still in the queue ends at once; the worker sees to a running one."""
        state = self.state(run_id)
        if not state.active:
            return
        self.set_tags(run_id, {schema.CANCEL: "requested"})
        if state.status == schema.SCHEDULED:
            self.set_status(run_id, schema.KILLED)

    def fail(self, run_id: str, reason: str) -> None:
        """End a run FAILED and say why in one line."""
        self.set_tags(run_id, {schema.FAILURE: reason})
        self.set_status(run_id, schema.FAILED)

    # What a run says

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.entities import Param

        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])

    def log_metrics(
        self,
        run_id: str,
        metrics: Mapping[str, float],
        step: int = 0,
        tags: Mapping[str, str] | None = None,
        when: int | None = None,
    ) -> None:
        """Log values at a step, and tags.

        when: milliseconds since 1970, default: now. A write that is tried again with the same moment does not
        stand twice, whatever of it the store had taken already.
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

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self.log_metrics(run_id, {}, tags=tags)

    def touch(self, run_id: str) -> None:
        """Write a tag of no meaning: it works exactly when the store takes writes to this run."""
        self.set_tags(run_id, {schema.TOUCHED: str(int(time.time() * 1000))})

    def delete_tag(self, run_id: str, tag: str) -> None:
        """Forget a tag; one that is not there is no error."""
        if tag not in self.state(run_id).tags:
            return
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.exceptions import MlflowException

        try:
            client.delete_tag(run_id, tag)
        except MlflowException:
            if tag in self.state(run_id).tags:  # else somebody else was quicker
                raise

    def log_json(self, run_id: str, value: Any, name: str) -> None:
        self.client.log_text(run_id, json.dumps(value, indent=2, ensure_ascii=False), name)

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        self.client.log_artifact(run_id, str(path), folder)

    def log_dataset(self, run_id: str, name: str, digest: str, source: str, profile: Mapping) -> None:
        """Note which data the run saw, as an MLflow dataset input."""
        from mlflow.entities import Dataset, DatasetInput

        dataset = Dataset(
            name=name,
            digest=digest[:36],
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=json.dumps(profile),
        )
        self.client.log_inputs(run_id, [DatasetInput(dataset, [])])

    def log_model(
        self, run_id: str, model: keras.Model, classes: Sequence[str] = (), images: str = ""
    ) -> int:
        """Save a model as the run's, however long the store is busy; returns its size in bytes.

        It takes the place of the one that an earlier attempt saved: a run has one model. classes: their
        names in the order of its answers, images: how its images are made, for the README beside the model.
        """
        import mlflow.utils.environment
        import numpy as np
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        signature = ModelSignature(
            inputs=Schema([TensorSpec(np.dtype("float32"), (-1, *model.input_shape[1:]), "images")]),
            outputs=Schema([TensorSpec(np.dtype("float32"), (-1, *model.output_shape[1:]))]),
        )
        # Comparing the requirements with all that is installed takes a second.
        with patch.object(mlflow.utils.environment, "warn_dependency_requirement_mismatches"):
            patiently(
                lambda: self._log_model(run_id, model, signature, classes, images),
                others=lambda: self.touch(run_id),
            )
        return patiently(lambda: self.model_file(run_id)).stat().st_size

    def _log_model(
        self,
        run_id: str,
        model: keras.Model,
        signature: ModelSignature,
        classes: Sequence[str],
        images: str,
    ) -> None:
        from mlflow.models import Model

        from core.tracking import deletion, model_files

        own = f"source_run_id = '{run_id}'"
        for earlier in self.client.search_logged_models([self.experiment_id], filter_string=own):
            self.client.delete_logged_model(earlier.model_id)
            self.forget_downloads(earlier.model_id)
            if not deletion.registered_as(self, run_id):  # a registered version uses the files in place
                deletion.remove_files(earlier.artifact_location)
        # Created here, because Model.log would put it into MLflow's active experiment.
        logged = self.client.create_logged_model(
            self.experiment_id, name=schema.MODEL, source_run_id=run_id, params=self.run(run_id).data.params
        )
        Model.log(
            None,
            flavor=model_files,
            name=schema.MODEL,
            run_id=run_id,
            model_id=logged.model_id,
            model=model,
            classes=classes,
            images=images,
            signature=signature,
            pip_requirements=model_files.requirements(),  # inferring them takes 8 s
        )

    def logged_models(self, run_id: str) -> list[LoggedModel]:
        """The models that a run has made and that were not deleted, the newest last."""
        from mlflow.exceptions import MlflowException

        outputs, found = self.run(run_id).outputs, []
        for output in outputs.model_outputs if outputs else ():
            try:
                found.append(self.client.get_logged_model(output.model_id))
            except MlflowException as error:
                if error.error_code not in NO_SUCH_RUN:
                    raise
        return sorted(found, key=lambda logged: logged.creation_timestamp)

    # Reading

    def run(self, run_id: str) -> Run:
        """The MLflow run. Raises UnknownRun, and SettingsError for a store that does not answer."""
        client = self.client  # first: it imports MLflow, one thread at a time
        from mlflow.exceptions import MlflowException

        with asking(self.uri):
            try:
                return client.get_run(run_id)
            except MlflowException as error:
                if error.error_code not in NO_SUCH_RUN:
                    raise
                raise UnknownRun(f"No run has the id '{run_id}'.") from error

    def state(self, run_id: str) -> RunState:
        """Status and tags of a run. Raises UnknownRun."""
        return states.state(self, run_id)

    def last_step(self, run_id: str, metric: str = "loss") -> int:
        """The last step at which the store has a metric, of the loss the last epoch; 0 before the first."""
        from core.tracking import frames

        return max(frames.histories(self, [run_id], [metric])["step"], default=0)

    def active(self) -> list[RunState]:
        """Runs that are SCHEDULED or RUNNING, in the order in which they were submitted."""
        return states.active(self)

    def resolve(self, prefix: str) -> str:
        """The id of the run that `prefix` begins. Raises UnknownRun when there is none or several."""
        from core.tracking import frames

        ids = [run_id for run_id in frames.run_ids(self) if run_id.startswith(prefix)]
        if len(ids) != 1 or not prefix:
            found = "No run has" if not ids else f"{len(ids)} runs have ids that begin with"
            raise UnknownRun(f"{found} the id '{prefix}'.")
        return ids[0]

    def config(self, run_id: str) -> ExperimentConfig:
        """The config that a run was launched with.

        Raises FileNotFoundError when its files are gone, DamagedArtifact when they cannot be read.

        Older versions had no `data.preprocessing: auto`: weights overruled the default, which then stands in
        the config although the run used another preprocessing. It is read as `auto`, also where the run has
        not begun and so has not logged what it uses.
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
        """A JSON object that was logged with a run.

        needed: keys that it must have. Raises FileNotFoundError, and DamagedArtifact for anything else.
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
        """A local path of one artifact; downloaded when the store is elsewhere.

        Raises FileNotFoundError when the run has none of that name, SettingsError when the store is away or
        this machine's disk takes no download.
        """
        if (folder := states.local_artifacts(self, run_id)) is not None:
            if not (folder / name).exists():
                raise FileNotFoundError(f"The run {run_id} has no '{name}'.")
            return folder / name
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.utils.uri import append_to_uri_path

        run = self.run(run_id)  # a store that is away says so
        place = append_to_uri_path(run.info.artifact_uri, name)  # by the run's id MLflow hides why it failed

        def download(folder: Path) -> Path:
            return Path(
                mlflow.artifacts.download_artifacts(
                    artifact_uri=place, tracking_uri=self.uri, dst_path=str(folder)
                )
            )

        # What a run that has ended kept changes only with its next end.
        ended = run.info.end_time if run.info.status in schema.ENDED else None
        try:
            return kept(self._downloads, run_id, f"{ended or 0}-{name}", download, renew=ended is None)
        except (MlflowException, OSError) as error:
            if self._lists(
                run_id, name
            ):  # it may have gone away meanwhile, which the question says by itself
                raise StoreError(self.uri, first_line(error.__cause__ or error), Fault.AWAY) from error
            raise FileNotFoundError(f"The run {run_id} has no '{name}'.") from error

    def _lists(self, run_id: str, name: str) -> bool:
        """Whether a run has an artifact. Raises SettingsError when the store is away."""
        folder = name.rpartition("/")[0] or None
        self.run(run_id)
        with asking(self.uri):
            return any(file.path == name for file in self.client.list_artifacts(run_id, folder))

    def model_file(self, run_id: str) -> Path:
        """The `.keras` file of a run, downloaded once when the store is elsewhere.

        Raises FileNotFoundError when it has none, StoreError when the store is away.
        """
        import mlflow

        with asking(self.uri):
            logged = [model for model in self.logged_models(run_id) if self._is_keras(model)]
        if not logged:
            raise FileNotFoundError(f"The run {run_id} has no saved model.")
        location = f"{logged[-1].artifact_location}/{KERAS_FILE}"

        def download(folder: Path | None) -> Path:
            return Path(
                mlflow.artifacts.download_artifacts(
                    artifact_uri=location, tracking_uri=self.uri, dst_path=str(folder) if folder else None
                )
            )

        with asking(self.uri):
            if location.startswith("file:"):
                return download(None)  # it is on this machine: nothing is copied
            return kept(self._downloads, logged[-1].model_id, "model.keras", download)

    def with_keras_model(self, run_ids: Collection[str]) -> list[str]:
        """Those of some runs, whoever logged them, that have a Keras model."""
        if not run_ids:
            return []
        wanted, found = set(run_ids), set[str | None]()
        with asking(self.uri):
            experiments = [one.experiment_id for one in self.client.search_experiments()]
            token = None
            while True:
                page = self.client.search_logged_models(experiments, page_token=token)
                found |= {
                    one.source_run_id for one in page if one.source_run_id in wanted and self._is_keras(one)
                }
                token = page.token
                if not token:
                    break
        return [run_id for run_id in run_ids if run_id in found]

    def _is_keras(self, model: LoggedModel) -> bool:
        """Whether a logged model has the file that Keras loads: other libraries log others."""
        place = urlsplit(model.artifact_location)
        if place.scheme == "file":  # MLflow remembers where a model was before its home was moved
            return Path(url2pathname(place.path), KERAS_FILE).exists()
        if model.model_id not in self._with_keras_file:
            folder = KERAS_FILE.partition("/")[0]
            files = self.client.list_logged_model_artifacts(model.model_id, folder)
            found = any(file.path == KERAS_FILE for file in files)
            if not found and not model.status.is_finalized(model.status):
                return False  # it is being logged
            self._with_keras_file[model.model_id] = found  # a logged model does not change
        return self._with_keras_file[model.model_id]

    @property
    def _downloads(self) -> Path:
        return self.settings.cache / "artifacts"

    def forget_downloads(self, *owners: str) -> None:
        """Delete the local copies of artifacts of runs and models. owners: their ids."""
        for owner in owners:
            shutil.rmtree(self._downloads / owner, ignore_errors=True)

    def _settle_number(self, run_id: str, number: str) -> None:
        """Take another number while a run of another installation that shares the store has the same."""
        while not self.is_own_database and states.count_numbered(self, number) > 1:
            number = str(self._next_number() + randrange(8))  # the other one may be looking for one as well
            self.set_tags(run_id, {schema.NUMBER: number})

    def _next_number(self) -> int:
        from core.tracking import frames

        return frames.last_number(self) + 1


@cache
def _store_for(settings: Settings) -> RunStore:
    return RunStore(settings)


def get_store() -> RunStore:
    """The store of this process' settings, opened once."""
    return _store_for(get_settings())
