"""What is evaluated is what is saved."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from core.architectures.transfer import assemble
from core.config import ExperimentConfig
from core.datasets import choices, load
from core.experiment.preprocessing import training_mean
from core.tracking import frames, schema
from core.tracking.store import RunStore
from core.training.evaluation import validation_rows
from core.training.models import in_float32, wrap
from core.training.portable import portable
from core.training.train import train_and_evaluate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "model", [{}, {"model.head": "gap", "model.freeze": "all", "model.bottleneck": True}]
)
def test_the_evaluated_model_is_the_saved_one_in_mixed_precision(store: RunStore, model: dict) -> None:
    """In 16 bits the same weights give probabilities that differ by up to 0.01."""
    settings = {"training.precision": "bfloat16", "training.epochs": 1, **model}
    run_id = store.create(ExperimentConfig().with_values(settings))
    try:
        train_and_evaluate(store.config(run_id), store, run_id)
    finally:
        keras.config.set_dtype_policy("float32")
    saved = keras.saving.load_model(store.models.file(run_id), compile=False)
    dataset = load("digits")
    split = choices.split_for(dataset, store.config(run_id).data)
    for name, rows in (
        (schema.PREDICTIONS, split.test),
        (schema.VALIDATION_PREDICTIONS, split.validation),
    ):
        logged = frames.predictions(store, run_id, name)
        assert logged["index"].tolist() == rows.tolist()
        assert logged["label"].tolist() == dataset.labels[rows].tolist()
        expected = logged[[f"p{column}" for column in range(10)]].to_numpy()
        assert expected.dtype == "float32"
        answers = saved.predict(dataset.images[rows].astype("float32"), verbose=0)
        np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_of_very_many_validation_images_the_same_random_choice_is_logged() -> None:
    rows = np.arange(0, 90_000, 3)
    chosen = validation_rows(rows, 1000)
    assert len(chosen) == 20_000
    assert (np.diff(chosen) > 0).all()
    assert np.isin(chosen, rows).all()
    assert np.array_equal(chosen, validation_rows(rows, 1000))
    assert validation_rows(rows, 10) is rows


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("preprocessing", ["scale", "mean_image", "mean", "standardize"])
@pytest.mark.parametrize("name", ["lenet5", "resnet_cifar"])  # the second has layers that are rewritten
def test_the_model_that_is_evaluated_answers_as_after_loading(
    tmp_path: Path, name: str, preprocessing: str, precision: str
) -> None:
    options = {"model.options": {"depth": 8}} if name == "resnet_cifar" else {}
    config = ExperimentConfig().with_values(
        {"model.name": name, "data.preprocessing": preprocessing, **options}
    )
    images = load("digits").images[:64]
    keras.config.set_dtype_policy(precision)
    try:
        model = assemble(config.model, choices.cropped_shape(config, images.shape[1:]), 10)
        mean = training_mean(images, np.arange(64))
        _, deployable = wrap(model, config, images.shape[1:], mean)
        saved = portable(in_float32(deployable))
        saved.save(tmp_path / "model.keras")
        pixels = images.astype("float32")
        answers = saved.predict(pixels, verbose=0)
        # 16 bits have 8 of mantissa: the answers of the model that trained are near
        near = 1e-5 if precision == "float32" else 0.05
        np.testing.assert_allclose(deployable.predict(pixels, verbose=0), answers, atol=near)
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded.predict(pixels, verbose=0), answers, atol=1e-5)
