"""The Data page says what is in a dataset, and its buttons do what they say, which can be undone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import datasets
from core.datasets import curate, edits, store
from core.datasets.drafts import delete
from core.importing.importer import import_images
from core.jobs import imports
from core.system.settings import Settings
from core.ui.common import stored_datasets
from tests.support.network import close_network
from tests.support.pages import opened
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def pets(settings: Settings, tmp_path: Path) -> Path:
    """Eight cats, three dogs and two Dogs; one cat is in both sets, one file is no image."""
    root = tmp_path / "pets"
    for number in range(8):
        picture(root / ("test" if number > 5 else "train") / "cat" / f"{number}.png", number)
    for number in range(3):
        picture(root / "train" / "dog" / f"{number}.png", 20 + number)
        picture(root / ("test" if number else "train") / "Dog!" / f"{number}.png", 30 + number)
    picture(root / "test" / "cat" / "copy.png", 2)
    (root / "train" / "cat" / "notes.png").write_text("not an image")
    import_images("pets", root)
    return root


def page() -> AppTest:
    app = opened("pages/1_Data.py", dataset="pets")
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption)).replace("\\", "")


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [one for one in app.button if one.label.replace("\\", "").startswith(label)]
    button.click().run()
    assert not app.exception
    return app


def test_pages_read_the_datasets_once_and_again_only_when_one_has_changed(
    pets: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads_of_all = []
    read = datasets.catalogue
    monkeypatch.setattr(datasets, "catalogue", lambda: reads_of_all.append(1) or read())
    page()
    for path in ("pages/1_Data.py", "pages/2_Train.py", "pages/3_Compare.py", "pages/7_Architectures.py"):
        assert not opened(path).exception
    assert len(reads_of_all) <= 2  # the first prepares the digits, which changes what there is
    before = len(reads_of_all)
    curate.leave_out("pets", [0])
    assert {info.name: info.size for info in stored_datasets.dataset_infos()}["pets"] == 14
    assert not page().exception
    assert len(reads_of_all) == before + 1
    manifest = store.folder_of("pets") / store.MANIFEST
    whole = manifest.read_text()
    manifest.write_text("{")
    assert "pets" in stored_datasets.damaged_datasets()
    manifest.write_text(whole)
    assert "pets" not in stored_datasets.damaged_datasets()
    delete("pets")
    assert "pets" not in [info.name for info in stored_datasets.dataset_infos()]


def test_imbalance_findings_and_unreadable_files_are_said(pets: Path) -> None:
    app = page()
    text = said(app)
    assert "'cat' (6 images) has 6.0 times as many as 'Dog!' (1)" in text
    assert "2 images are the same, across train and test." in text
    assert "differ only in case, spaces or signs" in text
    (problems,) = [frame.value for frame in app.dataframe if "reason" in frame.value]
    assert problems["file"].tolist() == ["train/cat/notes.png"]
    assert "train: train/cat/2.png, cat" in text  # the two, side by side
    assert "test: test/cat/copy.png, cat" in text


def test_leaving_out_keeps_one_and_can_be_undone(pets: Path) -> None:
    before = sorted(path.read_bytes() for path in pets.rglob("*.png"))
    app = page()
    (chosen,) = [one for one in app.selectbox if one.label == "Which one stays"]
    assert chosen.value == datasets.load("pets").source_names.tolist().index("test/cat/copy.png")
    app = press(app, "Keep the chosen one, leave out the other")
    dataset = datasets.load("pets")
    left_out = dataset.source_names[dataset.subsets == datasets.LEFT_OUT].tolist()
    assert left_out == ["train/cat/2.png"]  # the one that tests stays
    assert "are the same" not in said(app)
    assert sorted(path.read_bytes() for path in pets.rglob("*.png")) == before
    press(app, "Undo all changes")
    assert not (datasets.load("pets").subsets == datasets.LEFT_OUT).any()


def test_what_stays_of_each_is_shown_before_one_of_each_is_kept(pets: Path) -> None:
    pictures = {"train/cat/more.png": "train/cat/0.png", "train/dog/wrong.png": "train/cat/1.png"}
    for copy, original in pictures.items():
        (pets / copy).write_bytes((pets / original).read_bytes())
    (pets / "test/dog").mkdir()
    (pets / "test/dog/0.png").write_bytes((pets / "train/dog/0.png").read_bytes())
    import_images("pets", pets, replace=True)
    app = page()
    marked = {
        line.partition(": ")[2].partition(",")[0] for line in said(app).split("\n") if "(stays)" in line
    }
    press(app, "Keep one of each")
    dataset = datasets.load("pets")
    left_out = set(dataset.source_names[dataset.subsets == datasets.LEFT_OUT].tolist())
    assert left_out == {"train/cat/2.png", "train/cat/more.png", "train/dog/0.png"}
    assert {"test/cat/copy.png", "test/dog/0.png"} <= marked
    assert not marked & left_out


def test_between_two_labels_only_a_person_decides(pets: Path) -> None:
    wrong = pets / "train" / "dog" / "wrong.png"
    wrong.write_bytes((pets / "train" / "cat" / "3.png").read_bytes())
    import_images("pets", pets, replace=True)
    names = datasets.load("pets").source_names.tolist()
    app = page()
    (choice,) = [one for one in app.selectbox if "right label" in one.label]
    assert choice.value is None
    assert choice.options == ["train: train/cat/3.png, cat", "train: train/dog/wrong.png, dog"]
    (button,) = [one for one in app.button if one.label == "Keep the chosen one, leave out the rest"]
    assert button.disabled
    choice.set_value(names.index("train/cat/3.png")).run()
    assert "train: train/cat/3.png, cat (stays)" in said(app)
    (button,) = [one for one in app.button if one.key == button.key]
    button.click().run()
    assert not app.exception
    subsets = datasets.load("pets").subsets
    assert np.array(names)[subsets == datasets.LEFT_OUT].tolist() == ["train/dog/wrong.png"]


def test_a_single_change_is_undone_and_the_others_stay(pets: Path) -> None:
    names = datasets.load("pets").source_names.tolist()
    rows = [names.index(name) for name in ("train/cat/0.png", "train/cat/1.png")]
    curate.leave_out("pets", rows)
    curate.merge_classes("pets", "Dog!", "dog")
    app = page()
    assert "Left out: 2 images" in said(app)
    (table,) = [frame.value for frame in app.dataframe if "imported into" in frame.value]
    assert table["image"].tolist() == ["train/cat/0.png", "train/cat/1.png"]
    press(app, "Separate Dog")
    assert datasets.info("pets").classes == ("cat", "dog", "Dog!")
    assert datasets.info("pets").notes[-1] == "2 images are left out."


def test_the_selected_images_are_taken_back_and_the_others_stay_out(pets: Path) -> None:
    names = datasets.load("pets").source_names.tolist()
    rows = sorted(names.index(f"train/cat/{number}.png") for number in (0, 1, 3))
    curate.leave_out("pets", rows)
    app = page()
    (button,) = [one for one in app.button if one.label.startswith("Take back")]
    assert button.disabled  # nothing is selected yet
    app.session_state[f"edits-Left out-3-{rows[0]}"] = {"selection": {"rows": [0, 2]}}
    app.run()
    assert not app.exception
    press(app, "Take back 2 images")
    assert edits.read(store.folder_of("pets")).left_out == {rows[1]}
    assert "Left out: 1 image" in said(app)


def test_a_group_is_put_in_one_set_and_classes_are_merged(pets: Path) -> None:
    app = press(page(), "Put them in one set")
    dataset = datasets.load("pets")
    row = dataset.source_names.tolist().index("train/cat/2.png")
    assert dataset.subsets[row] == datasets.SUBSETS.index("test")
    press(app, "Count ")
    assert set(datasets.info("pets").classes) in ({"cat", "dog"}, {"cat", "Dog!"})


def test_near_duplicates_are_looked_for_on_demand(pets: Path) -> None:
    with Image.open(pets / "train" / "cat" / "1.png") as image:
        image.point(lambda value: min(255, value + 3)).save(pets / "test" / "cat" / "brighter.png")
    import_images("pets", pets, replace=True)
    app = page()
    assert "look the same" not in said(app)
    press(app, "Look for near duplicates")
    assert "2 images look the same, across train and test." in said(app)


@pytest.mark.parametrize(
    ("look", "text"),
    [
        ("Sizes", "All 15 images were 24×24 pixels."),
        ("Brightness and contrast", "The darkest"),
        ("Mean images", "The mean of all images of a class"),
    ],
)
def test_looks_are_made_on_demand(pets: Path, look: str, text: str) -> None:
    app = page()
    assert text not in said(app)
    (control,) = [one for one in app.button_group if one.key == "look"]
    control.set_value(look).run()
    assert not app.exception
    assert text in said(app)


def test_a_known_dataset_is_prepared_in_the_background_or_says_what_to_do(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network the sentence says where to put the file; with one, MNIST is there afterwards."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    close_network(monkeypatch)
    app = opened("pages/1_Data.py")
    app.button(key="prepare-mnist").click().run()
    wait_for(lambda: all(job.state != imports.RUNNING for job in imports.jobs(settings).values()))
    (job,) = imports.jobs(settings).values()
    assert job.state == imports.REFUSED
    assert f"put mnist.npz in {tmp_path / 'keras' / 'datasets'}" in job.message
    assert "import the images as a folder under the name 'mnist'" in job.message
    assert "mnist" in [info.name for info in [datasets.info("mnist")] if not info.prepared]


def test_a_value_range_is_given_in_the_form(settings: Settings, tmp_path: Path) -> None:
    for label in ("dim", "bright"):
        (tmp_path / "scans" / label).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((8, 8), 1000 + number, np.uint16)
            Image.fromarray(pixels).save(tmp_path / "scans" / label / f"{number}.png")

    def submitted(value_range: str) -> AppTest:
        app = opened("pages/1_Data.py")
        fields = {field.label: field for field in app.text_input}
        fields["Name of the dataset"].set_value("scans")
        fields["or a path on the server"].set_value(str(tmp_path / "scans"))
        fields["Value range of deep images"].set_value(value_range)
        return next(button for button in app.button if button.label == "Import").click().run()

    refused = submitted("4095")
    assert "A value range must be two numbers" in refused.error[0].value
    assert not imports.jobs(settings)
    submitted("0, 4095")
    wait_for(lambda: all(job.state != imports.RUNNING for job in imports.jobs(settings).values()))
    assert datasets.info("scans").value_range == (0, 4095)
    assert "as given: 0 became black and 4,095 white." in " ".join(datasets.info("scans").notes)


def test_the_train_form_shows_balance_in_counts(pets: Path) -> None:
    app = opened("pages/2_Train.py", dataset="pets", validation_fraction="0.0")
    app.selectbox(key="imbalance").set_value("balanced").run()
    assert not app.exception
    (table,) = [frame.value for frame in app.dataframe if "training images per epoch" in frame.value]
    assert table["training images per epoch"].tolist() == [6, 6, 6]
    app.selectbox(key="imbalance").set_value("at_most").run()
    app.number_input(key="at_most").set_value(2).run()
    (table,) = [frame.value for frame in app.dataframe if "training images per epoch" in frame.value]
    assert sorted(table["training images per epoch"].tolist()) == [1, 2, 2]


def test_the_train_form_says_what_copies_do_to_the_split(pets: Path) -> None:
    for number in range(5):
        copy = pets / "train" / "dog" / f"copy {number}.png"
        copy.write_bytes((pets / "train" / "dog" / f"{number % 3}.png").read_bytes())
    import_images("pets", pets, replace=True)
    app = opened("pages/2_Train.py", dataset="pets", validation_fraction="0.3")
    assert not app.exception
    assert "stay together" in said(app)
    assert "training images are copies of others" in said(app)
    warnings = "\n".join(one.value for one in app.warning).replace("\\", "")
    assert (
        "1 of 5 test images is identical to validation images, so the test accuracy is too high." in warnings
    )


def test_the_train_form_previews_in_the_real_prediction_process(settings: Settings) -> None:
    app = opened("pages/2_Train.py", preview="true")
    assert not app.exception
    assert not app.error
    assert len(app.get("image")) == 8
    app.slider(key="rotation").set_value(40.0).run()
    assert not app.error
    app.number_input(key="random_crop").set_value(99).run()
    assert "augmentation.random_crop must be at most" in app.error[0].value.replace("\\", "")


def shift_jis(path: Path) -> list[str]:
    """A zip from a Japanese Windows, whose names are not marked; the names of its classes."""
    classes = ["表示", "能力"]
    picture(path.with_suffix(".png"), 1)
    with zipfile.ZipFile(path, "w") as archive:
        for sign, name in zip("AB", classes, strict=True):
            for number in range(4):
                picture(path.with_suffix(".png"), number + 4 * (sign == "A"))
                archive.write(path.with_suffix(".png"), f"{sign * len(name.encode('cp932'))}/{number}.png")
    data = path.read_bytes()
    for sign, name in zip("AB", classes, strict=True):
        coded = name.encode("cp932")
        data = data.replace(sign.encode() * len(coded) + b"/", coded + b"/")
    path.write_bytes(data)
    return classes


def test_names_in_a_guessed_encoding_are_shown_and_chosen_before_the_import(
    settings: Settings, tmp_path: Path
) -> None:
    classes = shift_jis(tmp_path / "words.zip")
    app = opened("pages/1_Data.py")
    fields = {field.label: field for field in app.text_input}
    fields["Name of the dataset"].set_value("words")
    fields["or a path on the server"].set_value(str(tmp_path / "words.zip"))
    press(app, "Import")
    assert imports.jobs(settings) == {}  # nothing begins before the names were seen
    (table,) = [frame.value for frame in app.dataframe if "class" in frame.value]
    assert sorted(table["class"]) == sorted(classes)
    assert "does not say how its names are encoded" in app.warning[0].value
    (choice,) = [box for box in app.selectbox if box.label == "Encoding of the names"]
    assert choice.value == "cp932"
    choice.set_value("gb18030").run()
    (table,) = [frame.value for frame in app.dataframe if "class" in frame.value]
    assert sorted(table["class"]) == sorted(name.encode("cp932").decode("gb18030") for name in classes)
    app.selectbox(key="import-encoding").set_value("cp932").run()
    press(app, "Import these classes")
    wait_for(lambda: all(job.state != imports.RUNNING for job in imports.jobs(settings).values()))
    (job,) = imports.jobs(settings).values()
    assert job.state == imports.DONE, job.message
    assert sorted(datasets.info("words").classes) == sorted(classes)
    assert list(imports.uploads(settings).iterdir()) == []


def test_a_preview_shows_classes_by_set_and_what_is_not_imported(pets: Path, settings: Settings) -> None:
    (pets / "loose.png").write_bytes(b"x")
    app = opened("pages/1_Data.py")
    fields = {field.label: field for field in app.text_input}
    fields["Name of the dataset"].set_value("more")
    fields["or a path on the server"].set_value(str(pets))
    press(app, "Preview")
    (table,) = [frame.value for frame in app.dataframe if "class" in frame.value and "train" in frame.value]
    assert dict(zip(table["class"], table["train"], strict=True)) == {"cat": 7, "dog": 3, "Dog!": 1}
    assert "Not imported: 1 files, as 'loose.png'" in said(app)
    press(app, "Discard")
    assert imports.jobs(settings) == {}
    assert "more" not in datasets.names()


def test_a_name_with_a_space_is_refused_at_its_field(settings: Settings) -> None:
    app = opened("pages/1_Data.py")
    (field,) = [field for field in app.text_input if field.label == "Name of the dataset"]
    field.set_value("my flowers").run()
    (error,) = app.error
    assert "Received: 'my flowers'. Possible: my-flowers" in error.value.replace("\\", "")
    field.set_value("my-flowers").run()
    assert not app.error


@pytest.fixture
def damaged(pets: Path, settings: Settings) -> Path:
    """The folder of `pets`, whose manifest is cut off, beside a dataset that is well."""
    folder = settings.datasets / "pets"
    (folder / "manifest.json").write_text('{"name": "pets", "shape"')
    return folder


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("pages/1_Data.py", {"dataset": "pets"}),
        ("pages/2_Train.py", {"dataset": "pets"}),
        ("pages/7_Architectures.py", {"view": "Costs", "at": "pets"}),
    ],
)
def test_a_damaged_manifest_takes_no_page_from_the_other_datasets(
    damaged: Path, path: str, query: dict[str, str]
) -> None:
    app = opened(path, **query)
    assert not app.exception
    (box,) = [one for one in app.selectbox if one.label in ("Dataset", "Input")]
    assert "digits" in box.options
    assert "pets" not in box.options
    shown = [element.value for element in (*app.error, *app.warning)]
    assert any("'pets' cannot be read" in text for text in shown) == (box.label == "Dataset")
    if path == "pages/2_Train.py":
        (launch,) = [one for one in app.button if one.label.startswith("Launch")]
        assert not launch.disabled


def test_a_damaged_dataset_can_be_deleted_from_the_page(damaged: Path) -> None:
    press(page(), "Delete pets")
    assert not damaged.exists()


def test_edits_that_are_damaged_can_be_undone_from_the_page(pets: Path, settings: Settings) -> None:
    (settings.datasets / "pets" / "edits.json").write_text("")
    press(page(), "Undo all changes of pets")
    assert datasets.info("pets").size == 15


def test_images_that_are_damaged_are_said_on_the_page(pets: Path, settings: Settings) -> None:
    (settings.datasets / "pets" / "images.npy").write_bytes(b"")
    assert any("'pets' cannot be read" in one.value for one in page().error)
