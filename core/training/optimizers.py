"""Optimizers and learning-rate schedules by their names in the config."""

from __future__ import annotations

import keras
from keras import optimizers

from core.config import ExperimentConfig, OptimizerConfig


def make_optimizer(config: ExperimentConfig, steps_per_epoch: int) -> optimizers.Optimizer:
    """The optimizer of a run; its learning rate follows the run's schedule, step by step."""
    part: OptimizerConfig = config.optimizer
    settings = {
        "learning_rate": learning_rate(config, steps_per_epoch),
        "weight_decay": part.weight_decay or None,
    }
    if part.name == "sgd":
        return optimizers.SGD(momentum=part.momentum, nesterov=part.nesterov, **settings)
    if part.name == "rmsprop":
        return optimizers.RMSprop(momentum=part.momentum, **settings)
    plain = {
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "adagrad": optimizers.Adagrad,
        "lion": optimizers.Lion,
    }
    return plain[part.name](**settings)


def learning_rate(
    config: ExperimentConfig, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate itself, or the schedule that gives it for every step."""
    rate = config.optimizer.learning_rate
    if config.schedule.name == "constant":
        return rate
    total = config.training.epochs * steps_per_epoch
    warmup = min(round(config.schedule.warmup_epochs * steps_per_epoch), total - 1)
    if not warmup:
        return optimizers.schedules.CosineDecay(rate, total)
    return optimizers.schedules.CosineDecay(0.0, total - warmup, warmup_target=rate, warmup_steps=warmup)
