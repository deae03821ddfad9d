"""Every dataset that the program knows is what it says it is."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import datasets
from core.datasets import curate, store
from core.importing.importer import import_images, remove
from core.registry import UnknownName
from core.system.settings import PROGRAM, NotAllowed, get_settings
from tests.support.network import close_network
from tests.support.photos import Photos

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", datasets.datasets.names())
def test_a_source_announces_itself_completely(name):
    source = datasets.datasets.get(name)
    assert source.title
    assert source.description
    assert source.licence
    assert all(len(counts) == len(source.classes) for counts in source.counts.values())
    assert set(source.counts) == set(datasets.SUBSETS)


@pytest.mark.parametrize("name", [source.name for source in datasets.datasets if source.embedded])
def test_an_embedded_source_is_prepared_as_announced_when_first_asked_for(name):
    source = datasets.datasets.get(name)
    info = datasets.info(name)
    assert info.prepared
    assert (info.shape, info.classes, info.counts) == (source.shape, source.classes, source.counts)
    assert store.stored_names() == [name]
    assert datasets.info(name) == info


@pytest.mark.parametrize("name", [source.name for source in datasets.datasets if not source.embedded])
def test_a_source_to_be_downloaded_is_shown_before_it_is_there(name):
    source = datasets.datasets.get(name)
    info = datasets.info(name)
    assert (info.shape, info.classes, info.counts) == (source.shape, source.classes, source.counts)
    assert not info.prepared
    assert store.stored_names() == []


SIZES = {"mnist": 70_000, "fashion_mnist": 70_000, "cifar10": 60_000, "cifar100": 60_000}


@pytest.mark.parametrize("name", SIZES)
def test_the_classics_are_announced_in_their_published_sizes(name):
    info = datasets.info(name)
    assert (info.size, info.subset_size("test")) == (SIZES[name], 10_000)
    assert len(set(info.classes)) == info.num_classes == (100 if name == "cifar100" else 10)


def write_idx(path: Path, values: np.ndarray, header_bytes: int) -> None:
    """A file as the MNIST family has them: a header, then the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(bytes(header_bytes) + values.astype(np.uint8).tobytes()))


def test_keras_cache_is_used_without_a_network(tmp_path, monkeypatch):
    # Fashion-MNIST is the one whose files Keras takes without comparing a checksum.
    generator = np.random.default_rng(0)
    images = {
        "train": generator.integers(0, 256, (30, 28, 28)),
        "t10k": generator.integers(0, 256, (10, 28, 28)),
    }
    for part, pixels in images.items():
        folder = tmp_path / "keras" / "datasets" / "fashion-mnist"
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", pixels, 16)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(len(pixels)) % 10, 8)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    dataset = datasets.load("fashion_mnist")
    assert dataset.info.prepared
    assert dataset.info.counts == {"train": (3,) * 10, "validation": (0,) * 10, "test": (1,) * 10}
    assert (dataset.images[:30, ..., 0] == images["train"]).all()
    assert (dataset.images[30:, ..., 0] == images["t10k"]).all()
    assert dataset.labels.tolist() == [*range(10)] * 4


def test_without_a_network_one_sentence_says_what_to_do(tmp_path, monkeypatch, nothing_written):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    close_network(monkeypatch)
    with pytest.raises(datasets.DatasetError) as refused:
        datasets.load("mnist")
    message = str(refused.value)
    assert message.startswith("MNIST could not be downloaded (")
    assert f"put mnist.npz in {tmp_path / 'keras' / 'datasets'}, or import the images as a folder" in message
    assert "\n" not in message
    nothing_written()


def test_a_read_only_server_downloads_nothing(monkeypatch):
    monkeypatch.setenv("ARCHLAB_ROLE", "viewer")
    get_settings.cache_clear()
    with pytest.raises(NotAllowed, match="may not download"):
        datasets.load("mnist")
    assert datasets.info("digits").prepared  # what ships with the program is for everybody


def test_an_import_may_take_the_name_of_a_download(photos):
    photos.pair()
    info = import_images("mnist", photos.root)
    assert datasets.info("mnist") == info
    remove("mnist")
    assert not datasets.info("mnist").prepared


def test_digits_are_white_on_black_and_look_like_their_originals():
    from sklearn.datasets import load_digits

    dataset = datasets.load("digits")
    originals = load_digits()
    assert dataset.images.dtype == np.uint8
    assert dataset.labels.tolist() == originals.target.tolist()
    assert np.asarray(dataset.images[:, 0, 0]).mean() < 16  # the corner is background
    blocks = np.asarray(dataset.images, np.float32)[:, 2:26, 2:26, 0].mean(axis=(1, 2))
    assert np.corrcoef(blocks, originals.images.mean(axis=(1, 2)))[0, 1] > 0.9


