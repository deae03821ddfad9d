"""The parts of a config that say how a net learns: optimizer, regularization, schedule, training."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from core.config.parts import Part

Optimizer = Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "lion"]
Schedule = Literal[
    "constant", "step", "piecewise", "exponential", "inverse_time", "cosine", "one_cycle", "range_test"
]
Loss = Literal["cross_entropy", "focal"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
Choice = Literal["auto", "on", "off"]

OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
LOSSES: tuple[Loss, ...] = get_args(Loss)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def _joined(value: Any) -> Any:
    """A list of numbers, or a single one, as the text that stands for it."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(item) for item in value)
    return value


Numbers = Annotated[str, BeforeValidator(_joined), Field(max_length=1000)]  # "80, 120, 160"


def numbers(text: str) -> list[float]:
    """The numbers of a text with commas. Raises ValueError when there is something else in it."""
    return [float(one) for one in text.split(",") if one.strip()]


def _device(value: Any) -> str:
    text = str(value)
    a_gpu = (text.isdecimal() and len(text) <= 2) or re.fullmatch(r"MIG-[\w/-]{1,100}", text)
    if text not in ("auto", "cpu") and not a_gpu:
        raise ValueError(
            "training.device must be 'auto', 'cpu', the number of a GPU or the UUID of a MIG instance. "
            f"Received: {value!r}."
        )
    return text


Device = Annotated[str, BeforeValidator(_device)]

SLOTS: dict[Optimizer, int] = {"adam": 2, "adamw": 2, "sgd": 1, "rmsprop": 2, "adagrad": 1, "lion": 1}

MAX_BOUNDARY = 100_000_000  # as many steps as a training may have


class OptimizerConfig(Part):
    """How weights move. Momentum counts for sgd and rmsprop, nesterov for sgd alone."""

    name: Optimizer = "adam"
    learning_rate: float = Field(1e-3, gt=0, le=10)
    momentum: float | None = Field(None, ge=0, lt=1)  # none: `default_momentum` of the optimizer
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0, le=1)  # decoupled, as in AdamW
    clip_norm: float = Field(0.0, ge=0, le=1e9)  # length of all gradients together at most; 0: no limit
    clip_value: float = Field(0.0, ge=0, le=1e9)  # each element of a gradient at most; 0: no limit
    ema: float = Field(0.0, ge=0, lt=1)  # share of the old in the moving average of weights; 0: none

    @property
    def used_momentum(self) -> float:
        """The momentum that was written down, or the optimizer's default."""
        return default_momentum(self.name) if self.momentum is None else self.momentum

    @property
    def slots(self) -> int:
        """How many values it keeps beside each weight that learns."""
        return SLOTS[self.name] + (self.ema > 0)

    @model_validator(mode="after")
    def _one_way_to_clip(self) -> OptimizerConfig:
        if self.clip_norm and self.clip_value:
            raise ValueError(
                "optimizer.clip_norm and optimizer.clip_value must not both be above 0. "
                f"Received: {self.clip_norm:g} and {self.clip_value:g}."
            )
        return self


def default_momentum(optimizer: Optimizer) -> float:
    """The momentum where none is written down: as papers train with SGD, and Keras with RMSprop."""
    return 0.0 if optimizer == "rmsprop" else 0.9


class RegularizationConfig(Part):
    """What keeps weights small or honest, by kind of layer. L2 adds its factor times the sum of squares."""

    l2_convolution: float = Field(0.0, ge=0, le=1)  # kernels of convolutions, depthwise and separable too
    l2_dense: float = Field(0.0, ge=0, le=1)  # kernels of dense layers
    l2_rest: float = Field(0.0, ge=0, le=1)  # biases, and gamma and beta of normalisation
    dropout: float = Field(0.0, ge=0, lt=1)  # in front of the layer that classifies, besides the net's own


