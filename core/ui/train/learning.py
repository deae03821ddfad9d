"""How a model learns, in the Train form."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.components.losses import losses
from core.components.optimizers import optimizers
from core.components.schedules import schedules
from core.jobs.slots import device_options
from core.system.settings import get_settings
from core.ui.common.fields import URL, field
from core.ui.train.component_fields import choices_help, component_fields

Values = dict[str, Any]  # by dotted name


def common() -> Values:
    """Draw what every launch decides; returns it by dotted names, as all functions here do."""
    first, second, third, fourth = st.columns(4)
    return {
        "optimizer.name": field(
            first, "optimizer.name", "Optimizer", choices_help(optimizers), key="optimizer"
        ),
        "optimizer.learning_rate": field(second, "optimizer.learning_rate", "Learning rate"),
        "training.batch_size": field(third, "training.batch_size", "Batch size"),
        "training.epochs": field(fourth, "training.epochs", "Epochs"),
    }


def schedule() -> Values:
    """Draw the kind of schedule and the settings that it reads."""
    columns = st.columns(3)
    first, second, third = columns
    kind = field(first, "schedule.name", "Schedule", choices_help(schedules), key="schedule")
    settings = {
        "schedule.name": kind,
        "schedule.warmup_epochs": field(
            second, "schedule.warmup_epochs", "Warm-up epochs",
            "Number of epochs over which the rate rises from zero.", key="warmup",
        ),
        "schedule.plateau_patience": field(
            third, "schedule.plateau_patience", "Plateau patience",
            "Epochs without a better validation loss before the rate is lowered.",
        ),
    }  # fmt: skip
    read = component_fields(columns, "schedule", schedules.get(kind))
    if settings["schedule.plateau_patience"]:
        read["schedule.plateau_factor"] = field(
            columns[len(read) % 3],
            "schedule.plateau_factor",
            "Plateau factor",
            "The rate is multiplied by it.",
        )
    return settings | read


def regularization(optimizer: str) -> Values:
    """Draw what an optimizer reads, and what every optimizer does with gradients and weights."""
    columns = st.columns(3)
    first, second, third = columns
    settings = component_fields(columns, "optimizer", optimizers.get(optimizer))
    rows = (
        (first, "optimizer.weight_decay", "Weight decay", "Decoupled from the gradient, as in AdamW."),
        (
            second,
            "optimizer.clip_norm",
            "Clip gradient norm",
            "The most that all gradients together may have.",
        ),
        (third, "optimizer.clip_value", "Clip gradient values", "The most that each element may have."),
        (first, "regularization.l2_convolution", "L2 of convolutions", "Times the sum of their squares."),
        (second, "regularization.l2_dense", "L2 of dense layers", None),
        (third, "regularization.l2_rest", "L2 of biases and normalisation", None),
        (
            first,
            "regularization.dropout",
            "Dropout before the classifier",
            "Besides what the model itself has.",
        ),
        (second, "optimizer.ema", "Moving average of weights", "Decay, such as 0.999."),
    )
    return settings | {path: field(column, path, label, text) for column, path, label, text in rows}


def stopping() -> Values:
    """Draw the loss, the length of a run in steps, which weights are kept, and when it stops early."""
    columns = st.columns(3)
    first, second, third = columns
    settings: Values = {
        "training.loss": field(first, "training.loss", "Loss", choices_help(losses)),
        "training.label_smoothing": field(
            second, "training.label_smoothing", "Label smoothing", "The share spread over all classes."
        ),
        "training.steps": field(
            third, "training.steps", "Steps", "Number of batches, instead of epochs."
        ),
        "training.keep": field(
            first, "training.keep", "Weights to keep", "Best: those of the highest validation accuracy."
        ),
        "training.early_stopping": field(
            second, "training.early_stopping", "Early stopping",
            "Epochs without an improvement after which training stops.",
        ),
        "training.early_stopping_watches": field(
            third, "training.early_stopping_watches", "Early stopping watches"
        ),
    }  # fmt: skip
    return settings | component_fields(columns, "training", losses.get(settings["training.loss"]))


DEVICE_HELP = "A GPU by its number. Auto: the first that is free, a GPU where there is one."


def computing() -> Values:
    """Draw precision, devices, and how they compute."""
    first, second, third = st.columns(3)
    rows: tuple[tuple[Any, str, str, str | None], ...] = (
        (first, "training.precision", "Precision", "Of activations; auto: what the device is fastest in."),
        (second, "training.xla", "XLA", "Auto: on a GPU. On a CPU it costs speed."),
        (third, "training.images_on_device", "Images on the device", "Auto: on a GPU with room for them."),
        (second, "training.devices", "GPUs", "Of this machine, sharing each batch."),
        (third, "training.batch_size_is", "Batch size is", None),
    )
    settings = {path: field(column, path, label, text) for column, path, label, text in rows}
    settings["training.device"] = first.selectbox(
        "Device", device_options(get_settings()), key="device", bind=URL, help=DEVICE_HELP
    )
    help_text = "The same bits from the same seed, at the price of speed on a GPU."
    settings["training.deterministic"] = field(st, "training.deterministic", "Deterministic", help_text)
    return settings
