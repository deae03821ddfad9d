"""What a model starts from, and how it is told when that cannot be had."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import yaml
from keras.src.legacy.saving import legacy_h5_format

from core.architectures.transfer import assemble, backbone_layers
from core.components.preprocessing import preprocessings
from core.config import (
    ConfigError,
    ExperimentConfig,
    ModelConfig,
    from_yaml,
    parse_assignments,
)
from core.experiment.pretrained import (
    WeightsError,
    check_weights,
    expected_preprocessing,
    from_model,
    saved_preprocessing,
    start_from,
    weights_file,
)
from core.jobs.groups import repeated
from core.launching.checks import check
from core.launching.launch import launch
from core.system.settings import Settings
from core.tracking import frames, schema
from core.tracking.store import RunStore, get_store
from core.training.models import wrap
from tests.support.homes import SMALL, Trained
from tests.support.network import close_network

pytestmark = pytest.mark.slow

SHAPE = (16, 16, 1)
FEW = SMALL.with_values({"training.epochs": 2, "training.batch_size": 256})


def lenet(**settings) -> ModelConfig:
    return ModelConfig(name="lenet5", **settings)


def arrays(net: keras.Model) -> dict[str, list[np.ndarray]]:
    return {
        layer.name: [keras.ops.convert_to_numpy(weight) for weight in layer.weights]
        for layer in net.layers
        if layer.weights
    }


def equal(first: dict, second: dict) -> set[str]:
    """Names of the layers with the same weights in both."""
    return {
        name
        for name in first.keys() & second.keys()
        if all(np.array_equal(one, other) for one, other in zip(first[name], second[name], strict=True))
    }


@pytest.fixture
def saved(settings: Settings) -> dict[str, list[np.ndarray]]:
    """A LeNet in the weights folder, in both forms; its weights by layer."""
    settings.weights.mkdir(parents=True)
    net = assemble(lenet(), SHAPE, 4)
    _, kept = wrap(net, ExperimentConfig().with_values({"data.preprocessing": "tf"}))
    kept.save(settings.weights / "lenet.keras")
    net.save_weights(settings.weights / "lenet.weights.h5")
    return arrays(net)


@pytest.mark.parametrize(("file", "preprocessing"), [("lenet.keras", "tf"), ("lenet.weights.h5", "scale")])
def test_a_file_fills_the_backbone_and_leaves_the_head_fresh(
    saved: dict, store: RunStore, file: str, preprocessing: str
) -> None:
    model = lenet(weights=file, head="gap")
    net = assemble(model, SHAPE, 7)
    found = start_from(net, ExperimentConfig(model=model), store)
    assert found.data.preprocessing == preprocessing  # a weights file does not say: 0 to 1
    names = {layer.name for layer in backbone_layers(net) if layer.weights}
    assert equal(arrays(net), saved) == names
    assert "head_predictions" not in names


@pytest.mark.parametrize("name", preprocessings.names())
def test_a_saved_model_tells_its_preprocessing(name: str, settings: Settings, store: RunStore) -> None:
    settings.weights.mkdir(parents=True)
    shape = (16, 16, 3)
    config = ExperimentConfig().with_values({"data.preprocessing": name})
    _, kept = wrap(assemble(lenet(), shape, 4), config, shape, np.full(shape, 9.0, "float32"))
    kept.save(settings.weights / "own.keras")
    assert check_weights(ExperimentConfig(model=lenet(weights="own.keras")), store) == name


def test_named_layers_take_weights_wherever_they_are(saved: dict, store: RunStore) -> None:
    first, *_, last = saved
    model = lenet(weights="lenet.keras", weights_layers=f"{first}, {last}")
    net = assemble(model, SHAPE, 4)
    start_from(net, ExperimentConfig(model=model), store)
    assert equal(arrays(net), saved) == {first, last}


def test_vgg_starts_warm_from_vgg11_as_in_the_paper(settings: Settings, store: RunStore) -> None:
    """Model A's first four convolutions and three dense layers; what lies between is fresh."""
    small = {"dense_units": 16}
    eleven = assemble(ModelConfig(name="vgg11", options=small), (32, 32, 1), 3)
    settings.weights.mkdir(parents=True)
    eleven.save_weights(settings.weights / "a.weights.h5")
    chosen = "conv1_1, conv2_1, conv3_1, conv3_2, fc*, predictions"
    model = ModelConfig(name="vgg16", options=small, weights="a.weights.h5", weights_layers=chosen)
    sixteen = assemble(model, (32, 32, 1), 3)
    start_from(sixteen, ExperimentConfig(model=model), store)
    expected = {"conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc1", "fc2", "predictions"}
    assert equal(arrays(sixteen), arrays(eleven)) == expected


