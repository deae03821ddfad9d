"""Models of runs: saved in MLflow's Keras format, found, and read again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from core.tracking import model_files, schema
from core.tracking.artifacts import Downloads
from core.tracking.client import NO_SUCH_RUN, StoreClient
from core.tracking.connections import asking
from core.tracking.patience import patiently
from core.tracking.places import local_path
from core.tracking.removal import remove_files

if TYPE_CHECKING:
    import keras
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

KERAS_FILE = "data/model.keras"  # of a logged model
ONNX_FILE = f"data/{model_files.ONNX}"  # beside it; models of older versions have none


class Models:
    """The models that the runs of one store have logged."""

    def __init__(self, store: StoreClient, downloads: Downloads):
        self.store = store
        self.downloads = downloads
        self._with_keras_file: dict[str, bool] = {}  # by the id of a logged model, where it lies elsewhere

    def log(
        self,
        run_id: str,
        model: keras.Model,
        classes: Sequence[str] = (),
        images: str = "",
        onnx: Path | None = None,
    ) -> int:
        """Log a model with a run, retrying while the store is busy, and return its size in bytes.

        It takes the place of the one that an earlier attempt saved: a run has one model. classes: their
        names in the order of its answers, images: how its images are made, for the README beside the model.
        onnx: the same model as an ONNX file, which is copied.
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
                lambda: self._log(run_id, model, signature, classes, images, onnx),
                others=lambda: self.store.touch(run_id),
            )
        return patiently(lambda: self.file(run_id)).stat().st_size

    def _log(
        self,
        run_id: str,
        model: keras.Model,
        signature: ModelSignature,
        classes: Sequence[str],
        images: str,
        onnx: Path | None,
    ) -> None:
        import mlflow
        from mlflow.models import Model

        mlflow.set_tracking_uri(self.store.uri)  # Model.log writes there, whichever store was opened last
        client, experiment = self.store.client, self.store.experiment_id
        for earlier in client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'"):
            client.delete_logged_model(earlier.model_id)
            self.downloads.forget(earlier.model_id)
            if not self.registered_as(run_id):  # a registered version uses the files in place
                remove_files(earlier.artifact_location)
        # Created here, because Model.log would put it into MLflow's active experiment.
        logged = client.create_logged_model(
            experiment, name=schema.MODEL, source_run_id=run_id, params=self.store.run(run_id).data.params
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
            onnx=onnx,
            signature=signature,
            pip_requirements=model_files.requirements(),  # inferring them takes 8 s
        )

    def logged_by(self, run_id: str) -> list[LoggedModel]:
        """Return the models that a run has logged and that were not deleted, the newest last."""
        run, found = self.store.run(run_id), []  # first: it imports MLflow, one thread at a time
        from mlflow.exceptions import MlflowException

        for output in run.outputs.model_outputs if run.outputs else ():
            try:
                found.append(self.store.client.get_logged_model(output.model_id))
            except MlflowException as error:
                if error.error_code not in NO_SUCH_RUN:
                    raise
        return sorted(found, key=lambda logged: logged.creation_timestamp)

    def registered_as(self, run_id: str) -> list[str]:
        """Return names and versions of the registered models that were made from a run."""
        found = self.store.client.search_model_versions(f"run_id = '{run_id}'")
        return [f"{version.name} (version {version.version})" for version in found]

    def file(self, run_id: str) -> Path:
        """The `.keras` file of a run's newest model, downloaded once when the store is elsewhere.

        Raises FileNotFoundError when it has none, StoreError when the store is away.
        """
        with asking(self.store.uri):
            logged = [model for model in self.logged_by(run_id) if self._is_keras(model)]
        if not logged:
            raise FileNotFoundError(f"The run {run_id} has no saved model.")
        newest = logged[-1]
        return self.downloads.model_file(newest.model_id, f"{newest.artifact_location}/{KERAS_FILE}")

    def with_keras_model(self, run_ids: Collection[str]) -> list[str]:
        """Return the ids of those runs, of any program, that have a Keras model."""
        if not run_ids:
            return []
        wanted, found = set(run_ids), set[str | None]()
        with asking(self.store.uri):
            experiments = [one.experiment_id for one in self.store.client.search_experiments()]
            token = None
            while True:
                page = self.store.client.search_logged_models(experiments, page_token=token)
                found |= {
                    one.source_run_id for one in page if one.source_run_id in wanted and self._is_keras(one)
                }
                token = page.token
                if not token:
                    break
        return [run_id for run_id in run_ids if run_id in found]

    def _is_keras(self, model: LoggedModel) -> bool:
        """Whether a logged model has the file that Keras loads: other libraries log others."""
        folder_here = local_path(model.artifact_location)
        if folder_here is not None:  # MLflow keeps the place that a model had before its home was moved
            return (folder_here / KERAS_FILE).exists()
        if model.model_id not in self._with_keras_file:
            folder = KERAS_FILE.partition("/")[0]
            files = self.store.client.list_logged_model_artifacts(model.model_id, folder)
            found = any(file.path == KERAS_FILE for file in files)
            if not found and not model.status.is_finalized(model.status):
                return False  # it is being logged
            self._with_keras_file[model.model_id] = found  # a logged model does not change
        return self._with_keras_file[model.model_id]
