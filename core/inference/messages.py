"""The requests to the prediction process and its responses, each a dataclass.

A request is sent as `{"do": ..., "visit": ..., **fields}`, its response as `{"value": ...}` or a `Failure`
(`core.inference.protocol`). Imports no Keras.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from core.architectures import Shape
from core.architectures.description import Description
from core.config import ModelConfig
from core.images.target import Target
from core.system.records import from_json_values, to_json_values

Response = TypeVar("Response")
Method = Literal["occlusion", "gradcam"]  # of showing where a model looks


@dataclass(frozen=True)
class ModelImages:
    """The images that the model of a run takes, and its classes.

    A run of ArchLab logs it (`schema.DATA`); of a run of another program the model file gives shape and
    number of classes.

    shape: `(H, W, C)`. policy: how images are resized. name, fingerprint: of the dataset, empty where it is
    not known. grey: whether colour images of the dataset were made grey. value_range: of images deeper than
    8 bits, as in `core.images.value_range`. brightness: the usual range of the training images by measure,
    empty where none can be known, None where an older version logged none. note: what is not known, in a
    sentence.
    """

    shape: Shape
    classes: tuple[str, ...]
    policy: str
    name: str = ""
    fingerprint: str = ""
    grey: bool = False
    value_range: Any = None
    brightness: dict[str, list[float]] | None = None
    note: str = ""

    @property
    def target(self) -> Target:
        """What every image is made to be before the model gets it."""
        return Target.of_run(asdict(self))


@dataclass(frozen=True)
class Changes:
    """What is done to an image before a model gets it, to make it like the training images.

    middle: its middle is cut out instead of stretching or padding it. grey: its colours are taken away.
    invert: dark and light are exchanged. brightness: its levels are scaled to the
    mean of the training images.
    """

    middle: bool = False
    grey: bool = False
    invert: bool = False
    brightness: bool = False


UNCHANGED = Changes()


@dataclass(frozen=True)
class PredictionResult:
    """What a model predicts for one image: the most probable classes first.

    shape: `(H, W, C)` of the pixels that the model got, which are sent as a blob. size: height and width of
    the image file. notes: sentences on how the image was read, where a person should know. inversion: a
    sentence where the image looks like a negative of the training images; brightness: where it is much darker
    or brighter than them. views: what the prediction is averaged over. preprocessing: a sentence where the
    preprocessing of the model's images is not known. engine: why Keras predicted, where it did for a run of
    ArchLab. error: why the image cannot be read, where that was asked for; all else is empty then.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    shape: Shape
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    inversion: str = ""
    brightness: str = ""
    views: str = ""
    preprocessing: str = ""
    engine: str = ""
    error: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a request failed.

    unknown: it names an architecture that the prediction process does not have. needs_keras: the process that
    has Keras can answer it.
    """

    error: str
    unknown: bool = False
    needs_keras: bool = False


@dataclass(frozen=True)
class Request(Generic[Response]):
    """A request to the prediction process.

    do: its name in messages. response: the type of its response.
    """

    do: ClassVar[str]
    response: ClassVar[Any]


@dataclass(frozen=True)
class Predict(Request[tuple[PredictionResult, ...]]):
    """Classify images, sent as blobs, with the model of a finished run.

    top_k: number of classes to return. skip_unreadable: whether an image that cannot be read gets a result
    with an error; otherwise the whole request fails.
    """

    do: ClassVar[str] = "predict"
    response: ClassVar[Any] = tuple[PredictionResult, ...]

    run_id: str
    top_k: int = 5
    changes: Changes = UNCHANGED
    skip_unreadable: bool = False


@dataclass(frozen=True)
class Explanation:
    """Where a model looks for a class in an image; the map is sent as a blob, float32 `shape`.

    shape: height and width. probability: that the model gives the class. grain: how many values the map has
    along height and width before it is enlarged. passes: images that the model answered for it. layer: whose
    feature maps it is made of, for Grad-CAM. engine: as in `PredictionResult`.
    """

    shape: tuple[int, int]
    probability: float
    grain: tuple[int, int]
    passes: int
    layer: str = ""
    engine: str = ""


@dataclass(frozen=True)
class Explain(Request[Explanation]):
    """Show where the model of a finished run looks for a class in an image, which is sent as a blob.

    of: name of the class.
    """

    do: ClassVar[str] = "explain"
    response: ClassVar[Any] = Explanation

    run_id: str
    method: Method
    of: str
    changes: Changes = UNCHANGED


@dataclass(frozen=True)
class Takes(Request[ModelImages]):
    """Which images the model of another program's run takes."""

    do: ClassVar[str] = "takes"
    response: ClassVar[Any] = ModelImages

    run_id: str


@dataclass(frozen=True)
class Describe(Request[Description]):
    """Describe a registered architecture, at its own input and number of classes where these are None."""

    do: ClassVar[str] = "describe"
    response: ClassVar[Any] = Description

    name: str
    input_shape: Shape | None = None
    num_classes: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32


@dataclass(frozen=True)
class DescribeTransfer(Request[Description]):
    """Describe the model of a config with its head, as it is frozen at first."""

    do: ClassVar[str] = "describe_transfer"
    response: ClassVar[Any] = Description

    model: ModelConfig
    image_shape: Shape | None = None
    num_classes: int | None = None
    batch_size: int = 32


@dataclass(frozen=True)
class CheckModel(Request[str]):
    """Check a user-defined model; the response says why it must not be trained, and is empty where it may."""

    do: ClassVar[str] = "check_model"
    response: ClassVar[Any] = str

    model: ModelConfig
    image_shape: Shape
    num_classes: int
    preprocessing: str


@dataclass(frozen=True)
class Preview(Request[tuple[str, ...]]):
    """Show one image `count` times as the model gets it in training; the response has PNG files in base64.

    tree: a whole config as a mapping. row: of its dataset. The same seed draws the same changes.
    """

    do: ClassVar[str] = "preview"
    response: ClassVar[Any] = tuple[str, ...]

    tree: dict[str, Any]
    row: int
    count: int = 8
    seed: int = 0


REQUESTS: dict[str, type[Request]] = {
    kind.do: kind for kind in (Predict, Explain, Takes, Describe, DescribeTransfer, CheckModel, Preview)
}


def to_message(request: Request, visit: str = "") -> dict[str, Any]:
    """Return a request as JSON values. visit: names a visit of the dashboard, for which it is."""
    return {"do": request.do, "visit": visit, **to_json_values(type(request), request)}


def from_message(message: dict[str, Any]) -> Request:
    """Read a request. Raises ValueError for one that is not known or lacks a value."""
    kind = REQUESTS.get(message.get("do", ""))
    if kind is None:
        raise ValueError(f"Unknown request '{message.get('do')}'.")
    return from_json_values(kind, message)
