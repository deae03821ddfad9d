"""The optimizer of a config, with the learning rate that `core.schedules` gives."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops, optimizers

from core import schedules
from core.components.schedules import Length
from core.config import ExperimentConfig


class Scheduled(optimizers.schedules.LearningRateSchedule):
    """The rate of a config at every step of a run; `lowered` is what plateaus have made of it so far."""

    def __init__(self, config: ExperimentConfig, run: Length):
        self.config = config
        self.run = run
        self.lowered = keras.Variable(1.0, trainable=False, name="lowered")

    def __call__(self, step: Any) -> Any:
        rate = schedules.learning_rate(self.config, self.run, ops.cast(step, "float32"), ops)
        return rate * self.lowered

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("A schedule is written down in the run's config.")


def make_optimizer(config: ExperimentConfig, run: Length) -> optimizers.Optimizer:
    """Build the optimizer of a run, whose learning rate follows the schedule step by step."""
    part = config.optimizer
    common: dict[str, Any] = {
        "learning_rate": Scheduled(config, run),
        "weight_decay": part.weight_decay or None,
        "global_clipnorm": part.clip_norm or None,
        "clipvalue": part.clip_value or None,
    }
    if part.ema:
        common |= {"use_ema": True, "ema_momentum": part.ema}
    return part.component.build(part.values, **common)


def lower_rate(model: keras.Model, factor: float) -> None:
    """Multiply the rate of all later steps."""
    schedule = inner_optimizer(model)._learning_rate
    schedule.lowered.assign(schedule.lowered * factor)


def rate_of_last_step(model: keras.Model) -> float:
    """The learning rate that the step which was just made had."""
    optimizer = inner_optimizer(model)
    return float(ops.convert_to_numpy(optimizer._learning_rate(optimizer.iterations - 1)))


def inner_optimizer(model: keras.Model) -> optimizers.Optimizer:
    """The optimizer that moves the weights; under float16 another one scales the loss around it."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def kept_weights(model: keras.Model) -> list[Any]:
    """The weights that are worth keeping now: their moving averages where there are any.

    In the order of `model.weights`.
    """
    optimizer = inner_optimizer(model) if model.compiled else None
    if optimizer is None or not optimizer.use_ema:
        return model.get_weights()
    averages = {
        id(variable): average
        for variable, average in zip(
            optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
        )
    }
    return [ops.convert_to_numpy(averages.get(id(weight), weight)) for weight in model.weights]