def test_weights_of_another_model_are_refused_in_one_sentence(saved: dict, store: RunStore) -> None:
    model = ModelConfig(name="mnist_cnn", weights="lenet.keras")
    with pytest.raises(WeightsError, match=r"do not fit mnist_cnn: its layer \w+ holds 5×5×1×16, 16\. Rec"):
        start_from(assemble(model, (28, 28, 1), 4), ExperimentConfig(model=model), store)


def test_a_broken_file_is_refused_in_one_sentence(settings: Settings, store: RunStore) -> None:
    settings.weights.mkdir(parents=True)
    for name in ("broken.keras", "broken.weights.h5"):
        (settings.weights / name).write_bytes(b"nothing of the kind")
        model = lenet(weights=name)
        with pytest.raises(WeightsError, match=rf"The weights of the file {name} cannot be read: ") as error:
            start_from(assemble(model, SHAPE, 4), ExperimentConfig(model=model), store)
        assert "\n" not in str(error.value)


def test_a_file_cannot_bring_code(settings: Settings) -> None:
    settings.weights.mkdir(parents=True)
    images = keras.Input((4,))
    keras.Model(images, keras.layers.Lambda(lambda x: x)(images)).save(settings.weights / "code.keras")
    with pytest.raises(WeightsError, match="cannot be read"):
        from_model(settings.weights / "code.keras", "the file code.keras")


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ("../secret.keras", "A weights file must lie in "),
        ("/etc/passwd.keras", "A weights file must lie in "),
        ("link.keras", "A weights file must lie in "),
        ("absent.keras", "There is no weights file "),
        ("model.h5", "model.weights must be none, imagenet, run:ID, or a file of the weights folder that"),
        ("imagenet", "ImageNet weights exist for vgg16, vgg19, resnet50, "),
        ("run:0123", "No run has the id '0123'."),
    ],
)
def test_weights_that_cannot_be_are_refused_before_launch(
    settings: Settings, store: RunStore, tmp_path: Path, weights: str, sentence: str
) -> None:
    settings.weights.mkdir(parents=True)
    (tmp_path / "outside.keras").write_bytes(b"")
    (settings.weights / "link.keras").symlink_to(tmp_path / "outside.keras")
    with pytest.raises(ConfigError) as error:
        check(SMALL.with_values({"model.weights": weights}))
    assert str(error.value).startswith(sentence)


def test_preprocessing_that_the_weights_do_not_expect_is_refused(saved: dict, store: RunStore) -> None:
    model = lenet(weights="lenet.keras")
    config = ExperimentConfig(model=model).with_values({"data.preprocessing": "standardize"})
    with pytest.raises(WeightsError, match=r"expect images with data.preprocessing tf. Received: standardiz"):
        start_from(assemble(model, SHAPE, 4), config, store)
    with pytest.raises(WeightsError, match="expect images with data"):  # before a launch too
        check_weights(config, store)
    assert check_weights(ExperimentConfig(model=model), store) == "tf"


@pytest.mark.parametrize("written", preprocessings.names())
def test_a_preprocessing_that_is_written_down_is_never_overruled(store: RunStore, written: str) -> None:
    """From YAML, `--set` and for every run of a group; `scale`, once the default, as any other."""
    text = f"data: {{preprocessing: {written}}}\nmodel: {{name: vgg16, weights: imagenet, resize: 32}}"
    by_yaml = from_yaml(text).with_values({"seed": 1})
    by_set = from_yaml("model: {name: vgg16, weights: imagenet, resize: 32}").with_values(
        parse_assignments([f"data.preprocessing={written}"])
    )
    for config in (by_yaml, by_set, *repeated(by_yaml, seeds=2).configs, *repeated(by_set, folds=2).configs):
        if written == "caffe":
            check(config)
            assert check_weights(config, store) == "caffe"
            continue
        with pytest.raises(ConfigError) as error:
            check(config)
        rule = "These weights expect images with data.preprocessing caffe."
        assert str(error.value) == f"{rule} Received: {written}."


