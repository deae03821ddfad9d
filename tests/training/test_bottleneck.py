"""Features of a frozen backbone: computed once, the same as the joined model makes, refused where unsound."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import keras
import numpy as np
import pytest

from core.architectures.transfer import assemble, backbone_of, head_of
from core.config import ConfigError, ExperimentConfig, ModelConfig
from core.datasets import load
from core.system.settings import Settings
from core.training.bottleneck import bottleneck_features, reserve
from core.training.models import wrap
from core.training.pipeline import Batches

pytestmark = pytest.mark.slow

MODEL = ModelConfig(
    name="resnet_cifar", options={"depth": 8}, head="gap_dense", freeze="all", bottleneck=True, resize=16
)

CONFIG = ExperimentConfig(model=MODEL)


@pytest.fixture
def digits(settings: Settings):
    """The first forty digits, one of them left out."""
    whole = load("digits")
    subsets = whole.subsets[:40].copy()
    subsets[3] = -1
    rows = {name: getattr(whole, name)[:40] for name in ("images", "labels", "source_names")}
    return whole.__class__(**{**vars(whole), **rows, "subsets": subsets})


def net_with(head: str) -> keras.Model:
    keras.utils.set_random_seed(4)
    return assemble(MODEL.model_copy(update={"head": head}), (28, 28, 1), 10)


def test_a_head_trained_on_features_predicts_as_the_joined_model(settings: Settings, digits) -> None:
    net = net_with("gap_dense")
    features = bottleneck_features(net, CONFIG, digits, None, settings)
    assert features.dtype == np.float32
    assert features.shape == (40, 4, 4, 64)  # two of three stages halve 16 pixels
    assert not features[3].any()  # left out
    head = head_of(net)
    head.compile("adam", "sparse_categorical_crossentropy")
    rows = digits.indices()
    head.fit(Batches(features, digits.labels, rows, 8, seed=1), epochs=2, verbose=0)
    _, joined = wrap(net, CONFIG, digits.info.shape)
    np.testing.assert_allclose(
        head.predict(features[rows], verbose=0), joined.predict(digits.images[rows], verbose=0), atol=1e-5
    )


def test_features_are_computed_once_for_every_head(settings: Settings, digits) -> None:
    folder = settings.cache / "bottleneck"
    net = net_with("gap_dense")
    bottleneck_features(net, CONFIG, digits, None, settings)
    (file,) = folder.iterdir()
    written = file.stat().st_mtime_ns
    for head in ("gap", "flatten_dense", "own"):
        other = net_with(head)
        backbone_of(other).set_weights(backbone_of(net).get_weights())
        bottleneck_features(other, CONFIG, digits, None, settings)
    assert [(path, path.stat().st_mtime_ns) for path in folder.iterdir()] == [(file, written)]


@pytest.mark.parametrize("changed", ["weights", "preprocessing", "data", "options"])
def test_whatever_features_depend_on_makes_others(settings: Settings, digits, changed: str) -> None:
    net, config = net_with("gap"), CONFIG
    bottleneck_features(net, config, digits, None, settings)
    if changed == "weights":
        normalization = next(one for one in net.layers if isinstance(one, keras.layers.BatchNormalization))
        normalization.moving_mean.assign(normalization.moving_mean + 0.1)
    elif changed == "preprocessing":
        config = CONFIG.with_values({"data.preprocessing": "tf"})
    elif changed == "data":
        info = digits.info.__class__(**{**vars(digits.info), "fingerprint": "another"})
        digits = digits.__class__(**{**vars(digits), "info": info})
    else:
        config = CONFIG.with_values({"model.options.conv_bias": True})
    bottleneck_features(net, config, digits, None, settings)
    assert len(list((settings.cache / "bottleneck").iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"augmentation.horizontal_flip": True},
            "model.bottleneck computes every image once, so augmentation must be off. Received: "
            "{'horizontal_flip': True}.",
        ),
        (
            {"model.freeze": "all_but_batchnorm"},
            "model.bottleneck needs a backbone that is frozen to the end: model.freeze all and "
            "model.unfreeze_epoch 0. Received: all_but_batchnorm and 0.",
        ),
        (
            {"model.unfreeze_epoch": 2},
            "model.bottleneck needs a backbone that is frozen to the end: model.freeze all and "
            "model.unfreeze_epoch 0. Received: all and 2.",
        ),
    ],
)
def test_where_features_would_not_hold_they_are_refused(change: dict, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        ExperimentConfig(model=MODEL).with_values(change)
    assert str(error.value) == sentence


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="a file system in memory, of which Linux has one")
def test_features_that_the_disk_does_not_hold_are_refused_before_any_is_computed() -> None:
    """A memory file system refuses at once what exceeds all of it; another disk would be filled first."""
    draft = Path("/dev/shm") / f"archlab-{uuid4().hex}.draft"
    disk = os.statvfs(draft.parent)
    try:
        with draft.open("wb") as file:
            file.truncate(disk.f_blocks * disk.f_frsize + (1 << 20))
        with pytest.raises(OSError, match=r"The features take .* GB, more than is free below /dev/shm"):
            reserve(draft, "The features")
        with draft.open("wb") as file:
            file.truncate(1 << 16)
        reserve(draft, "The features")
        assert draft.stat().st_blocks * 512 >= 1 << 16
    finally:
        draft.unlink()
