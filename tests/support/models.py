"""Weights for models that are not trained."""

from __future__ import annotations

import keras
import numpy as np


def randomized(model: keras.Model) -> keras.Model:
    """Give every weight a value that would show if it were wired wrongly, and that keeps answers finite."""
    random = np.random.default_rng(3)
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name in ("gamma", "moving_variance"):
                weight.assign(random.uniform(0.5, 1.5, weight.shape))
            elif weight.name in ("beta", "bias", "moving_mean"):
                weight.assign(random.normal(0, 0.1, weight.shape))
            else:
                scale = np.sqrt(2 / np.prod(weight.shape[:-1]), dtype="float32")  # He: keeps the variance
                weight.assign(scale * random.standard_normal(weight.shape, dtype="float32"))
    return model
