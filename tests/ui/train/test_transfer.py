"""Transfer learning in the form and on the command line: what is frozen can be seen before a launch."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.architectures.description import Description
from core.config import ExperimentConfig, ModelConfig
from core.experiment.preprocessing import preprocessing
from core.inference.client import describe_transfer
from core.system.settings import Settings
from core.tracking import schema
from core.tracking.store import RunStore, get_store
from core.ui.common import layer_table, words
from tests.support.commands import run
from tests.support.homes import Trained
from tests.support.pages import opened

pytestmark = pytest.mark.slow


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def test_the_form_shows_which_layers_are_frozen(settings: Settings) -> None:
    app = opened("pages/2_Train.py", freeze="first_n", freeze_layers="2", show_layers="true")
    assert not app.exception
    assert not app.error
    table = next(frame.value for frame in app.dataframe if "frozen" in frame.value)
    assert table[table["frozen"]]["layer"].tolist() == ["c1"]  # its pool, the second layer, has no weights
    # LeNet-5's 44,426 less the 156 of its first convolution
    assert any("44,270 of 44,426 parameters are trainable" in caption.value for caption in app.caption)


def test_an_address_may_name_a_run_as_older_versions_did(store: RunStore) -> None:
    """They wrote the seed after the model; what has not changed is the beginning of the id at the end."""
    seeds = [
        store.create(ExperimentConfig(name=f"lenet5 on digits · seed {seed}", seed=seed)) for seed in (3, 4)
    ]
    for run_id in seeds:
        store.set_status(run_id, schema.FINISHED)
    for run_id in seeds:
        seed = seeds.index(run_id) + 3
        older = f"lenet5 on digits · seed {seed} · {run_id[:6]}"
        app = opened("pages/2_Train.py", weights="run", weights_run=older)
        assert not app.exception
        assert app.selectbox(key="weights_run").value == run_id


def test_a_run_to_start_from_is_chosen_by_name(trained: Trained) -> None:
    app = opened("pages/2_Train.py", weights="run")
    assert not app.exception
    assert not app.error
    assert get_store().state(app.selectbox(key="weights_run").value).status == schema.FINISHED
    assert any("lenet5 on digits" in label for label in app.selectbox(key="weights_run").options)


def test_the_preview_shows_each_model_with_what_its_weights_want(trained: Trained) -> None:
    nets = ["vgg16", "inception_v3"]
    app = opened("pages/2_Train.py", architectures=nets, weights="imagenet", preview="true")
    assert not app.exception
    assert len(app.get("image")) == 8
    assert "vgg16, preprocessing caffe: as the starting weights expect it." in captions(app)
    assert app.segmented_control[0].options == ["vgg16", r"inception\_v3"]  # read as Markdown
    app.segmented_control[0].set_value("inception_v3").run()
    assert r"inception\_v3, preprocessing tf: as the starting weights expect it." in captions(app)


def test_the_preview_follows_a_weights_file_that_is_replaced(trained: Trained) -> None:
    file = trained.settings.weights / "changing.keras"
    file.parent.mkdir(parents=True, exist_ok=True)
    query = {"weights": "file", "weights_file": file.name, "preview": "true"}
    seen = []
    for name, why in (("mean_image", ": as the starting weights expect it"), ("scale", "")):
        images = keras.Input((28, 28, 1))
        mean = np.zeros((28, 28, 1), "float32")
        keras.Model(images, preprocessing(name, (28, 28, 1), mean)(images)).save(file)
        app = opened("pages/2_Train.py", **query)
        assert not app.exception
        assert f"lenet5, preprocessing {words.plain(name)}{why}." in captions(app)
        seen.append([image.proto.imgs[0].url for image in app.get("image")])
    assert not set(seen[0]) & set(seen[1])
    file.write_bytes(b"nothing of the kind")
    app = opened("pages/2_Train.py", **query)
    file.unlink()
    assert not app.exception
    assert not app.get("image")
    for error in app.error:  # in the preview and under the form
        assert error.value.replace("\\", "").startswith("The weights of the file changing.keras cannot ")


def test_the_preview_does_not_ask_when_frozen_layers_learn(trained: Trained) -> None:
    """After 10 of 30 epochs: more than the 5 of a config that says nothing of epochs."""
    later = {"freeze": "all", "epochs": "30", "unfreeze_epoch": "10"}
    app = opened("pages/2_Train.py", preview="true", **later)
    assert not app.exception
    assert not app.error
    assert len(app.get("image")) == 8


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"weights": "imagenet"}, "ImageNet weights exist for vgg16, "),
        (
            {"weights": "file"},
            "model.weights must be none, imagenet, run:ID, or a file of",
        ),
        (
            {"freeze": "all", "bottleneck": "true", "horizontal_flip": "true"},
            "model.bottleneck computes every image",
        ),
    ],
)
def test_what_cannot_work_is_said_under_the_form(settings: Settings, query: dict, sentence: str) -> None:
    (error,) = opened("pages/2_Train.py", **query).error
    assert error.value.replace("\\", "").startswith(sentence)


def test_the_command_line_counts_as_the_form_does(settings: Settings) -> None:
    freezing = ("--set", "model.freeze=all", "--set", "model.head=gap", "--set", "depth=8")
    answer = run("describe", "resnet_cifar", "--input", "16x16x1", "--classes", "4", *freezing, "--json")
    facts = Description.from_dict(json.loads(answer.stdout))
    model = ModelConfig(name="resnet_cifar", options={"depth": 8}, head="gap", freeze="all")
    assert facts == describe_transfer(settings, model, (16, 16, 1), 4)
    table = layer_table.frame(facts)
    assert table[table["trainable"] > 0]["layer"].tolist() == ["head_predictions"]
    assert facts.trainable_parameters == 64 * 4 + 4
    refused = run("describe", "lenet5", "--set", "model.freeze=some")
    assert refused.returncode == 2
    assert "model.freeze must be 'none', 'all'" in refused.stderr
