"""An export answers as the original does on test images of the run, or there is none and a sentence why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from core.datasets import curate, load
from core.exporting.checked import export
from core.exporting.client import NotExported, _hand_over
from core.exporting.client import export as export_beside
from core.exporting.formats import FORMATS
from core.exporting.original import Refused, open_original, samples
from core.onnx_form.check import TOLERANCE
from core.tracking import frames, schema
from core.tracking.store import get_store
from tests.support.commands import run
from tests.support.homes import Trained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # processes of their own import TensorFlow


@pytest.mark.parametrize("name", ["savedmodel", "onnx", "litert"])
def test_an_export_answers_as_the_original(trained: Trained, name: str, tmp_path: Path) -> None:
    report = export(get_store(), trained.run_id, name, tmp_path)
    assert report.compared == "64 test images"
    assert report.difference is not None
    assert report.difference < TOLERANCE
    assert [path.name for path in tmp_path.iterdir()] == [FORMATS[name].file]


def test_in_8_bits_the_accuracy_is_measured_beside_that_of_the_original(
    trained: Trained, tmp_path: Path
) -> None:
    store = get_store()
    report = export(store, trained.run_id, "litert-int8", tmp_path)
    assert report.compared == "359 test images"
    tested = store.run(trained.run_id).data.metrics["test_accuracy"]
    assert report.original_accuracy == pytest.approx(tested, abs=1e-6)
    assert report.accuracy == pytest.approx(tested, abs=0.03)
    assert "in float32" in report.sentences[0]
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 0.4 * store.onnx_file(trained.run_id).stat().st_size


def test_the_keras_folder_is_loaded_without_this_program(trained: Trained, tmp_path: Path) -> None:
    done = run("export", trained.run_id[:8], str(tmp_path / "out"), "--format", "keras", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["difference"] < TOLERANCE
    assert found["compared"] == "64 test images"
    assert {path.name for path in Path(found["path"]).iterdir()} >= {"model.keras", "README.md"}
    again = run("export", trained.run_id, str(tmp_path / "out"), "--format", "keras")
    assert again.returncode == 2
    assert "There is already" in again.stderr


def test_an_export_that_answers_otherwise_is_refused_and_leaves_nothing(own: Trained, tmp_path: Path) -> None:
    file = get_store().onnx_file(own.run_id)
    model = onnx.load(file)
    largest = max(model.graph.initializer, key=lambda one: np.prod(one.dims))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * 1.5, largest.name))
    onnx.save(model, file)
    done = run("export", own.run_id, str(tmp_path / "out"), "--format", "onnx")
    assert done.returncode == 2
    assert "gives other probabilities than the original: on 64 test images they differ by" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".export-*"))


def test_without_its_dataset_a_model_is_compared_on_made_up_images(own: Trained, tmp_path: Path) -> None:
    store = get_store()
    file = store.artifact(own.run_id, schema.DATA)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"fingerprint": "of another version"}))
    assert samples(store, open_original(store, own.run_id), 5).made_up
    assert export(store, own.run_id, "onnx", tmp_path).compared == "16 made-up images"
    with pytest.raises(Refused, match="was replaced or removed"):
        export(store, own.run_id, "litert-int8", tmp_path)


def test_a_run_without_a_model_is_refused_in_a_sentence(own: Trained, tmp_path: Path) -> None:
    store = get_store()
    store.set_status(own.run_id, schema.FAILED)
    for name in ("onnx", "script"):
        with pytest.raises(Refused, match="is FAILED: only a finished run has a model to export"):
            export(store, own.run_id, name, tmp_path)
    foreign = store.client.create_run(store.experiment_id, run_name="theirs").info.run_id
    with pytest.raises(Refused, match="'theirs' was logged by another program"):
        export(store, foreign, "onnx", tmp_path)


def test_labels_are_those_that_the_run_was_tested_on(own: Trained) -> None:
    store = get_store()
    original, before = open_original(store, own.run_id), samples(store, open_original(store, own.run_id), 50)
    digits = load("digits")
    predicted = frames.predictions(store, own.run_id)
    row = int(predicted["index"].min())
    curate.relabel("digits", {row: str((int(digits.labels[row]) + 1) % 10)})
    assert load("digits").labels[row] != digits.labels[row]
    after = samples(store, original, 50)
    assert len(after.labels) == 50
    assert np.array_equal(after.labels, before.labels)
    store.artifact(own.run_id, schema.PREDICTIONS).unlink()
    found = samples(store, original, 50)
    assert (len(found.test), len(found.labels)) == (50, 0)


def test_a_folder_that_cannot_be_written_is_said(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(NotExported, match=r"The export cannot be written to .*: File name too long\."):
        export_beside(trained.settings, trained.run_id, "onnx", tmp_path / ("x" * 300))


@pytest.mark.parametrize("folder", [False, True])
def test_an_export_takes_no_place_that_was_taken_meanwhile(tmp_path: Path, folder: bool) -> None:
    made, target = tmp_path / "made", tmp_path / "target"
    made.mkdir() if folder else made.write_text("new")
    target.mkdir() if folder else target.write_text("old")
    with pytest.raises(FileExistsError):
        _hand_over(made, target)
    assert folder or target.read_text() == "old"
    target.rmdir() if folder else target.unlink()
    _hand_over(made, target)
    assert target.is_dir() == folder
    assert not made.exists()