class ScheduleConfig(Part):
    """How the learning rate changes over the run; `core.schedules` has the formulas.

    Each kind reads the settings that are named with it. A warm-up may precede every kind, and a plateau
    lower the rate of every kind. A net that is unfrozen later begins its schedule anew at that point.
    """

    name: Schedule = "constant"
    warmup_epochs: float = Field(0.0, ge=0, le=100_000)  # linear from 0 to the rate
    every_epochs: float = Field(10.0, gt=0, le=100_000)  # step, exponential: then the rate times `factor`
    factor: float = Field(0.1, gt=0, le=1)
    boundaries: Numbers = ""  # piecewise: where the rate changes, "80, 120"
    boundaries_in: Literal["epochs", "steps"] = "epochs"
    factors: Numbers = ""  # piecewise: of the first rate, one a boundary; empty: `factor` once more at each
    decay: float = Field(1e-6, gt=0, le=1)  # inverse_time: rate / (1 + decay * step)
    final: float = Field(0.0, ge=0, lt=1)  # cosine: the share of the rate at the end of each cycle
    restarts: int = Field(0, ge=0, le=100)  # cosine: how often it begins again
    restart_growth: float = Field(1.0, ge=1, le=10)  # each cycle so many times as long as the one before
    rise: float = Field(0.3, gt=0, lt=1)  # one_cycle: share of the run in which the rate rises
    plateau_patience: int = Field(0, ge=0, le=100_000)  # epochs without a better val_loss, then ...; 0: never
    plateau_factor: float = Field(0.1, gt=0, lt=1)  # ... the rate of all later epochs times this

    @model_validator(mode="after")
    def _boundaries_ascend(self) -> ScheduleConfig:
        for setting in ("boundaries", "factors"):
            try:
                finite = all(map(math.isfinite, numbers(getattr(self, setting))))
            except ValueError:
                finite = False
            if not finite:
                raise ValueError(
                    f"schedule.{setting} must be numbers with commas between. "
                    f"Received: {getattr(self, setting)!r}."
                )
        if self.restart_growth**self.restarts > MAX_BOUNDARY:
            raise ValueError(
                "schedule.restart_growth to the power of schedule.restarts must be at most "
                f"{MAX_BOUNDARY:,}: the first cycle would be shorter than a step. "
                f"Received: {self.restart_growth:g} and {self.restarts}."
            )
        places, factors = numbers(self.boundaries), numbers(self.factors)
        if places != sorted(set(places)) or any(place <= 0 for place in places):
            raise ValueError(
                f"schedule.boundaries must be above 0 and ascend. Received: {self.boundaries!r}."
            )
        if places and places[-1] > MAX_BOUNDARY:
            raise ValueError(
                f"schedule.boundaries must be at most {MAX_BOUNDARY:,}. Received: {self.boundaries!r}."
            )
        if any(not 0 < one <= 1000 for one in factors):
            raise ValueError(
                f"schedule.factors must be above 0 and at most 1000. Received: {self.factors!r}."
            )
        if factors and len(factors) != len(places):
            raise ValueError(
                f"schedule.factors must be as many as schedule.boundaries, {len(places)}. "
                f"Received: {len(factors)}."
            )
        if self.name == "piecewise" and not places:
            raise ValueError(
                "schedule.boundaries must name at least one place with schedule.name piecewise. Received: ''."
            )
        return self


class TrainingConfig(Part):
    """How long, how much at once, towards what, how exactly, and when to stop."""

    epochs: int = Field(5, ge=1, le=100_000)
    steps: int = Field(0, ge=0, le=100_000_000)  # above 0: so many batches instead, the last epoch shorter
    batch_size: int = Field(64, ge=1, le=65_536)
    batch_size_is: Literal["total", "per_device"] = "total"  # of all devices together, or of each
    early_stopping: int = Field(0, ge=0, le=100_000)  # stops after so many epochs without a better value
    early_stopping_watches: Literal["val_loss", "val_accuracy"] = "val_loss"
    keep: Literal["best", "last"] = "best"  # best: the epoch of the highest val_accuracy
    loss: Loss = "cross_entropy"  # of a softmax, or of one sigmoid unit, as the net ends
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # the share that is spread over all classes
    focal_gamma: float = Field(2.0, ge=0, le=10)  # focal: how much less what is already sure counts
    precision: Precision = "auto"  # of activations; weights stay float32
    xla: Choice = "auto"
    devices: int = Field(1, ge=1, le=64)  # GPUs of one machine that share each batch
    device: Device = "auto"  # cpu, or the number of a GPU; auto: a GPU that is free, or the CPU without any
    images_on_device: Choice = "auto"  # kept in its memory, where nothing has to be copied to it
    deterministic: bool = False  # the same bits from the same seed, at the price of speed on a GPU

    @model_validator(mode="after")
    def _one_choice_of_devices(self) -> TrainingConfig:
        if self.device != "auto" and self.devices > 1:
            raise ValueError(
                f"training.device must be 'auto' with several devices. Received: {self.device!r}."
            )
        return self

    @property
    def images_per_step(self) -> int:
        """How many images one optimizer step sees, on all devices together."""
        return self.batch_size * (self.devices if self.batch_size_is == "per_device" else 1)
