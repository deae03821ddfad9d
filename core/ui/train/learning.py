"""How a net learns, in the Train form: the common settings first, the rest folded."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.config.learning import Optimizer, default_momentum
from core.jobs.slots import choices
from core.system.settings import get_settings
from core.ui.common.fields import URL, field
from core.ui.train.form_url import MOMENTUM

Settings = dict[str, Any]


def learning_settings() -> Settings:
    """Draw everything of optimizer, schedule, regularization and training; returns it by dotted names."""
    settings = common()
    with st.expander("Learning rate over the run", icon=":material/timeline:"):
        settings |= schedule()
    with st.expander("Optimizer and regularization", icon=":material/tune:"):
        settings |= regularization(settings["optimizer.name"])
    with st.expander("Loss, length and stopping", icon=":material/flag:"):
        settings |= stopping()
    with st.expander("Precision and devices", icon=":material/memory:"):
        settings |= computing()
    return settings


def common() -> Settings:
    first, second, third = st.columns(3)
    fourth, fifth, sixth = st.columns(3)  # a row of its own: on a phone columns follow one another
    return {
        "optimizer.name": field(first, "optimizer.name", "Optimizer", key="optimizer"),
        "optimizer.learning_rate": field(second, "optimizer.learning_rate", "Learning rate"),
        "training.batch_size": field(third, "training.batch_size", "Batch size"),
        "training.epochs": field(fourth, "training.epochs", "Epochs"),
        "training.early_stopping": field(
            fifth, "training.early_stopping", "Early stopping",
            "Epochs without an improvement after which training stops. 0: never.",
        ),
        "seed": field(sixth, "seed", "Seed"),
    }  # fmt: skip


def schedule() -> Settings:
    """The kind of schedule, and those of its settings that it reads."""
    first, second, third = st.columns(3)
    kind = field(first, "schedule.name", "Schedule", SCHEDULE_HELP, key="schedule")
    settings = {
        "schedule.name": kind,
        "schedule.warmup_epochs": field(
            second, "schedule.warmup_epochs", "Warm-up epochs",
            "Number of epochs over which the rate rises from zero.", key="warmup",
        ),
        "schedule.plateau_patience": field(
            third, "schedule.plateau_patience", "Plateau patience",
            "Epochs without a better validation loss before the rate is lowered. 0: never.",
        ),
    }  # fmt: skip
    shown = [*OF_SCHEDULE.get(kind, ())]
    if settings["schedule.plateau_patience"]:
        shown.append(("plateau_factor", "Plateau factor", "The rate is multiplied by it."))
    for position, (name, label, help_text) in enumerate(shown):
        column = (first, second, third)[position % 3]
        settings[f"schedule.{name}"] = field(column, f"schedule.{name}", label, help_text)
    return settings


SCHEDULE_HELP = (
    "Step, exponential: times a factor at a fixed interval of epochs. Inverse time: rate / (1 + decay · "
    "step). Range test: rises from a millionth to the rate, to see where the loss falls fastest."
)
EVERY = ("every_epochs", "Interval, epochs", None)
FACTOR = ("factor", "Factor", "The rate is multiplied by it.")
OF_SCHEDULE: dict[str, tuple[tuple[str, str, str | None], ...]] = {
    "step": (EVERY, FACTOR),
    "exponential": (EVERY, FACTOR),
    "piecewise": (
        ("boundaries", "Boundaries", "Where the rate changes, with commas: 80, 120, 160."),
        ("boundaries_in", "Unit of the boundaries", None),
        (
            "factors",
            "Factors",
            "Multipliers of the first rate, one for each boundary. Empty: the factor, once more at each.",
        ),
        FACTOR,
    ),
    "inverse_time": (("decay", "Decay", None),),
    "cosine": (
        ("final", "Final share", "The share of the rate at the end of each cycle."),
        ("restarts", "Restarts", "How often the cosine begins again."),
        ("restart_growth", "Growth of cycles", "Length of each cycle as a multiple of the one before."),
    ),
    "one_cycle": (("rise", "Rise", "The share of the run in which the rate rises."),),
}


def regularization(optimizer: Optimizer) -> Settings:
    first, second, third = st.columns(3)
    settings: Settings = {}
    if optimizer in ("sgd", "rmsprop"):
        settings["optimizer.momentum"] = field(
            first,
            "optimizer.momentum",
            "Momentum",
            key=MOMENTUM[optimizer],
            default=default_momentum(optimizer),
        )  # a key of its own for each: what was shown for one is no choice for the other
    if optimizer == "sgd":
        settings["optimizer.nesterov"] = field(second, "optimizer.nesterov", "Nesterov momentum")
    rows = (
        (first, "optimizer.weight_decay", "Weight decay", "Decoupled from the gradient, as in AdamW."),
        (second, "optimizer.clip_norm", "Clip gradient norm", "Of all gradients together. 0: no limit."),
        (third, "optimizer.clip_value", "Clip gradient values", "Of each element. 0: no limit."),
        (first, "regularization.l2_convolution", "L2 of convolutions", "Times the sum of their squares."),
        (second, "regularization.l2_dense", "L2 of dense layers", None),
        (third, "regularization.l2_rest", "L2 of biases and normalisation", None),
        (
            first,
            "regularization.dropout",
            "Dropout before the classifier",
            "Besides what the model itself has.",
        ),
        (second, "optimizer.ema", "Moving average of weights", "Decay, such as 0.999. 0: none."),
    )
    return settings | {path: field(column, path, label, text) for column, path, label, text in rows}


def stopping() -> Settings:
    first, second, third = st.columns(3)
    settings: Settings = {
        "training.loss": field(
            first, "training.loss", "Loss",
            "Categorical after a softmax, binary after one sigmoid unit, as the model ends.",
        ),
        "training.label_smoothing": field(
            second, "training.label_smoothing", "Label smoothing", "The share spread over all classes."
        ),
        "training.steps": field(
            third, "training.steps", "Steps", "Number of batches, instead of epochs. 0: the epochs count."
        ),
        "training.keep": field(
            first, "training.keep", "Weights to keep", "Best: those of the highest validation accuracy."
        ),
        "training.early_stopping_watches": field(
            second, "training.early_stopping_watches", "Early stopping watches"
        ),
    }  # fmt: skip
    if settings["training.loss"] == "focal":
        settings["training.focal_gamma"] = field(third, "training.focal_gamma", "Focal gamma")
    return settings


DEVICE_HELP = "A GPU by its number. Auto: the first that is free, a GPU where there is one."


def computing() -> Settings:
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
        "Device", choices(get_settings()), key="device", bind=URL, help=DEVICE_HELP
    )
    help_text = "The same bits from the same seed, at the price of speed on a GPU."
    settings["training.deterministic"] = field(st, "training.deterministic", "Deterministic", help_text)
    return settings
