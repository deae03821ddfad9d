"""The parts of a config that say how a model learns: optimizer, regularization, schedule, training."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from core.components.losses import Loss, losses
from core.components.optimizers import Optimizer, optimizers
from core.components.schedules import Schedule, schedules
from core.config.part import ComponentPart, Part, with_components

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Choice = Literal["auto", "on", "off"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


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


@with_components
class OptimizerConfig(ComponentPart):
    """How weights move. `core.components.optimizers` has the kinds and what each of them reads besides."""

    registry = optimizers
    part = "optimizer"

    name: str = "adam"
    learning_rate: float = Field(1e-3, gt=0, le=10)
    weight_decay: float = Field(0.0, ge=0, le=1)  # decoupled, as in AdamW
    clip_norm: float = Field(0.0, ge=0, le=1e9)  # length of all gradients together at most; 0: no limit
    clip_value: float = Field(0.0, ge=0, le=1e9)  # each element of a gradient at most; 0: no limit
    ema: float = Field(0.0, ge=0, lt=1)  # decay of the moving average of weights; 0: none

    @property
    def component(self) -> Optimizer:
        return super().component

    @property
    def state_per_weight(self) -> int:
        """How many values it keeps beside each weight that learns."""
        return self.component.state(self.values) + (self.ema > 0)

    @model_validator(mode="after")
    def _one_way_to_clip(self) -> OptimizerConfig:
        if self.clip_norm and self.clip_value:
            raise ValueError(
                "optimizer.clip_norm and optimizer.clip_value must not both be above 0. "
                f"Received: {self.clip_norm:g} and {self.clip_value:g}."
            )
        return self


class RegularizationConfig(Part):
    """What keeps weights small or honest, by kind of layer. L2 adds its factor times the sum of squares."""

    l2_convolution: float = Field(0.0, ge=0, le=1)  # kernels of convolutions, depthwise and separable too
    l2_dense: float = Field(0.0, ge=0, le=1)  # kernels of dense layers
    l2_rest: float = Field(0.0, ge=0, le=1)  # biases, and gamma and beta of normalisation
    dropout: float = Field(0.0, ge=0, lt=1)  # in front of the layer that classifies, besides the model's own


@with_components
class ScheduleConfig(ComponentPart):
    """How the learning rate changes over the run; `core.components.schedules` has the kinds and formulas.

    A warm-up may precede every kind, and a plateau lower the rate of every kind. A model that is unfrozen
    later begins its schedule again at that point.
    """

    registry = schedules
    part = "schedule"

    name: str = "constant"
    warmup_epochs: float = Field(0.0, ge=0, le=100_000)  # linear from 0 to the rate
    plateau_patience: int = Field(0, ge=0, le=100_000)  # epochs without a better val_loss, then ...; 0: never
    plateau_factor: float = Field(0.1, gt=0, lt=1)  # ... the rate of all later epochs times this

    @property
    def component(self) -> Schedule:
        return super().component


@with_components
class TrainingConfig(ComponentPart):
    """Length, batches, loss, precision, devices, and when to stop."""

    registry = losses
    part = "training"
    chooser = "loss"

    epochs: int = Field(5, ge=1, le=100_000)
    steps: int = Field(0, ge=0, le=100_000_000)  # above 0: batches in place of epochs, the last epoch shorter
    batch_size: int = Field(64, ge=1, le=65_536)
    batch_size_is: Literal["total", "per_device"] = "total"  # of all devices together, or of each
    early_stopping: int = Field(0, ge=0, le=100_000)  # epochs without a better value; 0: off
    early_stopping_watches: Literal["val_loss", "val_accuracy"] = "val_loss"
    keep: Literal["best", "last"] = "best"  # best: the epoch of the highest val_accuracy
    loss: str = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # the share that is spread over all classes
    precision: Precision = "auto"  # of activations; weights stay float32
    xla: Choice = "auto"
    devices: int = Field(1, ge=1, le=64)  # GPUs of one machine that share each batch
    device: Device = "auto"  # cpu, or the number of a GPU; auto: a GPU that is free, or the CPU without any
    images_on_device: Choice = "auto"  # kept in its memory, where nothing has to be copied to it
    deterministic: bool = False  # the same bits from the same seed, at the price of speed on a GPU

    @property
    def component(self) -> Loss:
        return super().component

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
