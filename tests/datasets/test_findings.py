"""What is wrong with a dataset is found, and every finding can be acted on without touching a file."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core import datasets
from core.datasets import curate, duplicates, edits, findings, store
from core.datasets.balance import at_most, balanced, class_weights, imbalance
from core.datasets.splits import split
from core.importing.importer import import_images
from core.registry import UnknownName
from core.system.settings import NotAllowed, get_settings


def picture(seed: int, size: int = 32) -> Image.Image:
    """A smooth random picture, as unlike another one as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def pets(photos):
    """Ten different pictures a class, in train and test."""
    for number in range(20):
        part, label = ("train", "test")[number % 5 == 0], ("cat", "dog")[number % 2]
        path = photos.root / part / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(path)
    return photos


def row_of(name: str, source: str) -> int:
    return datasets.load(name).source_names.tolist().index(source)


def kinds(name: str) -> list[str]:
    return [finding.kind for finding in findings.find_all(datasets.load(name))]


def test_a_clean_dataset_has_nothing_but_its_balance(pets):
    import_images("x", pets.root)
    assert kinds("x") == ["balance"]
    assert duplicates.near_duplicates("x") == []


def test_the_same_image_in_train_and_test_is_the_first_finding(pets):
    picture(2).save(pets.root / "test" / "cat" / "copy.png")
    picture(4).save(pets.root / "train" / "cat" / "again.png")
    import_images("x", pets.root)
    summary, first, second, _ = findings.find_all(datasets.load("x"))
    assert (
        summary.sentence == "2 images occur more than once, 4 times in all; 1 of them in more than one set."
    )
    names = datasets.load("x").source_names
    assert names[list(first.rows)].tolist() == ["train/cat/2.png", "test/cat/copy.png"]
    assert first.sentence == "2 images are the same, across train and test."
    assert first.serious
    assert first.actions == (findings.LEAVE_OUT, findings.ONE_SET)
    assert names[list(second.rows)].tolist() == ["train/cat/4.png", "train/cat/again.png"]
    assert not second.serious


def test_the_same_image_under_two_labels_is_serious(pets):
    picture(2).save(pets.root / "train" / "dog" / "copy.png")
    import_images("x", pets.root)
    finding = findings.find_all(datasets.load("x"))[0]
    assert finding.sentence == "2 images are the same, under different labels: cat, dog."
    assert finding.serious


def test_a_recompressed_darker_copy_is_a_near_duplicate(pets):
    picture(2).point(lambda value: value * 0.8).save(pets.root / "test" / "cat" / "copy.jpg", quality=70)
    import_images("x", pets.root)
    told = []
    (group,) = duplicates.near_duplicates("x", progress=lambda *done: told.append(done))
    assert set(datasets.load("x").source_names[group.rows]) == {"train/cat/2.png", "test/cat/copy.jpg"}
    assert (group.exact, group.leaks, group.disagrees) == (False, True, False)
    assert told[-1] == (21, 21)
    (finding,) = findings.duplicate_findings(datasets.load("x"), [group])
    assert finding.sentence == "2 images look the same, across train and test."


def test_the_hashes_are_kept_and_used_again(pets, monkeypatch):
    import_images("x", pets.root)
    first = duplicates.near_duplicates("x")
    told = []
    assert duplicates.near_duplicates("x", progress=lambda *done: told.append(done)) == first
    assert told == []


def test_class_folders_that_look_like_a_mistake_are_found(pets):
    for label, count in (("Cat", 2), ("bird", 1)):
        for number in range(count):
            path = pets.root / "train" / label / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            picture(100 + number + len(label) * 10).save(path)
    import_images("x", pets.root)
    by_kind = {finding.kind: finding for finding in findings.find_all(datasets.load("x"))}
    assert by_kind["similar names"].classes == ("Cat", "cat")
    assert by_kind["similar names"].actions == (findings.MERGE,)
    assert by_kind["lone image"].sentence == "Class 'bird' has a single image."
    assert by_kind["missing class"].classes == ("bird", "Cat")


def test_strips_and_enlarged_dots_are_found(pets):
    Image.new("RGB", (400, 20), "red").save(pets.root / "train" / "cat" / "strip.png")
    Image.new("RGB", (2, 2), "blue").save(pets.root / "train" / "cat" / "dot.png")
    import_images("x", pets.root, size=32)
    by_kind = {finding.kind: finding for finding in findings.find_all(datasets.load("x"))}
    assert by_kind["aspect ratio"].rows == (row_of("x", "train/cat/strip.png"),)
    assert by_kind["tiny"].rows == (row_of("x", "train/cat/dot.png"),)
    assert findings.original_sizes(datasets.load("x"))[0] == (32, 32, 20)


def test_files_that_were_not_imported_are_findings(pets):
    pets.write("train/cat/bad.png", b"x")
    import_images("x", pets.root)
    found = [one.sentence for one in findings.find_all(datasets.load("x")) if one.kind == "not imported"]
    assert found == ["train/cat/bad.png: is not an image of a format that is read here."]