def test_automatic_preprocessing_is_logged_as_it_was_chosen(
    own: Trained, train: Callable[[ExperimentConfig], str]
) -> None:
    """Weights that expect the mean of the training set subtracted get it, though nobody named it."""
    folder, store = own.settings.weights, get_store()
    folder.mkdir(parents=True, exist_ok=True)
    shape = (28, 28, 1)
    subtracted = ExperimentConfig().with_values({"data.preprocessing": "mean"})
    _, kept = wrap(assemble(lenet(), shape, 10), subtracted, shape, np.full(shape, 9.0, "float32"))
    kept.save(folder / "mean.keras")
    run_id = train(FEW.with_values({"model.weights": "mean.keras", "training.epochs": 1}))
    assert store.config(run_id).data.preprocessing == "auto"
    assert store.run(run_id).data.params["data.preprocessing"] == "mean"
    assert saved_preprocessing(store.models.file(run_id), "the run") == "mean"


@pytest.mark.parametrize(("used", "read_as"), [("caffe", "auto"), ("scale", "scale")])
def test_a_run_of_an_older_version_keeps_the_preprocessing_that_it_had(
    store: RunStore, used: str, read_as: str
) -> None:
    """Its config says `scale`, the default then, which the weights had overruled without a word."""
    model = ModelConfig(name="vgg16", weights="imagenet")
    old = ExperimentConfig(model=model).with_values({"data.preprocessing": "scale"})
    run_id = store.create(old)
    assert store.config(run_id).data.preprocessing == "scale"  # not trained yet
    store.log_json(run_id, {"name": "digits", "preprocessing": used}, schema.DATA)
    assert store.config(run_id).data.preprocessing == read_as


def test_a_run_that_an_older_version_queued_gets_the_preprocessing_that_its_weights_expect(
    store: RunStore,
) -> None:
    """It has not begun, so nothing says what it used: its config lacks the settings that came with `auto`."""
    model = ModelConfig(name="vgg16", weights="imagenet")
    written = ExperimentConfig(model=model).with_values({"data.preprocessing": "scale"}).model_dump()
    del written["data"]["keep_together"], written["model"]["allow_overlap"]
    run_id = store.create(ExperimentConfig())
    store.client.log_text(run_id, yaml.safe_dump(written), schema.CONFIG)
    assert store.config(run_id).data.preprocessing == "auto"
    assert expected_preprocessing(store.config(run_id), "caffe") == "caffe"


def test_a_file_in_a_folder_below_is_found(settings: Settings) -> None:
    (settings.weights / "mine").mkdir(parents=True)
    (settings.weights / "mine" / "net.keras").touch()
    assert weights_file("mine/net.keras", settings).name == "net.keras"


def test_a_run_that_has_not_finished_has_no_weights(store: RunStore) -> None:
    waiting = store.create(SMALL)
    with pytest.raises(ConfigError, match="is SCHEDULED; only a finished run has weights to take"):
        check(SMALL.with_values({"model.weights": f"run:{waiting}"}))


def test_a_run_whose_files_are_gone_has_no_weights(store: RunStore) -> None:
    gone = store.create(SMALL)
    store.set_status(gone, schema.FINISHED)
    shutil.rmtree(store.settings.artifacts / gone)
    with pytest.raises(WeightsError, match=rf"The run {gone} has no 'config\.yaml'\. Its files are gone, so"):
        check_weights(SMALL.with_values({"model.weights": f"run:{gone}"}), store)