def test_the_digits_have_the_same_fingerprint_everywhere():
    assert datasets.info("digits").fingerprint == "2bac1199f1db3ca91a9a014d087be0fd"


def test_samples_are_of_the_class_and_set_and_repeatable():
    dataset = datasets.load("digits")
    rows = datasets.sample("digits", class_index=3, count=5, subset="test", seed=1)
    assert len(rows) == 5
    assert set(dataset.labels[rows]) == {3}
    assert set(dataset.subsets[rows]) == {2}
    assert rows.tolist() == datasets.sample("digits", class_index=3, count=5, subset="test", seed=1).tolist()
    assert len(datasets.sample("digits", class_index=3, count=1000, subset="test")) == 37
    with pytest.raises(ValueError, match="`subset` must be one of train, validation, test"):
        datasets.sample("digits", subset="exam")


def test_an_unknown_name_is_answered_with_the_names_that_exist():
    with pytest.raises(UnknownName, match=r"Unknown dataset 'digit'\. Known: .*digits"):
        datasets.load("digit")
    with pytest.raises(UnknownName, match="Unknown dataset"):
        datasets.info("../digits")


def test_two_processes_may_prepare_the_same_source_at_once():
    code = "from core import datasets; print(datasets.info('digits').fingerprint)"
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=PROGRAM, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = {process.communicate()[0].strip() for process in both}
    assert answers == {datasets.info("digits").fingerprint}


DAMAGES = {
    "empty": lambda values: "",
    "cut off": lambda values: json.dumps(values)[:200],
    "no object": lambda values: "[]",
    "no key": lambda values: "{}",
    "nested without end": lambda values: "[" * 100_000,
    "a word for a number": lambda values: json.dumps(values | {"shape": [8, 8, "x"]}),
    "counts of other classes": lambda values: json.dumps(values | {"classes": ["a", "b", "c"]}),
    "numbers for names": lambda values: json.dumps(values | {"classes": [1, 2]}),
    "not UTF-8": lambda values: b"\xff\xfe\x00",
}


@pytest.fixture
def pair(photos: Photos) -> Path:
    """The folder of an imported dataset named `pair`."""
    photos.pair()
    import_images("pair", photos.root)
    return store.folder_of("pair")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_says_so_and_hides_no_other_dataset(damage, pair):
    text = DAMAGES[damage](json.loads((pair / store.MANIFEST).read_text()))
    (pair / store.MANIFEST).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        datasets.DatasetError, match=r"'pair' cannot be read \(.*Delete it, or import it again"
    ):
        datasets.info("pair")
    found = datasets.catalogue()
    assert list(found.damaged) == ["pair"]
    assert "\n" not in found.damaged["pair"]
    assert "digits" in {info.name for info in found.infos}


@pytest.mark.parametrize("file", [store.IMAGES, store.INDEX])
@pytest.mark.parametrize("data", [b"", b"\x93NUMPY\x01\x00v\x00{", b"PAR1" + bytes(90) + b"PAR1"])
def test_damaged_images_or_index_say_so(file, data, pair):
    (pair / file).write_bytes(data)
    with pytest.raises(datasets.DatasetError, match="'pair' cannot be read"):
        datasets.load("pair")


def test_images_and_index_that_disagree_say_so(pair):
    np.save(pair / store.IMAGES, np.zeros((3, 8, 8, 3), np.uint8))
    with pytest.raises(datasets.DatasetError, match="its files disagree"):
        datasets.load("pair")


def test_a_file_with_pickled_objects_is_not_read(pair):
    np.save(pair / store.IMAGES, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(datasets.DatasetError, match="cannot be read"):
        datasets.load("pair")


@pytest.mark.parametrize("file", [store.MANIFEST, store.IMAGES, store.INDEX])
def test_a_damaged_dataset_that_ships_with_the_program_is_written_again_and_keeps_its_edits(file, home):
    before = datasets.info("digits").fingerprint
    curate.leave_out("digits", [0, 1])
    edited = datasets.info("digits")
    (home / "datasets" / "digits" / file).write_text("")
    assert len(datasets.load("digits").indices()) == edited.size
    assert datasets.info("digits").fingerprint == edited.fingerprint != before


def test_datasets_cost_the_dashboard_no_heavy_import():
    code = (
        "import sys\nfrom core import datasets\nfrom core.importing import importer\ndatasets.names()\n"
        "heavy = ('keras', 'tensorflow', 'streamlit', 'mlflow', 'sklearn', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROGRAM, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
