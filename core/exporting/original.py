"""The model of a run as its evaluation used it, and the images that its exports are compared on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import keras
import numpy as np

from core import datasets
from core.architectures.classifier_output import class_probabilities
from core.datasets import DatasetError, ImageDataset
from core.inference.logged_images import logged_images
from core.inference.messages import ModelImages
from core.inference.predictor import TEST_TIME, load
from core.tracking import frames, schema
from core.tracking.errors import DamagedArtifact
from core.tracking.store import RunStore

MADE_UP = 16  # images, where the dataset is gone
CALIBRATION = 200  # training images that the ranges of 8 bits are measured on
BATCH = 32


class Refused(Exception):
    """A model is not exported; the message says why, in a sentence."""


@dataclass(frozen=True)
class Original:
    """The model of a run.

    model: takes images of 0-255, answers probabilities; averages over the views of the evaluation.
    images: what it takes. views: as in `core.experiment.views`.
    """

    run_id: str
    model: keras.Model
    images: ModelImages
    views: str

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 `(N, classes)` of images, uint8 `(N, H, W, C)`."""
        found = self.model.predict(images.astype("float32"), batch_size=BATCH, verbose=0)
        return class_probabilities(np.asarray(found, "float32"))


@dataclass(frozen=True)
class Samples:
    """Images of a run's dataset.

    test: uint8 `(N, H, W, C)`, with the labels that the run was tested on, int64 `(N,)`, or none where those
    are not known. training: likewise, without labels. made_up: whether they are random, because the dataset
    is gone.
    """

    test: np.ndarray
    labels: np.ndarray
    training: np.ndarray
    made_up: bool = False

    def words(self, count: int) -> str:
        """Name the first images: "64 test images"."""
        return f"{count} {'made-up' if self.made_up else 'test'} images"

    def some(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return test images from all over the set, and their labels."""
        rows = np.unique(np.linspace(0, len(self.test) - 1, min(count, len(self.test))).astype(int))
        return self.test[rows], self.labels[rows] if len(self.labels) else self.labels


def require_finished(store: RunStore, run_id: str) -> None:
    """Raise Refused for a run of another program, and for one that has not finished."""
    state = store.state(run_id)
    if schema.NUMBER not in state.tags:
        raise Refused(f"'{state.name}' was logged by another program: its images and classes are not known.")
    if state.status != schema.FINISHED:
        raise Refused(f"'{state.name}' is {state.status}: only a finished run has a model to export.")


def open_original(store: RunStore, run_id: str) -> Original:
    """Load the model of a run. Raises Refused, FileNotFoundError, DamagedArtifact, ValueError."""
    require_finished(store, run_id)
    images = logged_images(store, run_id)
    assert images is not None  # a run of ArchLab
    views = store.run(run_id).data.params.get(TEST_TIME, "none")
    return Original(run_id, load(store.models.file(run_id), views), images, views)


def samples(store: RunStore, original: Original, most: int) -> Samples:
    """Return at most `most` test images of a run, or random ones where its dataset is gone."""
    dataset = _dataset(original.images)
    rows, labels = _tested(store, original, dataset)
    if dataset is None or not len(rows):
        random = np.random.default_rng(0).integers(0, 256, (MADE_UP, *original.images.shape), dtype="uint8")
        return Samples(random, np.zeros(0, "int64"), random, made_up=True)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))
    rows = rows[chosen]
    train = dataset.indices("train")
    train = train[np.unique(np.linspace(0, len(train) - 1, min(CALIBRATION, len(train))).astype(int))]
    return Samples(
        np.asarray(dataset.images[rows]),
        labels[chosen] if len(labels) else labels,
        np.asarray(dataset.images[train if len(train) else rows]),
    )


def _dataset(images: ModelImages) -> ImageDataset | None:
    """The dataset with the images of the run, whatever was edited since; None where it is gone."""
    with suppress(ValueError, DatasetError):
        if datasets.store.has_version(images.name, images.fingerprint):
            return datasets.load(images.name, grey=images.grey)
    return None


def _tested(
    store: RunStore, original: Original, dataset: ImageDataset | None
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that the run was tested on, and their labels, as it logged them with its predictions.

    Without predictions they are the test images of the dataset, without labels where it was edited since.
    """
    none = np.zeros(0, "int64")
    if dataset is None:
        return none, none
    with suppress(FileNotFoundError, DamagedArtifact):
        table = frames.predictions(store, original.run_id).sort_values("index")
        return table["index"].to_numpy("int64"), table["label"].to_numpy("int64")
    rows = dataset.indices("test")
    as_it_was = dataset.info.fingerprint == original.images.fingerprint
    return rows, dataset.labels[rows].astype("int64") if as_it_was else none
