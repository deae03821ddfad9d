"""Weights that saw images of a run's validation or test set are known, over the whole chain of ancestors."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from core import datasets, recipes
from core.config import ConfigError, ExperimentConfig
from core.datasets import choices, curate
from core.experiment import lineage, seen_images, weights_origin
from core.importing.importer import import_images
from core.launching.checks import overlap_warnings
from core.launching.launch import launch
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from core.training.experiment import load_data
from core.training.logged import log_data
from tests.support.commands import run
from tests.support.homes import SMALL, Trained

pytestmark = pytest.mark.engine


def fold(number: int, **settings) -> ExperimentConfig:
    values = {"data.folds": 5, "data.fold": number, **{k.replace("__", "."): v for k, v in settings.items()}}
    return SMALL.with_values(values)


def begun(store: RunStore, config: ExperimentConfig, record: bool = True, **tags: str) -> str:
    """A run that has written down what a training writes down at its start."""
    run_id = store.create(config, tags)
    data = load_data(config)
    log_data(store, run_id, config.data, data)
    if record:
        lineage.record(store, run_id, config, data.dataset, data.split)
    return run_id


def validation(config: ExperimentConfig) -> int:
    return len(choices.split_for(datasets.load("digits"), config.data).validation)


def test_the_validation_images_of_another_fold_were_seen(store: RunStore) -> None:
    first = begun(store, fold(0))
    second = fold(1, model__weights=f"run:{first[:8]}")
    found = lineage.overlap(second, store, {})
    count = validation(second)
    assert count == 288
    assert found.leak == (
        f"288 of 288 validation images were training images of 'lenet5 on digits ({first[:6]})' or of a run "
        "before it, so the accuracy on them is too high."
    )
    assert found.unchecked is None
    assert lineage.overlap(fold(0, model__weights=f"run:{first}"), store, {}) == lineage.Overlap()
    assert lineage.overlap(fold(1), store, {schema.EXTENDS: first}).leak == found.leak


@pytest.mark.parametrize("recorded", [True, False])
def test_the_whole_chain_of_ancestors_counts(store: RunStore, recorded: bool) -> None:
    """recorded: as runs of now do; otherwise it is worked out from configs and the dataset."""
    first = begun(store, fold(0), recorded)
    second = begun(store, fold(0, model__weights=f"run:{first}"), recorded)
    third = begun(store, fold(0), recorded, **{schema.EXTENDS: second})
    last = fold(1, model__weights=f"run:{third}", model__allow_overlap=True)
    assert "288 of 288 validation images" in str(lineage.overlap(last, store, {}).leak)
    run_id = begun(store, last)
    tags = store.state(run_id).tags
    assert tags[schema.LEAK].startswith("288 of 288")
    assert tags[schema.LEAK_CHECKED] == "yes"
    # The first run saw four folds, this one the other: what starts from it has seen all that is not test.
    again = lineage.overlap(fold(0, model__weights=f"run:{run_id}"), store, {}).leak
    assert again
    assert again.startswith("287 of 287" if validation(fold(0)) == 287 else "288 of 288")


def test_the_command_warns_of_every_model_of_a_recipe(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begun(store, fold(0))
    leaking = {"model.weights": f"run:{first}"}
    for name, runs in (("first", [leaking, {}]), ("last", [{}, leaking])):
        values = {"title": name, "description": name, "base": {"data.folds": 5, "data.fold": 1}, "runs": runs}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(values))
    monkeypatch.setattr(recipes, "_folder", lambda: tmp_path)
    for name in ("first", "last"):
        answer = run("train", "--recipe", name)
        assert answer.returncode == 2  # it is refused: images leak
        assert "Warning: 288 of 288 validation images were training images" in answer.stderr
    assert frames.run_ids(store) == [first]


def test_a_leaking_launch_is_refused_unless_it_is_allowed(own: Trained) -> None:
    store, start = get_store(), f"run:{own.run_id}"
    before = len(frames.run_ids(store))
    other = SMALL.with_values({"data.split_seed": 5, "model.weights": start})
    with pytest.raises(
        ConfigError, match=r"validation images were training images of .* model.allow_overlap"
    ):
        launch([other])
    assert len(frames.run_ids(store)) == before
    allowed = other.with_values({"model.allow_overlap": True})
    lineage.require_unseen(allowed, store)
    (sentence,) = overlap_warnings(allowed)
    assert "so the accuracy on them is too high" in sentence
    assert overlap_warnings(SMALL.with_values({"model.weights": start})) == []


def test_a_trained_run_has_written_down_what_it_saw(trained: Trained) -> None:
    store = get_store()
    tags = store.state(trained.run_id).tags
    assert tags[schema.LEAK_CHECKED] == "yes"
    assert schema.LEAK not in tags
    assert tags[schema.WEIGHTS] == weights_origin.weights_digest(store.models.file(trained.run_id))
    seen = seen_images.read(store.artifact(trained.run_id, schema.SEEN))
    dataset = datasets.load("digits")
    parts = choices.split_for(dataset, SMALL.data)
    assert seen.kinds == {seen_images.kind_of(dataset)}
    assert np.isin(lineage.digest_keys(dataset.digests[parts.train]), seen.keys).all()
    assert not np.isin(lineage.digest_keys(dataset.digests[parts.test]), seen.keys).any()


@pytest.fixture
def weights_folder(trained: Trained) -> Iterator[Path]:
    """The weights folder of the shared home, as it was found afterwards."""
    folder = trained.settings.weights
    folder.mkdir(exist_ok=True)
    before = set(folder.iterdir())
    yield folder
    for path in set(folder.iterdir()) - before:
        path.unlink()


def test_a_weights_file_is_known_by_its_values(trained: Trained, weights_folder: Path) -> None:
    store, folder = get_store(), weights_folder
    shutil.copy(store.models.file(trained.run_id), folder / "copied.keras")
    model = keras.saving.load_model(folder / "copied.keras", compile=False)
    model.save_weights(folder / "again.weights.h5")
    for file in ("copied.keras", "again.weights.h5"):
        config = SMALL.with_values({"data.split_seed": 5, "model.weights": file})
        assert weights_origin.origin_of(folder / file, store) == trained.run_id
        assert lineage.overlap(config, store, {}).leak
    model.set_weights([weight + 1 for weight in model.get_weights()])
    model.save(folder / "other.keras")
    found = lineage.overlap(SMALL.with_values({"model.weights": "other.keras"}), store, {})
    assert found.leak is None
    assert found.unchecked == "Which images the weights file other.keras was trained on is not known."


def test_what_cannot_be_known_is_said(store: RunStore) -> None:
    first = begun(store, fold(0), record=False)
    second = fold(1, model__weights=f"run:{first}")
    curate.leave_out("digits", [0])
    found = lineage.overlap(second, store, {})
    assert found.leak is None
    assert "is no longer known: its dataset 'digits' has changed." in str(found.unchecked)
    run_id = begun(store, second)
    assert store.state(run_id).tags[schema.LEAK_UNCHECKED] == found.unchecked
    assert schema.LEAK_CHECKED not in store.state(run_id).tags
    # The next in the chain says so too.
    third = lineage.overlap(fold(1, model__weights=f"run:{run_id}"), store, {})
    assert str(found.unchecked) in str(third.unchecked)


@pytest.fixture
def scans(store: RunStore, tmp_path: Path) -> Callable[..., ExperimentConfig]:
    """Imports the same 24 images of 16 bits under a name, and gives the config of a run on them."""
    generator = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "scans" / label).mkdir(parents=True)
        for number in range(12):
            image = Image.fromarray(generator.integers(100, 1500, (28, 28)).astype("uint16"))
            image.save(tmp_path / "scans" / label / f"{number}.png")

    def imported(name: str, seed: int, *value_range: float) -> ExperimentConfig:
        import_images(name, tmp_path / "scans", size=28, seed=seed, value_range=value_range or None)
        return SMALL.with_values({"data.name": name})

    return imported


def test_deep_images_that_were_scaled_by_another_range_cannot_be_compared(store: RunStore, scans) -> None:
    first = begun(store, scans("found", 1))
    start = {"model.weights": f"run:{first}"}
    alike = lineage.overlap(scans("alike", 2).with_values(start), store, {})
    assert alike.leak
    assert alike.unchecked is None
    other = begun(store, scans("wider", 2, 0, 4095).with_values(start))
    tags = store.state(other).tags
    assert schema.LEAK_CHECKED not in tags
    assert "(28×28×1, stretch, values 100 to 1,499), which cannot be compared" in tags[schema.LEAK_UNCHECKED]


def test_the_value_range_is_found_where_an_older_version_wrote_none_down(
    store: RunStore, scans, tmp_path: Path
) -> None:
    def forget(run_id: str) -> None:
        path = tmp_path / schema.SEEN
        seen = seen_images.read(store.artifact(run_id, schema.SEEN))
        kinds = frozenset(", ".join(kind.split(", ")[:2]) for kind in seen.kinds)
        seen_images.write(path, dataclasses.replace(seen, kinds=kinds, ranged=False))
        store.log_file(run_id, path)

    config = scans("narrow", 1)
    first = begun(store, config)
    forget(first)
    same = lineage.overlap(config.with_values({"model.weights": f"run:{first}"}), store, {})
    assert same == lineage.Overlap()
    second = begun(store, scans("wide", 2, 0, 4095).with_values({"model.weights": f"run:{first}"}))
    forget(second)
    kinds = lineage.seen_by(store, second).kinds
    assert {f"28×28×1, stretch, values {values}" for values in ("100 to 1,499", "0 to 4,095")} <= kinds


def test_the_images_of_a_split_are_read_once_while_their_dataset_stays(store: RunStore) -> None:
    first, other = begun(store, fold(0)), begun(store, fold(2))
    config = fold(1, model__weights=f"run:{first}")
    before = lineage.stored_sets.cache_info().misses
    found = lineage.overlap(config, store, {})
    assert lineage.overlap(config, store, {}) == found
    assert lineage.overlap(fold(1, model__weights=f"run:{other}"), store, {}).leak
    assert lineage.stored_sets.cache_info().misses == before + 1
    rows = choices.split_for(datasets.load("digits"), config.data).validation
    curate.leave_out("digits", rows[:50].tolist())
    changed = lineage.overlap(config, store, {})
    assert changed.leak
    assert changed.leak != found.leak
    assert lineage.stored_sets.cache_info().misses == before + 2


def test_a_large_file_is_digested_array_by_array(tmp_path: Path) -> None:
    arrays = [np.full((1024, 1024), number, "float32") for number in range(8)]  # 4 MiB each
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        for number, array in enumerate(arrays):
            file[f"layers/{number}/vars/0"] = array
    path = tmp_path / "large.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    expected = weights_origin.digest_of(arrays)
    tracemalloc.start()
    try:
        assert weights_origin.weights_digest(path) == expected
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * arrays[0].nbytes


def test_of_many_images_a_part_is_kept_and_the_count_is_a_least(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_images, "MAX_KEYS", 200)
    first = begun(store, fold(0))
    assert len(lineage.seen_by(store, first).keys) == 200
    leak = str(lineage.overlap(fold(1, model__weights=f"run:{first}"), store, {}).leak)
    assert leak.startswith("at least ")
    assert 30 < int(leak.split()[2]) < 80  # a quarter of 200 is expected


def test_imagenet_is_known_to_have_no_image_of_a_known_dataset(store: RunStore) -> None:
    config = ExperimentConfig().with_values({"model.name": "vgg16", "model.weights": "imagenet"})
    assert lineage.overlap(config, store, {}) == lineage.Overlap()