def test_the_darkest_brightest_and_flattest_are_shown(pets):
    for name, colour in (("black", 0), ("white", 255)):
        Image.new("L", (32, 32), colour).save(pets.root / "train" / "cat" / f"{name}.png")
    import_images("x", pets.root)
    seen = findings.light(datasets.load("x"))
    assert seen.darkest(1).tolist() == [row_of("x", "train/cat/black.png")]
    assert seen.brightest(1).tolist() == [row_of("x", "train/cat/white.png")]
    assert set(seen.flattest(2)) == {seen.darkest(1)[0], seen.brightest(1)[0]}
    assert (seen.brightness.min(), seen.contrast.min()) == (0, 0)
    assert seen.brightness.max() == pytest.approx(255)


def test_the_mean_image_of_a_class_is_its_mean(pets):
    import_images("x", pets.root)
    dataset = datasets.load("x")
    expected = np.round(dataset.images[dataset.labels == 1].astype(float).mean(axis=0))
    assert (findings.mean_image(dataset, 1) == expected).all()
    assert not findings.mean_image(dataset, 1, "validation").any()


def test_leaving_out_keeps_the_rows_and_the_files(pets):
    before = import_images("x", pets.root)
    rows = [row_of("x", "train/cat/2.png"), row_of("x", "test/dog/5.png")]
    info = curate.leave_out("x", rows)
    dataset = datasets.load("x")
    assert info.size == before.size - 2
    assert info.fingerprint != before.fingerprint
    assert "2 images are left out." in info.notes
    assert len(dataset) == 20
    assert not set(rows) & set(dataset.indices())
    parts = split(dataset)
    assert not set(rows) & {*parts.train, *parts.validation, *parts.test}
    assert datasets.info("x") == dataset.info == info
    assert len(list(pets.root.rglob("*.png"))) == 20
    assert curate.take_back("x", rows[:1]).size == before.size - 1


def test_classes_are_merged_and_come_back(pets):
    path = pets.root / "train" / "Cat" / "0.png"
    path.parent.mkdir()
    picture(100).save(path)
    before = import_images("x", pets.root)
    info = curate.merge_classes("x", "Cat", "cat")
    dataset = datasets.load("x")
    assert info.classes == ("cat", "dog")
    assert dataset.labels[row_of("x", "train/Cat/0.png")] == 0
    assert info.size == before.size == 21
    assert curate.undo_all("x") == before


def test_merging_goes_along_with_an_earlier_merge():
    merged = edits.Edits().merge("a", "b").merge("b", "c")
    assert merged.counted_as() == {"a": "c", "b": "c"}


@pytest.mark.parametrize(
    "steps", [[("a", "b"), ("b", "c")], [("b", "c"), ("a", "b")], [("a", "b"), ("c", "b")]]
)
def test_separating_a_class_gives_what_was_before_its_merge(steps):
    before = edits.Edits().merge(*steps[0])
    assert before.merge(*steps[1]).separate(steps[1][0]) == before


def test_classes_merged_in_a_circle_are_refused():
    with pytest.raises(datasets.DatasetError, match="'a' cannot be merged into 'b'"):
        edits.Edits().merge("a", "b").merge("b", "c").merge("c", "a").counted_as()


def test_one_changed_image_is_one_image():
    one = edits.Edits().leave_out([3]).move([4], "test")
    assert one.sentences() == ("1 image is left out.", "1 image was moved to another set.")
    assert one.leave_out([5]).sentences()[0] == "2 images are left out."


def test_a_doubted_label_is_changed_kept_or_left_out_and_undone(pets):
    before = import_images("x", pets.root)
    row, other = row_of("x", "train/cat/2.png"), row_of("x", "test/dog/5.png")
    kept = curate.confirm("x", [other])
    assert kept.fingerprint == before.fingerprint  # nothing that a model sees has changed
    assert "1 image was doubted and kept." in kept.notes
    info = curate.relabel("x", {row: "dog"})
    assert datasets.load("x").labels[row] == 1
    assert info.counts["train"] == tuple(np.add(before.counts["train"], (-1, 1)))
    assert info.fingerprint != before.fingerprint
    assert "1 image has another label." in info.notes
    assert store.has_version("x", before.fingerprint)
    assert store.has_version("x", info.fingerprint)
    left_out = curate.leave_out_doubted("x", [row])
    assert left_out.size == before.size - 1
    assert store.has_version("x", info.fingerprint)
    assert not store.has_version("x", "another")
    made = edits.read(store.folder_of("x"))
    assert (made.left_out, made.relabelled, made.confirmed) == ({row}, {}, {other})
    with pytest.raises(datasets.DatasetError, match="has no class 'bird'"):
        curate.relabel("x", {row: "bird"})
    undone = curate.undecide("x", [row, other])
    assert undone == before
    assert curate.undo_all("x") == before
    assert store.has_version("x", info.fingerprint)
    assert len(list(pets.root.rglob("*.png"))) == 20


