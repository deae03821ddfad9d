"""What is evaluated is what is saved."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

from core.config import ExperimentConfig
from core.datasets import load
from core.tracking import schema
from core.tracking.store import RunStore
from core.training.train import train_and_evaluate


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
    saved = keras.saving.load_model(store.model_file(run_id), compile=False)
    logged = pd.read_parquet(store.artifact(run_id, schema.PREDICTIONS))
    images = load("digits").images[logged["index"].to_numpy()].astype("float32")
    expected = logged[[f"p{column}" for column in range(10)]].to_numpy()
    np.testing.assert_allclose(saved.predict(images, verbose=0), expected, atol=1e-5)
