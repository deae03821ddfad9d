"""The parts of a config that say what is trained: images, model, augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from core.components.preprocessing import DEFAULT as DEFAULT_PREPROCESSING
from core.components.preprocessing import preprocessings
from core.config.part import ComponentPart, Part, with_components
from core.system.text import as_text, is_layers

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\w.+-]+$")]
Scalar = bool | int | float | str
MAX_TEXT = 6000  # characters; MLflow keeps no longer parameter

Head = Literal["own", "flatten_dense", "gap", "gap_dense"]
Freeze = Literal["none", "all", "all_but_batchnorm", "first_n", "last_n", "names"]
Imbalance = Literal["as_is", "class_weights", "balanced", "at_most"]
KeepTogether = Literal["identical", "near"]
Fill = Literal["nearest", "black"]
TestTime = Literal["none", "flip", "ten_crops"]

HEADS: tuple[Head, ...] = get_args(Head)
FREEZES: tuple[Freeze, ...] = get_args(Freeze)
IMBALANCE: tuple[Imbalance, ...] = get_args(Imbalance)
KEEP_TOGETHER: tuple[KeepTogether, ...] = get_args(KeepTogether)
FILLS: tuple[Fill, ...] = get_args(Fill)
TEST_TIME: tuple[TestTime, ...] = get_args(TestTime)


@with_components
class DataConfig(ComponentPart):
    """Which images, and which set of them chooses the best epoch."""

    registry = preprocessings
    part = "data"
    chooser = "preprocessing"
    otherwise: ClassVar = {"auto": DEFAULT_PREPROCESSING}

    name: Word = "digits"
    validation_fraction: float = Field(0.1, ge=0, le=0.5)  # 0: nothing chooses, the last epoch is kept
    split_seed: int = Field(0, ge=0, lt=2**31)  # apart from `seed`, so that repeats share their split
    folds: int = Field(0, ge=0, le=100)  # cross-validation on all but the test set; 0: validation_fraction
    fold: int = Field(0, ge=0, le=99)  # the part that validates, from 0; the others train
    keep_together: KeepTogether = "identical"  # copies that no split divides; near: near duplicates too
    grey: bool = False  # read colour images as one channel
    imbalance: Imbalance = "as_is"
    at_most: int = Field(100, ge=1, le=1_000_000_000)  # training images a class, for imbalance at_most
    # 0-255 to what the model gets. auto: what the weights to start from expect, `scale` where they do not say
    preprocessing: str = "auto"

    @model_validator(mode="after")
    def _fold_exists(self) -> DataConfig:
        if self.folds == 1:
            raise ValueError("data.folds must be 0 (none) or at least 2. Received: 1.")
        if self.fold >= max(self.folds, 1):
            rule = f"in 0 to {self.folds - 1}" if self.folds else "0 where data.folds is 0"
            raise ValueError(f"data.fold must be {rule}. Received: {self.fold}.")
        return self


class ModelConfig(Part):
    """Which model, with which of its own options; what it starts from, and which of its layers learn.

    The backbone is the model up to its last maps, the head what follows. Names of layers are separated by
    commas, and a * stands for any letters.
    """

    name: Word = "lenet5"
    options: dict[str, Scalar] = Field(default_factory=dict)
    weights: str = Field("none", max_length=300)  # none, imagenet, run:ID, or a file of the weights folder
    allow_overlap: bool = False  # start from weights that saw images which validate or test; marks the run
    weights_layers: str = Field(
        "", max_length=MAX_TEXT
    )  # the layers that take those weights; empty: the whole backbone, fresh head
    resize: int = Field(0, ge=0, le=2048)  # side in pixels, inside the model; 0: the images as they are
    head: Head = "own"
    freeze: Freeze = "none"  # last_n: all but the last n are frozen
    freeze_layers: int = Field(0, ge=0, le=100_000)  # the n of first_n and last_n, layers of the backbone
    freeze_names: str = Field("", max_length=MAX_TEXT)
    unfreeze_epoch: int = Field(0, ge=0, le=100_000)  # after it the backbone is trained; 0: never
    unfreeze_learning_rate: float = Field(1e-5, gt=0, le=10)  # from then on
    bottleneck: bool = False  # run the frozen backbone once, keep its outputs, train the head on them

    @model_validator(mode="after")
    def _policies_are_whole(self) -> ModelConfig:
        if (self.freeze in ("first_n", "last_n")) != (self.freeze_layers > 0):
            raise ValueError(
                "model.freeze_layers must be at least 1 with model.freeze first_n or last_n, and 0 without. "
                f"Received: {self.freeze_layers} with {self.freeze}."
            )
        if (self.freeze == "names") != bool(self.freeze_names.strip()):
            raise ValueError(
                "model.freeze_names must name layers with model.freeze names, and be empty without. "
                f"Received: {self.freeze_names!r} with {self.freeze}."
            )
        if self.unfreeze_epoch and self.freeze == "none":
            raise ValueError(
                "model.unfreeze_epoch needs frozen layers, so model.freeze must not be none. "
                f"Received: {self.unfreeze_epoch}."
            )
        if self.weights == "none" and self.weights_layers:
            raise ValueError(
                "model.weights_layers needs weights to take, so model.weights must not be none. "
                f"Received: {self.weights_layers!r}."
            )
        return self

    @field_validator("options", mode="before")
    @classmethod
    def _lists_are_text(cls, options: Any) -> Any:
        if not isinstance(options, Mapping):
            return options
        return {name: as_text(value) if is_layers(value) else value for name, value in options.items()}


class AugmentationConfig(Part):
    """Random changes of the training images; evaluation never sees them. In the order they are made."""

    pad_and_crop: int = Field(0, ge=0, le=64)  # pixels of zero padding a side before the random crop
    random_crop: int = Field(0, ge=0, le=1024)  # side of the crop, the model's input; evaluation: the centre
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rotation: float = Field(0.0, ge=0, le=180)  # degrees to either side, as all that follow
    shift: float = Field(0.0, ge=0, le=0.5)  # of height and width
    shear: float = Field(0.0, ge=0, le=45)  # degrees
    zoom: float = Field(0.0, ge=0, le=0.9)  # 0.2: 0.8 to 1.2 times the size
    fill: Fill = "nearest"  # pixels from outside the image
    rand_augment: int = Field(0, ge=0, le=4)  # how many of its changes an image gets, one after another
    rand_augment_magnitude: float = Field(5.0, ge=0, le=10)
    brightness: float = Field(0.0, ge=0, le=1)  # of the range 0-255, added; not clipped
    contrast: float = Field(0.0, ge=0, le=1)  # 0.8: differences from the mean times 0.2 to 1.8; not clipped
    noise: float = Field(0.0, ge=0, le=1)  # standard deviation, of the range 0-255
    erasing: float = Field(0.0, ge=0, le=1)  # how often a rectangle is erased
    erasing_area: float = Field(0.4, ge=0.02, le=1)  # of the image at most; at least 0.02
    erasing_ratio: float = Field(3.3, ge=1, le=20)  # the longer side by the shorter at most
    erasing_per_pixel: bool = True  # random pixels; otherwise black
    mixup: float = Field(0.0, ge=0, le=10)  # alpha of the Beta distribution that shares are drawn from
    cutmix: float = Field(0.0, ge=0, le=10)  # the same; with both, each image gets one of them
    test_time: TestTime = "none"  # views the test averages over

    @model_validator(mode="after")
    def _crops_need_a_crop(self) -> AugmentationConfig:
        if self.test_time == "ten_crops" and not self.random_crop:
            raise ValueError(
                "augmentation.test_time 'ten_crops' takes crops as large as augmentation.random_crop, which "
                "must then be above 0. Received: 0."
            )
        return self
