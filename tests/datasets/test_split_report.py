"""What a split does to a dataset with copies, groups and small classes is said before training."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.config import DataConfig, ExperimentConfig
from core.datasets import curate, duplicates, findings
from core.datasets.choices import split_for
from core.datasets.split_report import report, report_of, sentences
from core.datasets.splits import split
from core.importing.importer import import_images
from core.importing.request import ImportRefused
from core.launching.checks import notes, warnings

pytestmark = pytest.mark.slow


def said(name: str, **data) -> tuple[tuple[str, ...], tuple[str, ...]]:
    made = report(datasets.load(name), DataConfig(name=name, **data))
    return made.notes, made.warnings


def shared(dataset: datasets.ImageDataset, one: np.ndarray, other: np.ndarray) -> int:
    return len(set(dataset.digests[one]) & set(dataset.digests[other]))


@pytest.fixture
def doubled(photos):
    """Thirty images of each of two classes, each in the folder twice."""
    for label in "ab":
        photos.add(*(f"{label}/{i}.png" for i in range(30)), seed=ord(label) * 7919)
        for i in range(30):
            photos.write(f"{label}/again {i}.png", (photos.root / f"{label}/{i}.png").read_bytes())
    return photos


def test_settings_of_the_split_that_a_validation_set_or_folds_overrule_are_said(photos):
    for part in ("train", "val", "test"):
        for label in "ab":
            photos.add(*(f"{part}/{label}/{i}.png" for i in range(3)), seed=ord(label) + ord(part[0]) * 7919)
    import_images("own", photos.root)
    whose = "'own' brings its own validation set of 6 images"
    assert said("own")[0] == ()
    assert said("own", validation_fraction=0.3)[0] == (
        f"{whose}, so data.validation_fraction does not change the split. Received: 0.3.",
    )
    assert said("own", validation_fraction=0.3, split_seed=7, keep_together="near")[0] == (
        f"{whose}, so data.validation_fraction, data.split_seed and data.keep_together do not change the "
        "split. Received: 0.3, 7, near.",
    )
    assert said("own", folds=3, split_seed=7, validation_fraction=0.3)[0] == (
        "data.folds cuts the dataset into 3 folds, so data.validation_fraction does not change the split. "
        "Received: 0.3.",
    )
    config = ExperimentConfig().with_values({"data.name": "own", "data.split_seed": 7})
    assert notes(config) == [f"{whose}, so data.split_seed does not change the split. Received: 7."]


def test_an_import_divides_no_copies_and_says_how_many_images_that_moved(doubled):
    info = import_images("x", doubled.root, test_fraction=0.2)
    dataset = datasets.load("x")
    test, rest = dataset.indices("test"), dataset.indices("train")
    assert shared(dataset, test, rest) == 0
    assert info.counts["test"] == (12, 12)  # a fifth of 60
    assert "No test set was given: 24 of 120 images are held out (20% of every class were asked for" in (
        " ".join(info.notes)
    )
    (moved,) = [note for note in info.notes if "stay together" in note]
    assert moved.endswith(
        "images are in another set than by chance alone, so that identical images stay together."
    )
    assert int(moved.split()[0]) > 10


def test_what_copies_do_to_a_validation_split_is_said(doubled):
    import_images("x", doubled.root, test_fraction=0.2)
    notes, warned = said("x")
    dataset = datasets.load("x")
    parts, before = (split_for(dataset, DataConfig(name="x"), rule) for rule in ("identical", "groups"))
    count = len(np.setxor1d(parts.validation, before.validation))
    assert notes == (
        f"{count:,} images are in another set than by chance alone, so that identical images stay together.",
        f"{len(parts.train) // 2} of {len(parts.train)} training images are copies of others: what occurs "
        "several times counts several times.",
    )
    assert warned == ()
    assert (
        report_of("x", dataset.info.fingerprint, DataConfig(name="x")).counts
        == report(dataset, DataConfig(name="x")).counts
    )


def test_copies_across_given_sets_are_warned_of_and_can_be_gathered(photos):
    photos.add(
        *(f"{part}/{label}/{i}.png" for part in ("train", "val", "test") for label in "ab" for i in range(4))
    )
    copy = (photos.root / "train/a/0.png").read_bytes()
    photos.write("val/a/copy.png", copy)
    photos.write("test/a/copy.png", copy)
    import_images("x", photos.root)
    _, warned = said("x")
    assert warned == (
        "1 of 9 validation images is identical to training images, so the validation accuracy is too high. "
        "The Data page can put copies in one set.",
        "1 of 9 test images is identical to training images, so the test accuracy is too high. "
        "The Data page can put copies in one set.",
        "1 of 9 test images is identical to validation images, so the test accuracy is too high. "
        "The Data page can put copies in one set.",
    )
    assert warnings(ExperimentConfig().with_values({"data.name": "x"})) == list(warned)
    assert sentences(datasets.load("x"), DataConfig(name="x")) == tuple(f"warning: {one}" for one in warned)
    curate.gather("x")
    assert said("x")[1] == ()
    assert datasets.info("x").subset_size("test") == 11  # the three copies are there


@pytest.fixture
def patients(photos):
    """Patient p1 has images in train and in test."""
    photos.add(*(f"{i}.png" for i in range(12)))
    rows = [f"{i}.png,{'ab'[i % 2]},{'train' if i < 8 else 'test'},p{i // 6}" for i in range(12)]
    photos.write("labels.csv", "\n".join(["file,label,split,patient", *rows]).encode())
    return photos


def test_a_group_across_given_sets_is_a_serious_finding_with_its_action(patients):
    import_images("x", patients.root)
    first = findings.find_all(datasets.load("x"))[0]
    assert first.sentence == "Group 'p1' lies in more than one set: 2 in train and 4 in test."
    assert (first.serious, first.actions) == (True, (findings.GATHER,))
    assert len(first.rows) == 6
    assert said("x", validation_fraction=0)[1] == (
        "Group 'p1' lies in the training set and in the test set, so the test accuracy is too high. The Data "
        "page can put a group in one set.",
    )
    curate.gather("x")
    assert not [one for one in findings.find_all(datasets.load("x")) if one.serious]
    assert datasets.info("x").subset_size("test") == 6
    rows = np.flatnonzero(datasets.load("x").groups == "p1")[:1]
    curate.move_back("x", rows)  # a single one goes back
    assert datasets.info("x").subset_size("test") == 5


def test_classes_of_one_image_are_not_said_to_be_tested(photos):
    photos.add(*(f"{i}/only.png" for i in range(18)))
    photos.add(*(f"{label}/{i}.png" for label in "ab" for i in range(5)))
    info = import_images("x", photos.root, test_fraction=0.2)
    notes = " ".join(info.notes)
    assert "2 of 28 images are held out (20% of every class were asked for, seed 0)." in notes
    assert "18 classes have no image in the test set" in notes
    _, warned = said("x", validation_fraction=0.1)
    assert warned == (
        "18 classes have no image among the 2 of the validation set, for example '0': the validation "
        "accuracy says nothing about them.",
        "18 classes have no image among the 2 of the test set, for example '0': the test accuracy says "
        "nothing about them.",
    )


def test_a_set_that_comes_out_empty_is_warned_of(photos):
    photos.add("train/a/0.png", "train/b/0.png", "test/a/1.png", "test/b/1.png")
    import_images("x", photos.root)
    assert said("x")[1] == ("The validation set is empty.",)
    assert said("x", validation_fraction=0)[1] == ()  # as it was asked for


@pytest.fixture
def lookalikes(photos):
    """Twenty pictures a class, and of each a brighter version."""
    for label in "ab":
        for number in range(20):
            seed = number + 100 * (label == "b")
            coarse = np.random.default_rng(seed).integers(0, 200, (5, 5, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC)
            path = photos.root / label / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            picture.save(path)
            picture.point(lambda value: value + 8).save(path.with_stem(f"{number} brighter"))
    return photos


def alike_across(name: str, one: np.ndarray, other: np.ndarray) -> int:
    pairs = duplicates.near_pairs(datasets.load(name))
    there = np.isin(pairs, one), np.isin(pairs, other)
    return int(((there[0][:, 0] & there[1][:, 1]) | (there[0][:, 1] & there[1][:, 0])).sum())


def test_near_duplicates_stay_together_where_a_person_asks_for_it(lookalikes):
    import_images("x", lookalikes.root, test_fraction=0.2)
    dataset = datasets.load("x")
    assert alike_across("x", dataset.indices("train"), dataset.indices("test")) > 5
    plain = split_for(dataset, DataConfig(name="x"))
    near = split_for(dataset, DataConfig(name="x", keep_together="near"))
    assert alike_across("x", plain.train, plain.validation) > 2
    assert alike_across("x", near.train, near.validation) == 0
    notes, warned = said("x", keep_together="near")
    assert "identical and nearly identical images stay together" in notes[0]
    assert "test images are identical or nearly identical to training images" in warned[0]


def test_pages_that_look_for_near_duplicates_at_once_compute_them_once(lookalikes):
    import_images("x", lookalikes.root, test_fraction=0.2)
    dataset = datasets.load("x")
    together = threading.Barrier(4)
    computing = set()

    def look(_: int) -> np.ndarray:
        together.wait(60)
        return duplicates.near_pairs(dataset, lambda *_: computing.add(threading.get_ident()))

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(look, range(4))
    assert len(first) >= 35
    assert all((first == other).all() for other in others)
    assert len(computing) == 1
    assert not list(datasets.store.folder_of("x").glob("*.*.npy"))  # no draft is left


def test_an_import_that_was_asked_to_keeps_near_duplicates_together_ever_after(lookalikes):
    import_images("x", lookalikes.root, test_fraction=0.2, keep_together="near")
    dataset = datasets.load("x")
    assert len(duplicates.near_pairs(dataset)) >= 35  # nearly every picture has its brighter version
    assert alike_across("x", dataset.indices("train"), dataset.indices("test")) == 0
    parts = split_for(dataset, DataConfig(name="x"))
    assert alike_across("x", parts.train, parts.validation) == 0
    grey = split_for(datasets.load("x", grey=True), DataConfig(name="x"))
    assert grey.validation.tolist() == parts.validation.tolist()
    with pytest.raises(ImportRefused, match="`keep_together` must be one of identical, near"):
        import_images("y", lookalikes.root, keep_together="far")


def test_the_copy_that_stays_is_chosen_once_for_a_group(photos, monkeypatch):
    photos.add("train/a/other.png", "train/b/one.png", "test/a/one.png")
    for number in range(6):
        photos.write(f"train/a/{number}.png", (photos.root / "test/a/one.png").read_bytes())
        photos.write(f"train/b/{number}.png", (photos.root / "train/b/one.png").read_bytes())
    import_images("x", photos.root)
    asked = []
    kept_of = curate.kept_of
    monkeypatch.setattr(curate, "kept_of", lambda *of: asked.append(of) or kept_of(*of))
    curate.keep_one_of_each("x")
    assert len(asked) == 2  # not once for every copy, which takes hours for thousands of equal images
    dataset = datasets.load("x")
    stayed = dataset.source_names[dataset.indices()].tolist()
    assert sorted(stayed) == ["test/a/one.png", "train/a/other.png", "train/b/0.png"]


def test_one_of_each_stays_and_labels_are_never_chosen_between(photos):
    photos.add(*(f"train/{label}/{i}.png" for label in "ab" for i in range(4)))
    photos.add("test/a/1.png", "test/b/1.png")
    photos.write("test/a/copy.png", (photos.root / "train/a/0.png").read_bytes())
    photos.write("train/b/wrong.png", (photos.root / "train/a/1.png").read_bytes())
    import_images("x", photos.root)
    curate.keep_one_of_each("x")
    dataset = datasets.load("x")
    left_out = dataset.source_names[dataset.subsets == datasets.LEFT_OUT].tolist()
    assert left_out == ["train/a/0.png"]
    (open_case,) = [one for one in findings.find_all(dataset) if one.labels]
    assert open_case.labels == ("a", "b")
    assert split(dataset).train.tolist()  # the pair of two labels stays together until a person decides
    curate.take_back("x", np.flatnonzero(dataset.subsets == datasets.LEFT_OUT))
    with pytest.raises(datasets.DatasetError, match="Image 0 is not left out"):
        curate.take_back("x", [0])
