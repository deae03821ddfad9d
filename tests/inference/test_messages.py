"""What is sent between the prediction process and its clients arrives as it was sent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from core.architectures.description import Description, LayerDescription, MemoryEstimate
from core.config import ExperimentConfig, ModelConfig
from core.inference.messages import (
    REQUESTS,
    Changes,
    CheckModel,
    Describe,
    DescribeTransfer,
    Explain,
    Explanation,
    Failure,
    ModelImages,
    Predict,
    PredictionResult,
    Preview,
    Request,
    Takes,
    from_message,
    to_message,
)
from core.system.records import from_json_values, to_json_values

LAYERS = (
    LayerDescription("conv", "Conv2D", (26, 26, 4), 40, 0, 24_336, 27_040, 10_816, (), (3, 3), (1, 1)),
    LayerDescription("head", "Dense", (10,), 50, 50, 40, 50, 40, (0,)),
)
DESCRIPTION = Description(
    "small",
    (28, 28, 1),
    10,
    90,
    50,
    24_376,
    3,
    2,
    LAYERS,
    MemoryEstimate(32, 360, 200, 400, 3200, 64, 8, 100),
)
MODEL = ModelConfig(name="resnet_cifar", options={"depth": 8}, head="gap", freeze="all")

EXAMPLES: dict[type[Request], tuple[Request, list[Any]]] = {  # a request, and answers to it
    Predict: (
        Predict("a run", 3, Changes(invert=True), True),
        [
            (),
            (
                PredictionResult(("cat", "dog"), (0.75, 0.25), (28, 28, 1)),
                PredictionResult(("dog",), (1.0,), (5, 4, 3), (9, 8), ("a note", "another"), "inv", "bright"),
                PredictionResult((), (), (0, 0, 0), error="The image is damaged."),
            ),
        ],
    ),
    Explain: (
        Explain("a run", "occlusion", "cat", Changes(grey=True)),
        [Explanation((28, 20), 0.75, (11, 10), 111, engine="Keras, because")],
    ),
    Takes: (
        Takes("a run"),
        [
            ModelImages((8, 6, 3), ("class 0", "class 1"), "stretch", brightness={}, note="unknown"),
            ModelImages(
                (8, 6, 3), ("a", "b"), "pad", "pets", "f00", True, [0.0, 4095.0], {"mean": [1.5, 2.5]}
            ),
        ],
    ),
    Describe: (Describe("lenet5", (28, 28, 1), 10, {"depth": 8, "text": "a", "on": True}, 7), [DESCRIPTION]),
    DescribeTransfer: (DescribeTransfer(MODEL, (32, 32, 3), None, 64), [DESCRIPTION]),
    CheckModel: (CheckModel(MODEL, (32, 32, 3), 10, "scale"), ["", "mine cannot be built: \u00d7"]),
    Preview: (Preview(ExperimentConfig().model_dump(), 3, 8, 5), [("aGVsbG8=", "d29ybGQ=")]),
}


def sent(values: Any) -> Any:
    """Values as they are read from a message."""
    return json.loads(json.dumps(values))


def test_every_request_has_an_example() -> None:
    assert set(REQUESTS.values()) == set(EXAMPLES)


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
def test_every_request_and_every_answer_arrives_as_it_was_sent(kind: type[Request]) -> None:
    request, answers = EXAMPLES[kind]
    assert from_message(sent(to_message(request, "a visit"))) == request
    for answer in answers:
        assert from_json_values(kind.response, sent(to_json_values(kind.response, answer))) == answer
    failure = Failure("No such model.", True)
    assert from_json_values(Failure, sent(to_json_values(Failure, failure))) == failure


@pytest.mark.parametrize("record", [DESCRIPTION, *EXAMPLES[Predict][1][1], *EXAMPLES[Takes][1]])
def test_of_another_version_unknown_keys_are_ignored_and_absent_ones_get_defaults(record: Any) -> None:
    kind = type(record)
    values = {**sent(to_json_values(kind, record)), "added later": {"by": "a newer version"}}
    assert from_json_values(kind, values) == record
    defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    for name, default in defaults.items():
        older = {key: value for key, value in values.items() if key != name}
        assert from_json_values(kind, older) == replace(record, **{name: default})


def test_a_description_keeps_its_derived_numbers_and_reads_layers_of_other_versions() -> None:
    values = sent(DESCRIPTION.to_dict())
    assert (values["non_trainable_parameters"], values["memory"]["total"]) == (40, 4232)
    assert Description.from_dict(values) == DESCRIPTION
    del values["layers"][0]["connections"]
    values["layers"][0]["added later"] = 5
    layers = (replace(LAYERS[0], connections=0), LAYERS[1])
    assert Description.from_dict(values) == replace(DESCRIPTION, layers=layers)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"layers": None}, "layers"), ({"depth": "deep"}, "depth"), ({"memory": {}}, "memory.batch_size")],
)
def test_what_is_no_description_is_one_sentence(changes: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=rf"^Description cannot be read: {reason}.*\.$") as error:
        Description.from_dict({**DESCRIPTION.to_dict(), **changes})
    assert "\n" not in str(error.value)


def test_a_probability_that_is_not_a_number_stays_one() -> None:
    (answer,) = from_json_values(
        Predict.response,
        sent(to_json_values(Predict.response, (PredictionResult(("a",), (math.nan,), (1, 1, 1)),))),
    )
    assert math.isnan(answer.probabilities[0])
    options = {"rate": math.inf}
    request = from_message(sent(to_message(Describe("lenet5", options=options))))
    assert isinstance(request, Describe)
    assert request.options == options


def test_an_unknown_request_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown request 'something'"):
        from_message({"do": "something"})
    with pytest.raises(ValueError, match="Predict cannot be read: run_id"):
        from_message({"do": "predict"})
