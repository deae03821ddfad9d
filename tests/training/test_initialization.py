"""Weights that an architecture sets from training images: when, and from which images."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from core import datasets
from core.architectures.transfer import assemble, unfreeze
from core.config import ExperimentConfig, ModelConfig, RegularizationConfig
from core.datasets import choices
from core.experiment.pretrained import from_model
from core.tracking.store import RunStore
from core.training.initialization import initialize, prepared
from core.training.models import wrap
from core.training.regularization import regularized

pytestmark = pytest.mark.engine

# Grey digits, enlarged because the model needs nine pixels a side; a rate that moves no weight visibly.
CONFIG = ExperimentConfig().with_values(
    {
        "model.name": "fast_cifar",
        "model.options.width": 0.125,
        "model.resize": 12,
        "data.preprocessing": "mean",
        "optimizer.name": "sgd",
        "optimizer.learning_rate": 1e-12,
        "training.epochs": 1,
        "training.batch_size": 256,
    }
)


def kernels(model: keras.Model) -> dict[str, np.ndarray]:
    return {layer.name: layer.get_weights()[0] for layer in model.layers if "conv" in layer.name}


def test_a_sample_is_prepared_as_the_model_receives_its_images() -> None:
    config = CONFIG.with_values({"augmentation.random_crop": 10, "augmentation.horizontal_flip": True})
    images = np.random.default_rng(0).integers(0, 256, (4, 14, 14, 1), dtype=np.uint8)
    mean = images.mean(axis=0, dtype="float32")
    net = assemble(config.model, choices.cropped_shape(config, images.shape[1:]), 3)
    _, deployable = wrap(net, config, images.shape[1:], mean)
    received = keras.Model(deployable.input, deployable.layers[-2].output)(images.astype("float32"))
    found = prepared(images, config, net.input_shape[1:], mean)
    assert found.shape == (4, 12, 12, 1)
    np.testing.assert_allclose(found, np.asarray(received), atol=1e-6)


def test_a_run_initializes_its_model_and_weights_to_start_from_stay_as_they_are(
    store: RunStore, train: Callable[[ExperimentConfig], str]
) -> None:
    run_id = train(CONFIG)
    trained = from_model(store.models.file(run_id), "the run").weights

    dataset = datasets.load("digits")
    parts = choices.split_for(dataset, CONFIG.data)
    keras.utils.set_random_seed(CONFIG.seed)
    net = assemble(CONFIG.model, dataset.info.shape, 10)
    mean = dataset.images[parts.train].mean(axis=0, dtype="float32")
    initialize(net, CONFIG, dataset.images, parts.train, mean)
    np.testing.assert_allclose(trained["whiten"][0], net.get_layer("whiten").get_weights()[0], rtol=1e-3)
    assert trained["stage1_unit1_conv"][0][1, 1].diagonal() == pytest.approx(np.ones(8), abs=1e-6)

    # Whatever the source, its layers must arrive: here kernels that the hook would overwrite.
    model = keras.saving.load_model(store.models.file(run_id), compile=False)
    (inner,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    for layer in inner.layers:
        if layer.name in ("whiten", "stage1_unit1_conv"):
            layer.set_weights([np.full_like(layer.get_weights()[0], 0.01)])
    store.settings.weights.mkdir(parents=True, exist_ok=True)
    model.save(store.settings.weights / "other.keras")
    again = train(CONFIG.with_values({"model.weights": "other.keras"}))
    taken = from_model(store.models.file(again), "the run").weights
    for name in ("whiten", "stage1_unit1_conv"):
        assert taken[name][0] == pytest.approx(np.full_like(taken[name][0], 0.01))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_unfreezing_leaves_what_the_architecture_fixed(dropout: float) -> None:
    frozen = ModelConfig(name="fast_cifar", options={"width": 0.125}, freeze="all")
    net = regularized(assemble(frozen, (12, 12, 3), 2), RegularizationConfig(dropout=dropout))
    unfreeze(net)
    assert [layer.name for layer in net.layers if not layer.trainable] == ["whiten"]