def test_a_run_starts_from_another_runs_weights_and_unfreezes_them(
    own: Trained, train: Callable[[ExperimentConfig], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Frozen in epoch 1, learning in epoch 2 with a rate of its own."""
    store = get_store()
    config = FEW.with_values(
        {
            "model.weights": f"run:{own.run_id[:12]}",
            "model.head": "gap_dense",
            "model.freeze": "all",
            "model.unfreeze_epoch": 1,
            "model.unfreeze_learning_rate": 0.002,
            "training.keep": "last",
        }
    )
    run_id = train(config)
    assert f"weights of the run {own.run_id}: 2 layers" in capsys.readouterr().out
    history = frames.histories(store, [run_id])
    rates = history[history["metric"] == "learning_rate"].sort_values("step")
    assert rates["step"].tolist() == [1, 2]
    assert rates["value"].tolist() == pytest.approx([FEW.optimizer.learning_rate, 0.002])
    # 16 maps: the hidden layer 16 · 256, its normalisation 2 · 256, the classifier 256 · 10 + 10
    assert store.run(run_id).data.metrics["trainable_parameters"] == 16 * 256 + 2 * 256 + 2570
    before = from_model(store.models.file(own.run_id), "first").weights
    after = from_model(store.models.file(run_id), "second").weights
    assert before.keys() & after.keys() == {"c1", "c3"}
    assert equal(before, after) == set()


def test_frozen_weights_are_those_of_the_other_run_to_the_end(
    own: Trained, train: Callable[[ExperimentConfig], str], capsys: pytest.CaptureFixture[str]
) -> None:
    store = get_store()
    settings = {"model.weights": f"run:{own.run_id}", "model.head": "gap", "model.freeze": "all"}
    run_id = train(FEW.with_values({**settings, "model.bottleneck": True}))
    before = from_model(store.models.file(own.run_id), "first").weights
    assert equal(before, from_model(store.models.file(run_id), "second").weights) == {"c1", "c3"}
    (features,) = (own.settings.cache / "bottleneck").iterdir()
    written = features.stat().st_mtime_ns
    # Another head on the same backbone takes what is there.
    capsys.readouterr()
    train(FEW.with_values({**settings, "model.bottleneck": True, "model.head": "gap_dense"}))
    assert [path.stat().st_mtime_ns for path in features.parent.iterdir()] == [written]
    assert "bottleneck features: from the cache" in capsys.readouterr().out


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Keras cache with nothing in it, and no way into the network: the proxy's port is closed."""
    close_network(monkeypatch)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


def test_offline_a_launch_says_in_one_sentence_what_to_do(store: RunStore, unreachable: Path) -> None:
    config = SMALL.with_values({"model.name": "resnet50", "model.weights": "imagenet"})
    with pytest.raises(ConfigError) as error:
        launch([SMALL, config])
    assert "The ImageNet weights of resnet50 could not be loaded (" in str(error.value)
    assert f"resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 into {unreachable}" in str(error.value)
    assert frames.run_ids(store) == []
    model = config.model
    with pytest.raises(WeightsError) as error:  # as a training would tell it
        start_from(assemble(model, (32, 32, 1), 2), ExperimentConfig(model=model), store)
    assert str(error.value).startswith("The ImageNet weights of resnet50 could not be loaded (")
    assert error.value.__suppress_context__
    assert "\n" not in str(error.value)


def test_imagenet_weights_come_through_the_loader_of_keras(
    store: RunStore, unreachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of our own in Keras' cache; its checksum stands where the true file's does."""
    theirs = keras.applications.ResNet50(weights=None, include_top=False)
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    unreachable.mkdir(parents=True)
    with h5py.File(unreachable / name, "w") as file:  # of the old form, as the true one
        legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    checksum = hashlib.md5((unreachable / name).read_bytes()).hexdigest()
    hashes = keras.src.applications.resnet.WEIGHTS_HASHES
    monkeypatch.setitem(hashes, "resnet50", (hashes["resnet50"][0], checksum))

    model = ModelConfig(name="resnet50", weights="imagenet", head="gap", freeze="all")
    net = assemble(model, (32, 32, 1), 2)
    assert net.input_shape == (None, 32, 32, 3)  # grey images are shown as colour
    assert start_from(net, ExperimentConfig(model=model), store).data.preprocessing == "caffe"
    kernel = keras.ops.convert_to_numpy(theirs.get_layer("conv1_conv").kernel)
    np.testing.assert_array_equal(net.get_layer("conv1").get_weights()[0], kernel)
    np.testing.assert_array_equal(
        net.get_layer("conv5_block3_conv3").get_weights()[0],
        theirs.get_layer("conv5_block3_3_conv").get_weights()[0],
    )