def test_a_leaking_group_goes_into_the_test_set(pets):
    picture(2).save(pets.root / "test" / "cat" / "copy.png")
    import_images("x", pets.root)
    finding = findings.find_all(datasets.load("x"))[0]
    info = curate.put_in_one_set("x", finding.rows)
    assert info.subset_size("test") == 6
    assert "1 images" not in " ".join(info.notes)
    assert not findings.find_all(datasets.load("x"))[0].serious
    assert curate.put_in_one_set("x", finding.rows, "train").subset_size("test") == 4


def test_a_class_that_is_left_out_entirely_is_gone(pets):
    pets.add(*(f"train/bird/{i}.png" for i in range(3)), size=(32, 32))
    import_images("x", pets.root)
    dataset = datasets.load("x")
    info = curate.leave_out("x", np.flatnonzero(dataset.labels == 0))
    assert info.classes == ("cat", "dog")
    assert set(datasets.load("x").labels[datasets.load("x").indices()]) == {0, 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: curate.leave_out("x", range(20)), "At least 2 classes must remain. Received: none"),
        (lambda: curate.leave_out("x", range(16)), "At least one image must remain to train on"),
        (lambda: curate.leave_out("x", [20]), "Rows of 'x' go from 0 to 19. Received: 20"),
        (lambda: curate.merge_classes("x", "cat", "dog"), "At least 2 classes must remain. Received: dog"),
        (lambda: curate.merge_classes("x", "cat", "cow"), "'x' has no class 'cow'"),
        (lambda: curate.merge_classes("x", "cat", "cat"), "'cat' cannot be merged into 'cat'"),
        (lambda: curate.put_in_one_set("x", [0], "exam"), "A set must be one of train, validation, test"),
    ],
)
def test_an_edit_that_leaves_no_dataset_is_refused_and_not_kept(pets, change, message):
    before = import_images("x", pets.root)
    with pytest.raises(datasets.DatasetError) as refused:
        change()
    assert message in str(refused.value)
    assert datasets.info("x") == before


def test_edits_are_refused_to_viewers_and_for_unknown_names(pets, monkeypatch):
    import_images("x", pets.root)
    with pytest.raises(UnknownName):
        curate.leave_out("y", [0])
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    get_settings.cache_clear()
    with pytest.raises(NotAllowed, match="may not change datasets"):
        curate.leave_out("x", [0])


def test_damaged_edits_say_so(pets):
    import_images("x", pets.root)
    curate.leave_out("x", [0])
    (store.folder_of("x") / edits.EDITS).write_text("{")
    for read in (datasets.info, datasets.load):
        with pytest.raises(datasets.DatasetError, match="are damaged"):
            read("x")


def test_replacing_a_dataset_forgets_its_edits(pets):
    import_images("x", pets.root)
    curate.leave_out("x", [0])
    assert import_images("x", pets.root, replace=True) == datasets.info("x")
    assert datasets.info("x").size == 20


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((5, 5), "The classes are balanced: 5 images each."),
        ((10, 12), "The classes are nearly balanced: 10 to 12 images each."),
        (
            (100, 40),
            "The classes are somewhat imbalanced: 'a' (100 images) has 2.5 times as many as 'b' (40).",
        ),
        (
            (400, 5000),
            "The classes are severely imbalanced: 'b' (5,000 images) has 12.5 times as many as 'a' (400).",
        ),
        ((3, 0), "1 of 2 classes have no image, among them 'b'."),
    ],
)
def test_imbalance_is_told_in_words(counts, words):
    assert imbalance(("a", "b"), counts) == words


def test_class_weights_make_all_classes_count_alike():
    labels = np.array([0] * 6 + [1] * 2)
    weights = class_weights(labels, 3)
    assert weights.tolist() == [8 / 12, 2.0, 0.0]
    assert weights[labels].mean() == pytest.approx(1)


def test_balanced_rows_repeat_small_classes_evenly():
    labels = np.array([0] * 7 + [1] * 3)
    rows = np.arange(100, 110)
    chosen = balanced(rows, labels, seed=1)
    counts = np.bincount(chosen, minlength=110)[100:]
    assert counts[:7].tolist() == [1] * 7
    assert sorted(counts[7:].tolist()) == [2, 2, 3]
    assert chosen.tolist() == balanced(rows, labels, seed=1).tolist()


def test_at_most_so_many_of_a_class_are_taken_and_fewer_are_a_subset():
    labels = np.array([0] * 50 + [1] * 4)
    rows = np.arange(54)
    ten, five = at_most(rows, labels, 10, seed=2), at_most(rows, labels, 5, seed=2)
    assert np.bincount(labels[ten]).tolist() == [10, 4]
    assert set(five) < set(ten)
    with pytest.raises(ValueError, match="must be at least 1"):
        at_most(rows, labels, 0, seed=2)
