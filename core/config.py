"""ExperimentConfig: everything one training depends on, checked where it enters, to and from YAML.

The dotted names (`optimizer.learning_rate`) are the same in YAML, in `--set`, in MLflow's params and in the
columns of the Compare page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\w.+-]+$")]
Scalar = bool | int | float | str

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad", "lion")
SCHEDULES = ("constant", "cosine")
HEADS = ("own", "flatten_dense", "gap", "gap_dense")
FREEZES = ("none", "all", "all_but_batchnorm", "first_n", "last_n", "names")
IMBALANCE = ("as_is", "class_weights", "balanced", "at_most")
PREPROCESSING = ("scale", "standardize", "mean", "mean_image", "caffe", "tf", "torch")
FILLS = ("nearest", "black")
TEST_TIME = ("none", "flip", "ten_crops")


class ConfigError(ValueError):
    """A configuration that cannot be; the message names the setting, the rule and the value received."""


class Part(BaseModel):
    """Frozen, and closed: a setting nobody knows is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Part):
    """Which images, and which part of them chooses the best epoch."""

    name: Word = "digits"
    validation_fraction: float = Field(0.1, ge=0, le=0.5)  # 0: nothing chooses, the last epoch is kept
    split_seed: int = Field(0, ge=0, lt=2**31)  # apart from `seed`, so that repeats share their split
    folds: int = Field(0, ge=0, le=100)  # cut what is not test into so many parts; 0: validation_fraction
    fold: int = Field(0, ge=0)  # the part that validates, from 0; the others train
    grey: bool = False  # read colour images as one channel
    imbalance: Literal[IMBALANCE] = "as_is"  # type: ignore[valid-type]
    at_most: int = Field(100, ge=1)  # training images a class; counts for imbalance at_most alone
    preprocessing: Literal[PREPROCESSING] = "scale"  # type: ignore[valid-type]  # 0-255 to what nets get

    @model_validator(mode="after")
    def _fold_exists(self) -> DataConfig:
        if self.folds == 1:
            raise ValueError("data.folds must be 0 (none) or at least 2. Received: 1.")
        if self.fold >= max(self.folds, 1):
            rule = f"in 0 to {self.folds - 1}" if self.folds else "0 where data.folds is 0"
            raise ValueError(f"data.fold must be {rule}. Received: {self.fold}.")
        return self


class ModelConfig(Part):
    """Which net, with which of its own options; what it starts from, and which of its layers learn.

    The backbone is the net up to its last maps, the head what follows. Names of layers are separated by
    commas, and a * stands for any letters.
    """

    name: Word = "lenet5"
    options: dict[str, Scalar] = Field(default_factory=dict)
    weights: str = Field("none", max_length=300)  # none, imagenet, run:ID, or a file of the weights folder
    weights_layers: str = ""  # the layers that take those weights; empty: the whole backbone, fresh head
    resize: int = Field(0, ge=0, le=2048)  # side in pixels, inside the net; 0: the images as they are
    head: Literal[HEADS] = "own"  # type: ignore[valid-type]
    freeze: Literal[FREEZES] = "none"  # type: ignore[valid-type]  # last_n: all but the last n are frozen
    freeze_layers: int = Field(0, ge=0)  # the n of first_n and last_n, layers of the backbone
    freeze_names: str = ""
    unfreeze_epoch: int = Field(0, ge=0)  # the backbone learns after so many epochs; 0: never
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
        return {name: as_text(value) if _is_layers(value) else value for name, value in options.items()}


class AugmentationConfig(Part):
    """Random changes of the training images; evaluation never sees them. In the order they are made."""

    pad_and_crop: int = Field(0, ge=0, le=64)  # pixels of zero padding a side before the random crop
    random_crop: int = Field(0, ge=0, le=1024)  # side of the crop, the net's input; evaluation: the centre
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rotation: float = Field(0.0, ge=0, le=180)  # degrees to either side, as all that follow
    shift: float = Field(0.0, ge=0, le=0.5)  # of height and width
    shear: float = Field(0.0, ge=0, le=45)  # degrees
    zoom: float = Field(0.0, ge=0, le=0.9)  # 0.2: 0.8 to 1.2 times the size
    fill: Literal[FILLS] = "nearest"  # type: ignore[valid-type]  # what comes in from outside
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
    test_time: Literal[TEST_TIME] = "none"  # type: ignore[valid-type]  # views the test averages over

    @model_validator(mode="after")
    def _crops_need_a_crop(self) -> AugmentationConfig:
        if self.test_time == "ten_crops" and not self.random_crop:
            raise ValueError(
                "augmentation.test_time 'ten_crops' takes crops as large as augmentation.random_crop, which "
                "must then be above 0. Received: 0."
            )
        return self


class OptimizerConfig(Part):
    """How weights move. Momentum counts for sgd and rmsprop, nesterov for sgd alone."""

    name: Literal[OPTIMIZERS] = "adam"  # type: ignore[valid-type]
    learning_rate: float = Field(1e-3, gt=0, le=10)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0, le=1)  # decoupled, as in AdamW


