"""Make the small store that tests/test_older_store.py restores, and restore it.

    .venv/bin/python -m tests.support.older_store FOLDER

writes FOLDER/store.sql.gz (the database as SQL) and FOLDER/files.tar.gz (the files of its runs). The store in
tests/older_store is never made again: later versions must read, compare, predict with and continue what it
holds. When the format of what a run logs changes, make another one beside it.
"""

from __future__ import annotations

import gzip
import io
import os
import platform
import socket
import sqlite3
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from core.config import ExperimentConfig
from core.jobs.groups import repeated
from core.launching.continuing import cancel
from core.launching.launch import launch, launch_groups
from core.system.settings import PROGRAM, Settings, get_settings
from core.tracking import schema
from core.tracking.store import get_store
from tests.support.homes import snapshot, stop_processes, using
from tests.support.waiting import wait_for

SQL, FILES = "store.sql.gz", "files.tar.gz"
KEPT = ("artifacts", "jobs", "home.id")  # of the home; its id says whose queue the runs are in
BINARY = (".keras", ".npz", ".parquet")
ELSEWHERE = Path("/srv/archlab")  # the home, as the paths in the database name it

LAYERS = """\
- conv: {filters: 6, size: 3, strides: 2, activation: relu}
- lrn
- batch_norm
- pool: 2
- flatten
- dropout: 0.1
- softmax
"""
LISTED: dict[str, Any] = {
    "model.name": "declarative",
    "model.options": {"layers": LAYERS},
    "training.batch_size": 64,
    "training.epochs": 2,
}

# A model of a user's own with the layers that a saved model keeps, as Keras has nothing like them.
OWN_LAYERS = """\
from core.architectures import Architecture, Card, architectures
from core.lazy import LazyModule

keras = LazyModule("keras")
own = LazyModule("core.architectures.layers")


def small_lenet(input_shape, num_classes):
    images = keras.Input(input_shape)
    x = keras.layers.Conv2D(3, 5)(images)
    x = own.ScaledTanh()(x)
    x = own.TrainableSubsampling()(x)
    x = own.PartiallyConnectedConv2D(((0, 1), (1, 2), (0, 2)), 3)(x)
    x = own.ScaledTanh()(x)
    x = own.TrainableSubsampling()(x)
    x = keras.layers.Flatten()(x)
    x = own.EuclideanRBF(num_classes, dtype="float32")(keras.layers.Dense(20)(x))
    return keras.Model(images, keras.layers.Softmax(dtype="float32")(x), name="small_lenet")


architectures.register(
    Architecture(
        name="small_lenet", family="LeNet", build=small_lenet, min_size=16,
        input_shape=(28, 28, 1), num_classes=10,
        card=Card(title="A small LeNet", authors="none", year=1998, paper="", summary="Layers of the paper."),
    )
)
"""


def train_runs(settings: Settings) -> None:
    """Train the runs of the store by the queue and its worker, each with a name that says how it ended."""
    base = ExperimentConfig().with_values(LISTED)
    finished = base.with_values({"name": "finished", "data.preprocessing": "standardize"})
    own = base.with_values({"name": "own layers", "model.name": "small_lenet", "model.options": {}})
    failed = base.with_values(
        {
            "name": "failed",
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 10,
            "optimizer.weight_decay": 1,
            "training.epochs": 20,
        }
    )
    folds = repeated(base.with_values({"name": "folds", "model.head": "gap"}), folds=2)
    cancelled = base.with_values({"name": "cancelled", "training.batch_size": 1, "training.epochs": 6})
    launch([finished, own, failed])
    launch_groups([folds])
    (last,) = launch([cancelled])
    store = get_store()
    wait_for(lambda: store.read.last_step(last) >= 2, 600)
    cancel(store, last)
    wait_for(lambda: not store.active() and not store.read.open_groups(), 60)
    stop_processes(settings)
    states = {run.name: run.status for run in map(store.state, store.read.run_ids())}
    for run_id in store.read.run_ids():
        if store.state(run_id).status == schema.FINISHED:  # the others can be continued from theirs
            settings.checkpoint(run_id).unlink(missing_ok=True)
    expected = dict.fromkeys(states, schema.FINISHED) | {"failed": schema.FAILED, "cancelled": schema.KILLED}
    assert states == expected, states


def write(settings: Settings, folder: Path) -> None:
    """Write the database and the files of a home into `folder`, without the names of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = settings.home.parent / "copy.db"
    snapshot(settings, copy)
    with closing(sqlite3.connect(copy)) as connection:
        sql = "\n".join(connection.iterdump()) + "\n"
    (folder / SQL).write_bytes(gzip.compress(_neutral(sql.encode(), settings), mtime=0))
    files = sorted(
        one
        for kept in KEPT
        for one in (settings.home / kept, *(settings.home / kept).rglob("*"))
        if one.is_file()
    )
    with (
        (folder / FILES).open("wb") as packed,
        gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for file in files:
            content = file.read_bytes()
            if file.suffix not in BINARY:
                content = _neutral(content, settings)
            entry = tarfile.TarInfo(str(file.relative_to(settings.home)))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _neutral(text: bytes, settings: Settings) -> bytes:
    """A text without the places and the name of the machine on which the store was made."""
    for here, instead in (
        (str(settings.home), str(ELSEWHERE)),
        (str(PROGRAM), "/opt/archlab"),
        (f"'{socket.gethostname()}:", "'elsewhere:"),
        (platform.platform(), "Linux"),
    ):
        text = text.replace(here.encode(), instead.encode())
    return text


def restore(folder: Path, home: Path) -> None:
    """Make what `write` wrote the store of a home that does not exist yet."""
    home.mkdir(parents=True)
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        connection.executescript(gzip.decompress((folder / SQL).read_bytes()).decode())
    with tarfile.open(folder / FILES) as archive:
        archive.extractall(home, filter="data")


def main() -> None:
    os.environ["LOGNAME"] = "archlab"  # who launched the runs
    with TemporaryDirectory() as place:
        models = Path(place) / "models"
        models.mkdir()
        (models / "small_lenet.py").write_text(OWN_LAYERS, encoding="utf-8")
        with using(Path(place) / "home"), pytest.MonkeyPatch.context() as patch:
            patch.setenv("ARCHLAB_ARCHITECTURES", str(models))
            get_settings.cache_clear()
            settings = get_settings()
            train_runs(settings)
            write(settings, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