class ScheduleConfig(Part):
    """How the learning rate changes over the run."""

    name: Literal[SCHEDULES] = "constant"  # type: ignore[valid-type]
    warmup_epochs: float = Field(0.0, ge=0)  # linear from 0; cosine only


class TrainingConfig(Part):
    """How long, how much at once, and when to stop."""

    epochs: int = Field(5, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1, le=65_536)
    early_stopping: int = Field(0, ge=0)  # epochs without a better val_loss before it stops; 0: never
    keep: Literal["best", "last"] = "best"  # best: the epoch of the highest val_accuracy


class ExperimentConfig(Part):
    """One training, whole."""

    name: str = Field("", max_length=200)  # empty: the net and the dataset name the run
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _transfer_fits_the_training(self) -> ExperimentConfig:
        model = self.model
        if model.unfreeze_epoch >= self.training.epochs:
            raise ValueError(
                "model.unfreeze_epoch must be less than training.epochs, "
                f"{self.training.epochs}. Received: {model.unfreeze_epoch}."
            )
        if model.bottleneck and (model.freeze != "all" or model.unfreeze_epoch):
            raise ValueError(
                "model.bottleneck needs a backbone that is frozen to the end: model.freeze all and "
                f"model.unfreeze_epoch 0. Received: {model.freeze} and {model.unfreeze_epoch}."
            )
        if model.bottleneck and self.augmentation != AugmentationConfig():
            raise ValueError(
                "model.bottleneck computes every image once, so augmentation must be off. "
                f"Received: {self.augmentation.model_dump(exclude_defaults=True)}."
            )
        return self

    @property
    def title(self) -> str:
        """The run's name: the person's own, or net and dataset."""
        return self.name or f"{self.model.name} on {self.data.name}"

    def to_yaml(self) -> str:
        return yaml.dump(self.model_dump(), Dumper=_Dumper, sort_keys=False, allow_unicode=True)

    def flat(self) -> dict[str, Scalar]:
        """Every setting by its dotted name."""
        return _flatten(self.model_dump(), "")

    def with_values(self, changes: Mapping[str, Any]) -> ExperimentConfig:
        """A copy with dotted settings changed. Raises ConfigError as `from_mapping` does."""
        tree = self.model_dump()
        for path, value in changes.items():
            *parents, leaf = path.split(".")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
                if not isinstance(node, dict):
                    raise ConfigError(f"Unknown setting '{path}'.")
            node[leaf] = value
        return from_mapping(tree)


def from_mapping(tree: Any) -> ExperimentConfig:
    """Check a nested mapping. Raises ConfigError with one sentence for the first thing that is wrong."""
    if not isinstance(tree, Mapping):
        raise ConfigError(f"A config must be a mapping of settings. Received: {type(tree).__name__}.")
    try:
        return ExperimentConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from error


def from_yaml(text: str) -> ExperimentConfig:
    """Read a config as `ExperimentConfig.to_yaml` writes it; missing settings take their defaults."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"The config is not valid YAML{where}.") from error
    return from_mapping({} if tree is None else tree)


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`["optimizer.learning_rate=0.01"]` as a mapping; values are read as YAML. Raises ConfigError."""
    changes = {}
    for text in assignments:
        path, sign, value = text.partition("=")
        if not sign or not path:
            raise ConfigError(f"A setting must be written name=value. Received: {text!r}.")
        try:
            changes[path.strip()] = as_number(yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise ConfigError(f"The value of {path} cannot be read. Received: {value!r}.") from error
    return changes


def _is_layers(value: Any) -> bool:
    """Whether a value is a list of words and mappings, as layers are written."""
    return isinstance(value, list) and all(isinstance(item, (str, Mapping)) for item in value)


def as_text(items: list[Any]) -> str:
    """A list as YAML text with one item a line: the form in which an option of a net holds a list."""
    return yaml.safe_dump(items, sort_keys=False, default_flow_style=None, width=2**20, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as lines."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def as_number(value: Any) -> Any:
    """YAML 1.1 reads `1e-3` as text; people mean the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _flatten(tree: Mapping[str, Any], prefix: str) -> dict[str, Scalar]:
    flat: dict[str, Scalar] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    context, kind, received = first.get("ctx", {}), first["type"], first["input"]
    if where.startswith("model.options."):  # a scalar is one of four types; pydantic names the last it tried
        where = ".".join(where.split(".")[:3])
        return f"{where} must be true, false, a number or a word. Received: {received!r}."
    rules = {
        "greater_than": "must be greater than {gt:g}",
        "greater_than_equal": "must be at least {ge:g}",
        "less_than": "must be less than {lt:g}",
        "less_than_equal": "must be at most {le:g}",
        "literal_error": "must be {expected}",
        "string_pattern_mismatch": "must be letters, digits and the signs _ . + -",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "finite_number": "must be a finite number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "model_type": "must be a mapping of settings",
        "dict_type": "must be a mapping of settings",
        "string_type": "must be text",
    }
    if kind == "extra_forbidden":
        return f"Unknown setting '{where}'."
    if kind == "value_error":
        return str(context["error"])
    rule = rules.get(kind, f"is wrong ({first['msg']})").format(**context)
    return f"{where} {rule}. Received: {received!r}."
